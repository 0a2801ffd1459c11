"""What the pictures of a report have in common: size, colours, axes, and how they become bytes."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from PIL import Image

#: The page is white, so that a picture is the same in the UI, light or dark, and in a mail.
PAPER, INK, FAINT, GRID = "#ffffff", "#1f2937", "#6b7280", "#e5e7eb"
#: One hue for what is counted; the lighter one for what is to be told apart from it.
BLUE, LIGHT = "#2563eb", "#93b8f7"
#: From few to many, light to dark.
SHADES = "YlGnBu"
#: Inches across, as wide as the UI's column, and dots an inch, twice a plain screen's.
WIDTH, DPI = 7.4, 200
#: Of an image's palette: as good to look at as all of them, at a third of the bytes.
COLOURS = 128
_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # which comes with matplotlib, so it is there everywhere
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": GRID,
    "axes.facecolor": PAPER,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "figure.constrained_layout.h_pad": 0.12,
    "figure.constrained_layout.w_pad": 0.12,
    "figure.facecolor": PAPER,
    "grid.color": GRID,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}
#: matplotlib's style is one for the process, and months are drawn side by side.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """One picture of a report.

    Attributes:
        title: what it shows, and of which month; it stands in the picture too.
        about: what there is to see, for who cannot see it.
        png: the image.
        note: what it leaves out; empty if nothing.
    """

    title: str
    about: str
    png: bytes = field(repr=False)
    note: str = ""


class Canvas:
    """A picture in the making: its axes, and the bytes once it is drawn.

    Attributes:
        figure: matplotlib's own.
        axes: what to draw on.
        png: the image; empty until the picture is done.
    """

    def __init__(self, title: str, size: tuple[float, float]) -> None:
        self.figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        self.axes: Axes = self.figure.subplots()
        self.figure.suptitle(title, x=0.016, ha="left", fontsize=11, fontweight="bold")
        self.png = b""

    def grid(self, axis: Any) -> None:
        """Lines behind what is counted, whose numbers are short: 40 k, 1.2 M."""
        self.axes.grid(axis=axis)
        ticks = self.axes.yaxis if axis == "y" else self.axes.xaxis
        ticks.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
        ticks.set_major_formatter(EngFormatter(sep=" "))

    def finish(self) -> None:
        """Turn what was drawn into the image."""
        drawn: Any = FigureCanvasAgg(self.figure)  # its methods have no types
        drawn.draw()
        out, image = io.BytesIO(), Image.fromarray(np.asarray(drawn.buffer_rgba())[..., :3])
        image.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        self.png = out.getvalue()


@contextmanager
def canvas(title: str, height: float, width: float = WIDTH) -> Iterator[Canvas]:
    """Something to draw on, of this size in inches; its `png` is there at the end."""
    with _ONE_AT_A_TIME, matplotlib.rc_context(_STYLE):
        made = Canvas(title, (width, height))
        yield made
        made.finish()
