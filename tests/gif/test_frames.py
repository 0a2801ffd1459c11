"""Frames are found, checked and put together in order, with every pixel correct."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from core.errors import BadFile, UsageError
from fakes.image_file import image_file, picture, pixels
from fakes.real_data import answers, real_file
from gif.frames import FRAME_MS, SEPARATOR, Frame, animate, as_gif, split
from gif.locations import Location

ANY = Frame(7, 100, 5)


@given(st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"\n", b"n"))))
def test_frames_are_the_parts_that_are_not_empty(parts: list[bytes]) -> None:
    """Each is at the recorded place, and they are numbered without gaps."""
    data = SEPARATOR.join(parts)
    frames = split(data)
    assert [data[f.start : f.start + f.size] for f in frames] == [p for p in parts if p]
    assert [f.number for f in frames] == list(range(len(frames)))


def test_more_than_four_newlines_divide_where_the_first_four_are() -> None:
    """The rest belongs to the next frame."""
    assert split(b"a" + b"\n" * 5 + b"b") == [Frame(0, 0, 1), Frame(1, 5, 2)]


def test_frames_are_named_by_two_digits_and_more_where_needed() -> None:
    assert [Frame(n, 0, 1).name for n in (0, 26, 100)] == [
        "frame_00.gif",
        "frame_26.gif",
        "frame_100.gif",
    ]


def test_a_gif_stays_as_it_is_and_another_image_becomes_one() -> None:
    assert as_gif(picture(1), ANY, "file") == picture(1)
    converted = as_gif(picture(1, "PNG"), ANY, "file")
    assert converted.startswith(b"GIF8")
    assert pixels(converted) == pixels(picture(1))


@pytest.mark.parametrize(
    "data",
    [b"GIF89a", b"hello", b"<html>", picture(3)[:60], picture(3, "PNG")[:90], b"\x89PNG\r\n\x1a\n"],
)
def test_a_part_that_is_not_an_image_is_named_by_its_number(data: bytes) -> None:
    with pytest.raises(
        BadFile, match=r"^images\.img: frame 7, 5 bytes from 100 on, .* not an image"
    ):
        as_gif(data, ANY, "images.img")


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    found = io.BytesIO()
    image.save(found, kind, **options)
    return found.getvalue()


def test_whatever_pillow_raises_the_frame_is_named() -> None:
    unknown_compression = saved(Image.new("P", (20, 20)), "BLP").replace(b"\1", b"\xff", 1)
    with pytest.raises(BadFile, match=r"^images\.img: frame 7, .* is not an image \(.+\)"):
        as_gif(unknown_compression, ANY, "images.img")


def test_an_image_that_no_gif_can_show_is_not_to_be_downloaded_again() -> None:
    wide = saved(Image.new("1", (70_000, 1)), "PNG")
    said = r"^images\.img: frame 7, a PNG of 70000 x 1 pixels, cannot become a GIF \(.+\); give an"
    with pytest.raises(BadFile, match=said):
        as_gif(wide, ANY, "images.img")


def test_a_photo_whose_exif_data_are_damaged_is_shown_as_it_is_stored() -> None:
    photo = saved(Image.new("RGB", (48, 16), "blue"), "JPEG", exif=b"Exif\0\0junk", dpi=(72, 72))
    with Image.open(io.BytesIO(as_gif(photo, ANY, "file"))) as made:
        assert made.size == (48, 16)


def test_a_photo_is_turned_the_way_its_camera_was_held() -> None:
    """Orientation 6: the right side of the stored picture is the lower side of the scene."""
    image = Image.new("RGB", (48, 16), "blue")
    image.paste("red", (32, 0, 48, 16))
    orientation = Image.Exif()
    orientation[0x0112] = 6
    photo = saved(image, "JPEG", exif=orientation, quality=95)
    with Image.open(io.BytesIO(as_gif(photo, ANY, "file"))) as made:
        shown = made.convert("RGB")
    assert shown.size == (16, 48)
    assert [name_of(shown, (8, y)) for y in (8, 24, 40)] == ["blue", "blue", "red"]


def name_of(image: Image.Image, place: tuple[int, int]) -> str:
    """Return the name of the strongest color of a pixel."""
    pixel = image.getpixel(place)
    assert isinstance(pixel, tuple)
    return ["red", "green", "blue"][pixel.index(max(pixel))]


@pytest.mark.parametrize(("mode", "order"), [("I;16", "little"), ("I;16B", "big")])
def test_16_bits_become_8_in_either_order_of_their_bytes(
    mode: str, order: Literal["little", "big"]
) -> None:
    """Values above 255 are scaled, not clipped."""
    data = b"".join((257 * level).to_bytes(2, order) for level in (0, 5, 155, 255))
    scan = saved(Image.frombytes(mode, (4, 1), data), "TIFF")
    with Image.open(io.BytesIO(as_gif(scan, ANY, "file"))) as made:
        assert made.convert("L").tobytes() == bytes([0, 5, 155, 255])


def see_through(left: int, color: int) -> bytes:
    """Return a transparent GIF with a square of red (1) or blue (2)."""
    image = Image.new("P", (30, 10), 0)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    ImageDraw.Draw(image).rectangle((left, 0, left + 9, 9), fill=color)
    return saved(image, "GIF", transparency=0)


def test_a_frame_is_not_seen_through_the_transparent_one_after_it() -> None:
    nothing, red, blue = (0, 0, 0, 0), (255, 0, 0, 255), (0, 0, 255, 255)
    made = animate([see_through(0, 1), see_through(20, 2)], "file")
    with Image.open(io.BytesIO(made)) as image:
        seen = []
        for number in range(2):
            image.seek(number)
            frame = image.convert("RGBA")
            seen.append([frame.getpixel((x, 5)) for x in (5, 15, 25)])
    assert seen == [[red, nothing, nothing], [nothing, nothing, blue]]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_among_the_images_is_refused(kind: str) -> None:
    """One frame would become several, which the counts do not say, or lose all but one."""
    stills = [Image.new("RGB", (30, 10), color) for color in ("red", "lime", "blue")]
    data = saved(stills[0], kind, save_all=True, append_images=stills[1:])
    with pytest.raises(BadFile, match=f"file: frame 4, a {kind}, is an animation itself; give"):
        as_gif(data, Frame(4, 0, len(data)), "file")
    assert as_gif(saved(stills[0], kind), Frame(4, 0, 9), "file")


@pytest.mark.parametrize("between", [b"", b"\n\n\n", b"\r\n" * 4], ids=["none", "3", "windows"])
@pytest.mark.parametrize("kind", ["GIF", "JPEG", "PNG"])
def test_images_without_four_newlines_between_them_are_refused(kind: str, between: bytes) -> None:
    """Pillow reads the first one; the others would be lost in silence."""
    one = saved(Image.new("RGB", (30, 10), "red"), kind)
    data = between.join([one, saved(Image.new("RGB", (30, 10), "blue"), "PNG")]) + between
    said = f"file: frame 3, {len(data)} bytes from 7 on, has several images; separate"
    with pytest.raises(BadFile, match=said):
        as_gif(data, Frame(3, 7, len(data)), "file")
    assert as_gif(one + between, Frame(3, 7, len(one)), "file")


@pytest.mark.parametrize("kind", ["GIF", "JPEG", "PNG"])
def test_a_webp_right_after_an_image_is_refused(kind: str) -> None:
    data = b"".join(saved(Image.new("RGB", (30, 10)), each) for each in (kind, "WEBP"))
    with pytest.raises(BadFile, match="has several images; separate them by four newlines"):
        as_gif(data, Frame(3, 7, len(data)), "file")


def test_a_downloaded_program_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostScript is one, and Pillow gives it to Ghostscript."""
    ran, ghostscript = tmp_path / "ran", tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {ran}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 10\n%%EndComments\nshowpage\n"
    with_preview = struct.pack("<6I", 0xC6D3D0C5, 32, len(data), 0, 0, 0).ljust(32, b"\0") + data
    for each in (data, with_preview):
        with pytest.raises(BadFile, match="is an EPS, a program, which is not run; give a file"):
            as_gif(each, Frame(0, 0, len(each)), "file")
    assert not ran.exists()


