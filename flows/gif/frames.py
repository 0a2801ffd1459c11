"""The frames of an image file: splitting, checking, and animating them as one GIF.

The file of the Prefect-on-Dask example is a sequence of images, separated by four newlines, with
four more at the end.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import EpsImagePlugin, Image, ImageOps

from core.errors import BadFile

#: The image file of Prefect's example of a flow on Dask.
URL = "https://github.com/cicdw/image-data/blob/master/all-images.img?raw=true"
SEPARATOR = b"\n" * 4
#: Duration of each frame in milliseconds.
FRAME_MS = 100
EpsImagePlugin.gs_binary = False  # no downloaded program is run, whatever Pillow takes for one
#: How an image of a format ends, and how the next one begins (from the formats' descriptions).
_ENDS = {"GIF": b";", "JPEG": b"\xff\xd9", "PNG": b"IEND\xae\x42\x60\x82"}
_NEXT = rb"\s*(?:\x89PNG\r\n\x1a\n|GIF8[79]a|\xff\xd8\xff|RIFF(?s:.{4})WEBP)"
#: How PostScript begins, also with a preview.
_PROGRAM = (b"%!PS", b"\xc5\xd0\xd3\xc6")
#: Formats in which several pictures are an animation, not pages or a preview.
_ANIMATIONS = frozenset({"AVIF", "GIF", "PNG", "WEBP"})


@dataclass(frozen=True)
class Frame:
    """The position of one image in the file, sent between machines instead of its bytes.

    Attributes:
        number: index from 0, in file order.
        start: offset of its first byte.
        size: size in bytes.
        sha256: checksum of the frame's own file; empty until that is written.
    """

    number: int
    start: int
    size: int
    sha256: str = ""

    @property
    def name(self) -> str:
        """Return the frame's file name, `frame_00.gif`."""
        return f"frame_{self.number:02}.gif"


def is_frame_name(name: str) -> bool:
    """Return whether a frame may have this file name."""
    return re.fullmatch(r"frame_\d+\.gif", name) is not None


def split(data: bytes) -> list[Frame]:
    """Split a file into its frames, skipping empty parts."""
    frames: list[Frame] = []
    start = 0
    for part in data.split(SEPARATOR):
        if part:
            frames.append(Frame(len(frames), start, len(part)))
        start += len(part) + len(SEPARATOR)
    return frames


def as_gif(data: bytes, frame: Frame, file: str) -> bytes:
    """Return a frame as a GIF file, converted if it is in another format.

    Args:
        data: bytes of the frame.
        frame: position of the frame, for error messages.
        file: source file, for error messages.

    Raises:
        BadFile: the frame is not one image, is an animation, is truncated, has no known brightness
            scale, or is too large for a GIF.
    """
    image = _read(data, frame, file)
    if image.format == "GIF":
        return data
    converted = io.BytesIO()
    try:
        _eight_bits(_upright(image)).save(converted, "GIF")
    except (OSError, ValueError, OverflowError, struct.error) as error:
        raise BadFile(
            f"{file}: frame {frame.number}, a {image.format} of {image.width} x {image.height} "
            f"pixels, cannot become a GIF ({error}); give another url"
        ) from error
    return converted.getvalue()


def _read(data: bytes, frame: Frame, file: str) -> Image.Image:
    if data.startswith(_PROGRAM):
        raise BadFile(
            f"{file}: frame {frame.number}, {frame.size} bytes from {frame.start} on, is an EPS, a "
            "program, which is not run; give a file of other images"
        )
    try:
        image = Image.open(io.BytesIO(data))
        image.load()  # open() reads only the header
        is_animated = image.format in _ANIMATIONS and getattr(image, "is_animated", False)
    except MemoryError:
        raise
    # Pillow's readers raise almost any error for bytes that they cannot read.
    except Exception as error:
        raise BadFile(
            f"{file}: frame {frame.number}, {frame.size} bytes from {frame.start} on, which begin "
            f"with {data[:20]!r}, is not an image ({error}); remove the file to download it again, "
            "or give another url"
        ) from error
    if is_animated:
        raise BadFile(
            f"{file}: frame {frame.number}, a {image.format}, is an animation itself; "
            "give a file of single pictures"
        )
    end = _ENDS.get(image.format or "")
    if end and re.search(re.escape(end) + _NEXT, data):
        raise BadFile(
            f"{file}: frame {frame.number}, {frame.size} bytes from {frame.start} on, has several "
            "images; separate them by four newlines"
        )
    return image


def _upright(image: Image.Image) -> Image.Image:
    """Return the image turned as its EXIF data say; as it is stored if these are damaged."""
    # Cameras store the picture as the sensor saw it, and its orientation in EXIF.
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # Pillow raises almost any error for damaged EXIF data
        return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image in a color mode of GIF, with transparency composited onto white.

    Raises:
        ValueError: the scale of the image's values is unknown.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and _is_of_16_bits(image)):
        # Pillow's own conversion clips values above 255.
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
    """Return one GIF that shows images in order, in an endless loop.

    Equal neighbors become one frame with the duration of both.

    Args:
        frames: images returned by `as_gif`.
        file: source file, for error messages.

    Raises:
        BadFile: the images differ in size.
    """
    images = [Image.open(io.BytesIO(data)) for data in frames]
    _refuse_sizes(images, file)
    found = io.BytesIO()
    # Otherwise earlier frames would show through a transparent one.
    cleared = {"disposal": 2} if any(image.has_transparency_data for image in images) else {}
    images[0].save(
        found, "GIF", save_all=True, append_images=images[1:], duration=FRAME_MS, loop=0, **cleared
    )
    return found.getvalue()


def _refuse_sizes(images: Sequence[Image.Image], file: str) -> None:
    for number, image in enumerate(images):
        if image.size != images[0].size:
            raise BadFile(
                f"{file}: frame {number} has {_size(image)} pixels, frame 0 has "
                f"{_size(images[0])}; give a file of images of one size"
            )


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"
