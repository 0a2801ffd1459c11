"""The common parts of a report's pictures: size, colors, axes, and PNG encoding."""

from __future__ import annotations

import io
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import EngFormatter, MaxNLocator
from PIL import Image, ImageColor

#: The page is white, so that a picture looks the same in email and in the UI, light or dark.
PAPER, INK, FAINT, GRID = "#ffffff", "#1f2937", "#6b7280", "#e5e7eb"
#: One hue for counts; the lighter shade for a second group.
BLUE, LIGHT = "#2563eb", "#93b8f7"
#: Colormap, light for few to dark for many.
SHADES = "YlGnBu"
#: Width in inches, as wide as the UI's column, and dots per inch, twice a standard screen's.
WIDTH, DPI = 7.4, 200
#: Size of an image's palette: no visible loss, at a third of the bytes.
COLORS = 128
#: Margins in inches: left and right, for the title, below axes with and without a label.
_LEFT, _RIGHT, _ABOVE, _LABELED, _UNLABELED = 0.12, 0.2, 0.5, 0.5, 0.3
#: Inches from the axes to the bar of their shades, and its width.
_GAP, _BAR = 0.3, 0.13
_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # bundled with matplotlib, so always available
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a $ in a name is a dollar
    "axes.labelcolor": FAINT,
    "axes.edgecolor": GRID,
    "axes.facecolor": PAPER,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "figure.facecolor": PAPER,
    "grid.color": GRID,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}
#: matplotlib's style is global to the process, and months are drawn concurrently.
_ONE_AT_A_TIME = threading.Lock()


class Canvas:
    """A picture in progress: its axes, and its bytes once drawn.

    Attributes:
        figure: the matplotlib figure.
        axes: the axes to draw on.
        png: the image; empty until the picture is finished.
    """

    def __init__(self, title: str, size: tuple[float, float]) -> None:
        self.figure = Figure(figsize=size, dpi=DPI)
        self.axes: Axes = self.figure.subplots()
        left, top = 0.016, 1 - 0.12 / size[1]
        self.figure.text(left, top, drawable(title), va="top", fontsize=11, fontweight="bold")
        self.bar: Axes | None = None
        self.png = b""

    def grid(self, axis: Any, counts: bool = True) -> None:
        """Draw grid lines for an axis of numbers and abbreviate them: 40 k, 1.2 M."""
        self.axes.grid(axis=axis)
        ticks = self.axes.yaxis if axis == "y" else self.axes.xaxis
        ticks.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=counts))
        ticks.set_major_formatter(EngFormatter(sep=" "))

    def label(self, x: str = "", y: str = "") -> None:
        """Label the axes."""
        self.axes.set_xlabel(drawable(x))
        self.axes.set_ylabel(drawable(y))

    def color_bar(self, shades: Any, label: str, **settings: Any) -> None:
        """Draw the legend of a picture's shades."""
        self.bar = self.figure.add_axes((0.9, 0, 0.1, 1))  # placed when the picture is finished
        bar = self.figure.colorbar(shades, cax=self.bar, label=drawable(label), **settings)
        outline: Any = bar.outline  # some stubs take its attributes for lines
        outline.set_visible(False)

    def _fit(self) -> None:
        """Place the axes: the labels of values are measured, the other margins are fixed.

        matplotlib's own layouts measure all that is drawn, up to four times, which takes a third of
        the time of a picture.
        """
        wide, tall = self.figure.get_size_inches()
        below = _LABELED if self.axes.get_xlabel() else _UNLABELED
        left, right, height = _LEFT + self._labels(self.axes), wide - _RIGHT, tall - below - _ABOVE
        if self.bar:
            right = wide - _LEFT - self._labels(self.bar) - _BAR
            self.bar.set_position((right / wide, below / tall, _BAR / wide, height / tall))
            right -= _GAP
        box = (left / wide, below / tall, (right - left) / wide, height / tall)
        self.axes.set_position(box)

    def _labels(self, axes: Axes) -> float:
        """Return how far the labels of values extend to the side of the axes, in inches."""
        taken: Any = axes.yaxis.get_tightbbox()
        if taken is None:
            return 0.0
        return float(max(axes.bbox.x0 - taken.x0, taken.x1 - axes.bbox.x1)) / DPI

    def finish(self) -> None:
        """Convert the drawing to the PNG image."""
        drawn: Any = FigureCanvasAgg(self.figure)  # its methods have no types
        self._fit()
        drawn.draw()
        pixels = drawn.buffer_rgba(), "raw", "RGBA", 0, 1
        out, image = io.BytesIO(), Image.frombuffer("RGBA", drawn.get_width_height(), *pixels)
        # Nothing is transparent.
        _indexed(image.convert("RGB")).save(out, "PNG", compress_level=6)
        self.png = out.getvalue()


def _indexed(image: Image.Image) -> Image.Image:
    """Return the image with a palette, in which the paper keeps its color."""
    # Every second pixel shows all colors: no line is thinner than two.
    half = image.resize((image.width // 2, image.height // 2), Image.Resampling.NEAREST)
    indexed: Image.Image = image.quantize(palette=half.quantize(COLORS), dither=Image.Dither.NONE)
    # The palette has means of similar colors: paper would turn yellowish among pale shades.
    corner: Any = indexed.getpixel((0, 0))
    palette = indexed.getpalette() or []
    palette[3 * corner : 3 * corner + 3] = ImageColor.getrgb(PAPER)
    indexed.putpalette(palette)
    return indexed


@cache
def _glyphs() -> Container[int]:
    return get_font(findfont("DejaVu Sans")).get_charmap()


def drawable(text: str) -> str:
    """Return a text with a box for each character that the font lacks, such as Chinese ones."""
    return "".join(letter if ord(letter) in _glyphs() else "\u25a1" for letter in text)


@contextmanager
def canvas(title: str, height: float, width: float = WIDTH) -> Iterator[Canvas]:
    """Yield a canvas of this size in inches; its `png` is set on exit."""
    with _ONE_AT_A_TIME, matplotlib.rc_context(_STYLE):
        made = Canvas(title, (width, height))
        yield made
        made.finish()
