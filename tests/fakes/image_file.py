"""Draw image files in the format of the Dask example."""

from __future__ import annotations

import io

from PIL import Image

SIZE = (50, 40)


def picture(number: int, kind: str = "GIF", size: tuple[int, int] = SIZE) -> bytes:
    """Return an image in a color of its number, crossed by a line in another color."""
    image = Image.new("RGB", size, (number % 256, 255 - number % 256, 80))
    image.paste((250, 250, number % 256), (0, number % size[1], size[0], number % size[1] + 1))
    found = io.BytesIO()
    image.save(found, kind)
    assert b"\n\n\n\n" not in found.getvalue()
    return found.getvalue()


def image_file(frames: int) -> bytes:
    """Return images separated by four newlines, with four more at the end."""
    return b"".join(picture(number) + b"\n\n\n\n" for number in range(frames))


def pixels(data: bytes) -> list[bytes]:
    """Return the red, green and blue values of the pixels of each frame."""
    with Image.open(io.BytesIO(data)) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            found.append(image.convert("RGB").tobytes())
        return found
