"""The frames of an image file: where each is, whether it is an image, all of them as one GIF.

The file of the Prefect-on-Dask example holds images one after the other, divided by four
newlines, with four more at its end.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

from core.errors import BadFile

#: The image file of Prefect's own example of a flow on Dask.
URL = "https://github.com/cicdw/image-data/blob/master/all-images.img?raw=true"
SEPARATOR = b"\n" * 4
#: How long each frame is shown, milliseconds.
FRAME_MS = 100


@dataclass(frozen=True)
class Frame:
    """Where one image is in the file; what travels between machines in place of its bytes.

    Attributes:
        number: from 0, in the order of the file.
        start: of its first byte.
        size: bytes.
    """

    number: int
    start: int
    size: int

    @property
    def name(self) -> str:
        """Of its file, `frame_00.gif`."""
        return f"frame_{self.number:02}.gif"


def split(data: bytes) -> list[Frame]:
    """The frames of a file; empty parts are none."""
    frames: list[Frame] = []
    start = 0
    for part in data.split(SEPARATOR):
        if part:
            frames.append(Frame(len(frames), start, len(part)))
        start += len(part) + len(SEPARATOR)
    return frames


def as_gif(data: bytes, frame: Frame, file: str) -> bytes:
    """A frame as a GIF file: as it is if it is one, else converted.

    Args:
        data: the frame.
        frame: which, for the message.
        file: where it is from, for the message.

    Raises:
        BadFile: it is no image, half of one, or one without a scale of brightness.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()  # opening reads no further than the size
            if image.format == "GIF":
                return data
            converted = io.BytesIO()
            _eight_bits(image).save(converted, "GIF")
            return converted.getvalue()
    # What Pillow's readers raise for bytes that are none of theirs.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise BadFile(
            f"{file}: frame {frame.number}, {frame.size} bytes from {frame.start} on, which begin "
            f"with {data[:20]!r}, is no image ({error}); remove the file to download it anew, "
            "or give another url"
        ) from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image in colours that a GIF has; what is transparent is laid on white.

    Raises:
        ValueError: its numbers have no scale that is known.
    """
    if image.mode == "I;16" or (image.mode == "I" and _is_of_16_bits(image)):
        # Pillow's own conversion cuts off what lies above 255.
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode}, numbers without a scale; save it with 8 or 16 bits")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image if image.mode in ("1", "L", "P", "RGB") else image.convert("RGB")


def _is_of_16_bits(image: Image.Image) -> bool:
    low, high = image.getextrema()
    return isinstance(low, int) and isinstance(high, int) and low >= 0 and high < 1 << 16


def animate(frames: Iterable[bytes], file: str) -> bytes:
    """One GIF that shows images in their order, without end.

    Neighbours that are equal become one frame that is shown as long as both.

    Args:
        frames: images that `as_gif` has passed.
        file: where they are from, for the message.

    Raises:
        BadFile: they are not all of one size.
    """
    images = [Image.open(io.BytesIO(data)) for data in frames]
    _refuse_sizes(images, file)
    found = io.BytesIO()
    images[0].save(found, "GIF", save_all=True, append_images=images[1:], duration=FRAME_MS, loop=0)
    return found.getvalue()


def _refuse_sizes(images: Sequence[Image.Image], file: str) -> None:
    for number, image in enumerate(images):
        if image.size != images[0].size:
            raise BadFile(
                f"{file}: frame {number} has {_size(image)} dots, frame 0 has {_size(images[0])}; "
                "give a file of images of one size"
            )


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"