def test_a_photo_with_a_preview_is_one_image() -> None:
    """Phones write a second picture into the same file, as the format MPO."""
    photo = Image.new("RGB", (30, 10), "red")
    data = saved(photo, "MPO", save_all=True, append_images=[photo.resize((3, 1))])
    assert as_gif(data, Frame(0, 0, len(data)), "file")


def test_a_gif_of_all_frames_in_their_order() -> None:
    """Each frame is exact, all have the same duration, and the animation loops."""
    frames = [picture(number) for number in range(12)]
    made = animate(frames, "file")
    assert pixels(made) == [pixels(frame)[0] for frame in frames]
    with Image.open(io.BytesIO(made)) as image:
        assert image.info["loop"] == 0
        assert image.info["duration"] == FRAME_MS


def test_equal_neighbors_are_shown_as_long_as_both() -> None:
    made = animate([picture(1), picture(1), picture(2)], "file")
    assert pixels(made) == [*pixels(picture(1)), *pixels(picture(2))]
    with Image.open(io.BytesIO(made)) as image:
        assert image.info["duration"] == 2 * FRAME_MS


def test_frames_of_two_sizes_are_refused() -> None:
    """The error names the number of the first that differs."""
    with pytest.raises(BadFile, match="file: frame 1 has 9x9 pixels, frame 0 has 50x40"):
        animate([picture(0), picture(1, size=(9, 9))], "file")


