"""The pictures of a month: by time, by amount and by place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LogNorm
from matplotlib.ticker import EngFormatter, MaxNLocator

from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.markdown import brief
from monthly.report.amounts import Amounts
from monthly.report.calendars import pictures_by_time
from monthly.report.canvas import BLUE, FAINT, INK, SHADES, canvas, drawable
from monthly.report.counts import Counts
from monthly.report.drawing import Picture
from monthly.report.places import Cells, Places
from monthly.report.wording import Wording, plural, title

Grid = npt.NDArray[np.float64]

#: Longer place names would leave no room for their bars.
_LONGEST = 40


def pictures(counts: Counts, names: Mapping[int, str]) -> Iterator[Picture]:
    """Yield the pictures for which the month has data.

    Args:
        counts: counts of the month.
        names: names of numbered places; an unnamed place is shown by its number.
    """
    dataset = DATASETS[counts.month.dataset]
    wording = Wording.of(dataset)
    yield from pictures_by_time(counts)
    if counts.amounts:
        yield _amounts(counts.amounts, wording, f"{counts.month}")
    if counts.places:
        yield _places(counts.places, names, dataset, f"{counts.month}")
    if counts.cells:
        yield _map(counts.cells, dataset, f"{counts.month}")


def _amounts(amounts: Amounts, wording: Wording, month: str) -> Picture:
    heading = f"{title(plural(wording.amount))}, {month}"
    median = wording.money(amounts.median, amounts.whole)
    places = np.arange(len(amounts.bars)) + amounts.first + 0.5
    with canvas(heading, 2.8) as drawn:
        axes = drawn.axes
        axes.bar(places * amounts.width, amounts.bars, 0.9 * amounts.width, color=BLUE)
        axes.set_xlim(amounts.low, amounts.high)
        if amounts.low <= amounts.median <= amounts.high:
            axes.axvline(amounts.median, color=INK, linestyle=(0, (4, 3)), linewidth=1)
            is_right = amounts.median > (amounts.low + amounts.high) / 2
            axes.annotate(
                drawable(f"median {median}"),
                (amounts.median, 1),
                (-6 if is_right else 6, -2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="top",
                ha="right" if is_right else "left",
            )
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        drawn.label(wording.amount_label, wording.rows)
        drawn.grid("y")
    amount = wording.amount if amounts.rows == 1 else plural(wording.amount)
    about = f"Half of {amounts.rows:,} {amount} are {median} or less."
    return Picture(heading, about, drawn.png, _not_shown(amounts, wording))


def _not_shown(amounts: Amounts, wording: Wording) -> str:
    parts = [
        f"{count:,} of {text}"
        for count, text in (
            (amounts.above, f"{wording.money(amounts.high, amounts.width >= 1)} or more"),
            (amounts.below, f"less than {wording.money(amounts.low, amounts.width >= 1)}"),
        )
        if count
    ]
    return f"Not shown: {', '.join(parts)}." if parts else ""


def _places(places: Places, names: Mapping[int, str], dataset: Dataset, month: str) -> Picture:
    wording = Wording.of(dataset)
    labels = [_label(place, names, wording.place) for place, _ in places.most]
    rows = [count for _, count in places.most]
    of_what = f"{wording.time} {plural(wording.place)}".strip()
    heading = f"Busiest {of_what}, {month}"
    with canvas(heading, 1 + 0.25 * len(rows)) as drawn:
        axes = drawn.axes
        bars = axes.barh(range(len(rows)), rows, 0.72, color=BLUE)
        shares = [f"{count / places.rows:.1%}" for count in rows]
        axes.bar_label(bars, shares, padding=4, color=FAINT)
        axes.set_yticks(range(len(rows)), [drawable(label) for label in labels])
        axes.invert_yaxis()
        drawn.label(x=f"{wording.rows}, and their share of all")
        axes.margins(x=0.08)
        drawn.grid("x")
    about = f"First is {labels[0]}, with {rows[0]:,} of {places.rows:,} {wording.rows}."
    return Picture(heading, about, drawn.png, _how_to_name(dataset, names))


def _label(place: int | str, names: Mapping[int, str], word: str) -> str:
    if isinstance(place, int):
        return brief(names.get(place, f"{word} {place}"), _LONGEST)
    return brief(place, _LONGEST) or "(empty)"


def _how_to_name(dataset: Dataset, names: Mapping[int, str]) -> str:
    """Return a hint on how to add the declared table of place names; empty if not needed."""
    key = dataset.declared.place_names
    if names or not key:
        return ""
    places = plural(Wording.of(dataset).place)
    return f"A table of {places}, put into the bucket as {key}, gives them names."


def _map(cells: Cells, dataset: Dataset, month: str) -> Picture:
    wording, extent = Wording.of(dataset), cells.extent
    heading = f"Where {wording.rows} {'begin' if dataset.roles.end else 'are'}, {month}"
    tall = (extent.north - extent.south) / max(_shrunk(extent.east - extent.west, cells), 1e-9)
    height = max(2.6, min(6.0, 1.2 + 4.4 * tall))
    with canvas(heading, height, 6) as drawn:
        axes = drawn.axes
        shades = axes.imshow(
            _grid(cells),
            cmap=SHADES,
            norm=LogNorm(vmin=1, vmax=max(2, *cells.counts.values())),
            origin="lower",
            extent=_frame(cells),
            aspect=1 / _shrunk(1, cells),
        )
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axis.set_major_formatter("{x:.6g}")
        drawn.label("longitude, degrees", "latitude, degrees")
        label = f"{wording.rows} in a cell of {cells.side:g}°"
        drawn.color_bar(shades, label, format="{x:,.0f}")
    inside = sum(cells.counts.values())
    about = f"{inside:,} of {cells.rows:,} {wording.rows} with coordinates are on the map."
    return Picture(heading, about, drawn.png)


def _shrunk(degrees: float, cells: Cells) -> float:
    """Convert degrees of longitude to degrees of latitude of the same length."""
    middle = np.radians((cells.extent.south + cells.extent.north) / 2)
    return float(degrees * max(np.cos(middle), 0.01))


def _size(cells: Cells) -> tuple[int, int]:
    """Return the number of columns and rows of the map."""
    extent, side = cells.extent, cells.side
    wide, tall = (extent.east - extent.west) / side, (extent.north - extent.south) / side
    return int(np.ceil(wide - 1e-6)), int(np.ceil(tall - 1e-6))


def _frame(cells: Cells) -> tuple[float, float, float, float]:
    """Return west, east, south and north of the map, extended to whole cells."""
    (columns, rows), west, south = _size(cells), cells.extent.west, cells.extent.south
    return west, west + columns * cells.side, south, south + rows * cells.side


def _grid(cells: Cells) -> Grid:
    """Return the counts by row and column of the map; NaN for an empty cell."""
    columns, rows = _size(cells)
    grid = np.full((rows, columns), np.nan)
    for (column, row), count in cells.counts.items():
        grid[min(row, rows - 1), min(column, columns - 1)] = count
    return grid