def test_places_without_a_bucket_are_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may have a different current folder."""
    monkeypatch.chdir(tmp_path)
    assert Location.of("", "a/clip.gif") == Location("", f"{tmp_path}/a/clip.gif")
    assert Location.of("", "clip.gif").beside("frame_00.gif").path == f"{tmp_path}/frame_00.gif"
    assert Location.of("local-bucket/zoom", "a/clip.gif").beside("b.gif").path == "a/b.gif"


def test_two_spellings_of_a_place_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The GIF would otherwise replace the images that it is made of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    for path in ("a/../clip.gif", "link/clip.gif"):
        assert Location.of("", path).same(Location.of("", "clip.gif"))
    clip = Location.of("local-bucket/zoom", "clip.gif")
    for key in ("./clip.gif", ".//clip.gif", "a/../clip.gif"):
        assert Location.of("local-bucket/zoom", key).same(clip)
    assert not clip.same(Location.of("local-bucket/other", "clip.gif"))
    assert not clip.same(Location.of("", "clip.gif"))


def test_a_place_stays_as_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key with two slashes is another object, and a link leads elsewhere on another machine."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    assert Location.of("local-bucket/zoom", "images//a.img").path == "images//a.img"
    assert Location.of("", "link/clip.gif").path == f"{tmp_path}/link/clip.gif"


def test_a_loop_of_links_is_compared(tmp_path: Path) -> None:
    """The error of the file system says more."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    place = Location.of("", f"{tmp_path}/loop/clip.gif")
    assert place.same(place)


@pytest.mark.parametrize("path", ["", ".", "/", "..", pytest.param("a\0.gif", id="nul")])
def test_a_place_needs_a_name(path: str) -> None:
    with pytest.raises(UsageError, match="is not a file name"):
        Location.of("local-bucket/zoom", path)


def test_made_files_have_the_shape_of_the_real_one() -> None:
    """The four newlines at the end are not a frame."""
    assert len(split(image_file(3))) == 3
    assert image_file(3).count(SEPARATOR) == 3


@pytest.mark.real
def test_the_real_file_becomes_a_gif_of_27_frames() -> None:
    """Each has 500x375 pixels, equal to those of the file."""
    name = "image/all-images.img"
    data = real_file(name).read_bytes()
    frames = split(data)
    assert len(frames) == answers(name)["frames"] == 27
    parts = [data[f.start : f.start + f.size] for f in frames]
    assert [as_gif(part, f, name) for part, f in zip(parts, frames)] == parts
    made = animate(parts, name)
    assert pixels(made) == [pixels(part)[0] for part in parts]
    with Image.open(io.BytesIO(made)) as image:
        assert image.size == (500, 375)


# ---- other color modes


def encoded(image: Image.Image, kind: str) -> bytes:
    found = io.BytesIO()
    image.save(found, kind)
    return found.getvalue()


def clear(mode: str, color: tuple[int, ...]) -> Image.Image:
    """Return an image whose left half has a color and whose right half is transparent."""
    image = Image.new(mode, (8, 4), (0,) * len(color))
    image.paste(color, (0, 0, 4, 4))
    return image


def palette() -> Image.Image:
    """Return the same with a palette, one of whose colors is transparent."""
    image = Image.new("P", (8, 4), 1)
    image.putpalette([200, 0, 0, 0, 0, 0])
    image.paste(0, (0, 0, 4, 4))
    image.info["transparency"] = 1
    return image


def ends(data: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the colors at the left and the right edge."""
    with Image.open(io.BytesIO(data)) as image:
        shown = image.convert("RGB")
        return shown.getpixel((0, 0)), shown.getpixel((7, 3))  # type: ignore[return-value] # RGB


WHITE = (255, 255, 255)


@pytest.mark.parametrize(
    ("data", "left", "right"),
    [
        (encoded(clear("RGBA", (200, 0, 0, 255)), "PNG"), (200, 0, 0), WHITE),
        (encoded(clear("LA", (90, 255)), "PNG"), (90, 90, 90), WHITE),
        (encoded(palette(), "PNG"), (200, 0, 0), WHITE),
        (encoded(Image.new("I;16", (8, 4), 257 * 90), "PNG"), (90, 90, 90), (90, 90, 90)),
        (encoded(Image.new("I;16", (8, 4), 65_535), "PNG"), WHITE, WHITE),
        (encoded(Image.new("I", (8, 4), 257 * 90), "TIFF"), (90, 90, 90), (90, 90, 90)),
        (encoded(Image.new("1", (8, 4), 1), "PNG"), WHITE, WHITE),
        (encoded(Image.new("CMYK", (8, 4), (0, 255, 255, 0)), "TIFF"), (255, 0, 0), (255, 0, 0)),
    ],
    ids=["RGBA", "LA", "P", "I;16", "I;16 white", "I", "1", "CMYK"],
)
def test_an_image_of_another_color_mode_has_its_colors(
    data: bytes, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    assert ends(as_gif(data, ANY, "file")) == (left, right)


def test_a_jpeg_of_cmyk_has_its_colors() -> None:
    image = Image.new("CMYK", (8, 4), (255, 0, 255, 0))
    (red, green, blue), _ = ends(as_gif(encoded(image, "JPEG"), ANY, "file"))
    assert red < 12
    assert green > 243
    assert blue < 12


@pytest.mark.parametrize(("mode", "value"), [("F", 0.5), ("I", 70_000)])
def test_an_image_without_a_scale_of_brightness_is_refused_by_its_mode(
    mode: str, value: float
) -> None:
    data = encoded(Image.new(mode, (8, 4), value), "TIFF")
    with pytest.raises(BadFile, match=f"frame 7, .*mode {mode}, numbers without a scale"):
        as_gif(data, ANY, "file")


def test_frames_of_mixed_modes_are_one_gif() -> None:
    sources = [clear("RGBA", (200, 0, 0, 255)), palette(), Image.new("L", (8, 4), 90)]
    frames = [as_gif(encoded(image, "PNG"), ANY, "file") for image in sources]
    frames.append(encoded(palette(), "GIF"))
    shown = pixels(animate(frames, "file"))
    assert [tuple(frame[:3]) for frame in shown][:1] == [(200, 0, 0)]
    assert tuple(shown[1][:3]) == (90, 90, 90)
    assert tuple(shown[2][:3]) == (200, 0, 0)
