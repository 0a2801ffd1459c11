"""The pictures of a month: its days, its week, its fares, and its pickup places."""

from __future__ import annotations

import calendar
import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LogNorm
from matplotlib.ticker import MultipleLocator

from monthly.datasets import DATASETS
from monthly.declaration import Map
from monthly.report.canvas import BLUE, FAINT, INK, LIGHT, PAPER, SHADES, Canvas, Picture, canvas
from monthly.report.counts import CELL, Counts
from monthly.report.zones import ZONES_KEY

Grid = npt.NDArray[np.float64]

_WEEK = list(calendar.day_abbr)
#: As many zones as a reader can compare at a glance.
_ZONES = 12
#: Share of the trips whose fares the picture shows; a few fares of a thousand dollars would
#: squeeze all others together.
_SHOWN_FARES = 0.99


#: Tells readers how to get zone names.
_NUMBERS = f"TLC's table of zones, put into the bucket as `{ZONES_KEY}`, gives them names."


def pictures(counts: Counts, names: Mapping[int, str]) -> Iterator[Picture]:
    """Yield the pictures for which the month has data.

    Args:
        counts: counts of the month.
        names: names of the taxi zones; a zone without a name is shown by its number.
    """
    if counts.hours:
        yield _days(counts)
        yield _week(counts)
    if counts.fares:
        yield _fares(counts)
    if counts.zones:
        yield _zones(counts, names)
    if counts.cells:
        yield _map(counts)


def days_of(counts: Counts) -> dict[dt.date, int]:
    """Return the trips of each day of the month, including days without any."""
    month = counts.month
    last = calendar.monthrange(month.year, month.month)[1]
    days: dict[dt.date, int] = {dt.date(month.year, month.month, n + 1): 0 for n in range(last)}
    for (day, _), count in counts.hours.items():
        days[day] += count
    return days


def _days(counts: Counts) -> Picture:
    days = days_of(counts)
    busiest, quietest = max(days, key=days.__getitem__), min(days, key=days.__getitem__)
    title = f"Trips a day, {counts.month}"
    with canvas(title, 2.9) as drawn:
        axes = drawn.axes
        for weekend, colour, label in ((False, BLUE, "weekday"), (True, LIGHT, "weekend")):
            shown = [day for day in days if (day.weekday() >= 5) is weekend]
            heights = [days[day] for day in shown]
            axes.bar([day.day for day in shown], heights, 0.78, color=colour, label=label)
        axes.set_xticks([day.day for day in days if day.day % 7 == 1])
        axes.set_xticklabels([f"{_WEEK[d.weekday()]} {d.day}" for d in days if d.day % 7 == 1])
        axes.set_ylabel("trips")
        axes.margins(x=0.01)
        drawn.grid("y")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    most, fewest = (
        f"{days[busiest]:,} on {_day(busiest)}",
        f"{days[quietest]:,} on {_day(quietest)}",
    )
    return Picture(title, f"Most trips: {most}; fewest: {fewest}.", drawn.png)


def _week(counts: Counts) -> Picture:
    week = _mean_week(counts)
    day, hour = divmod(int(week.argmax()), 24)
    title = f"Hours of the week, {counts.month}"
    with canvas(title, 2.8) as drawn:
        axes = drawn.axes
        shades = axes.imshow(week, cmap=SHADES, aspect="auto", vmin=0)
        axes.set_yticks(range(7), _WEEK)
        axes.set_xticks(np.arange(0, 25, 3) - 0.5, [f"{hour}:00" for hour in range(0, 25, 3)])
        axes.set_xlabel("time of pickup")
        axes.spines[:].set_visible(False)
        _separate(drawn, 24, 7)
        bar = drawn.figure.colorbar(
            shades, ax=axes, label="trips an hour, mean", pad=0.02, aspect=14
        )
        bar.outline.set_visible(False)
    about = (
        f"Busiest: {calendar.day_name[day]} from {hour}:00 to {hour + 1}:00, "
        f"with {week.max():,.0f} trips on average."
    )
    return Picture(title, about, drawn.png)


def _mean_week(counts: Counts) -> Grid:
    """Return the mean trips per hour by weekday and hour, over the month's days of each weekday."""
    week = np.zeros((7, 24))
    for (day, hour), count in counts.hours.items():
        week[day.weekday(), hour] += count
    often = Counter(day.weekday() for day in days_of(counts))
    days: Grid = np.array([[float(often[weekday])] for weekday in range(7)])
    mean: Grid = week / days
    return mean


def _separate(drawn: Canvas, columns: int, rows: int) -> None:
    drawn.axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    drawn.axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    drawn.axes.grid(which="minor", color=PAPER, linewidth=1)
    drawn.axes.tick_params(which="minor", length=0)


def _fares(counts: Counts) -> Picture:
    paid = {cents: count for cents, count in counts.fares.items() if cents > 0}
    trips, median = sum(paid.values()), quantile(paid, 0.5) / 100
    end = int(np.ceil(quantile(paid, _SHOWN_FARES) / 500) * 5)
    dollars: Counter[int] = Counter()
    for cents, count in paid.items():
        dollars[cents // 100] += count
    title = f"Fares, {counts.month}"
    with canvas(title, 2.8) as drawn:
        axes = drawn.axes
        axes.bar([n + 0.5 for n in range(end)], [dollars[n] for n in range(end)], 0.9, color=BLUE)
        axes.axvline(median, color=INK, linestyle=(0, (4, 3)), linewidth=1)
        axes.annotate(
            f"median ${median:.2f}",
            (median, 1),
            (6, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
        )
        axes.set_xlim(0, end)
        axes.xaxis.set_major_formatter("${x:.0f}")
        axes.set_xlabel("fare without tips, tolls and fees, USD")
        axes.set_ylabel("trips")
        drawn.grid("y")
    beyond = sum(count for cents, count in paid.items() if cents >= end * 100)
    note = (
        f"Not shown: {beyond:,} trips of ${end} or more, {counts.fares.get(0, 0):,} of $0 or less."
    )
    return Picture(title, f"Half of {trips:,} trips cost ${median:.2f} or less.", drawn.png, note)


def quantile(counts: Mapping[int, int], share: float) -> int:
    """Return the smallest value that this share of all does not exceed; 0 if there are none."""
    left = share * sum(counts.values())
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    return 0


def _zones(counts: Counts, names: Mapping[int, str]) -> Picture:
    busiest = sorted(counts.zones, key=lambda zone: (-counts.zones[zone], zone))[:_ZONES]
    labels = [names.get(zone, f"zone {zone}") for zone in busiest]
    trips, of_all = [counts.zones[zone] for zone in busiest], sum(counts.zones.values())
    title = f"Busiest pickup zones, {counts.month}"
    with canvas(title, 1 + 0.25 * len(busiest)) as drawn:
        axes = drawn.axes
        bars = axes.barh(range(len(busiest)), trips, 0.72, color=BLUE)
        axes.bar_label(bars, [f"{count / of_all:.1%}" for count in trips], padding=4, color=FAINT)
        axes.set_yticks(range(len(busiest)), labels)
        axes.invert_yaxis()
        axes.set_xlabel("trips, and their share of all")
        axes.margins(x=0.08)
        drawn.grid("x")
    about = f"First is {labels[0]}, with {trips[0]:,} of {of_all:,} trips."
    return Picture(title, about, drawn.png, "" if names else _NUMBERS)


def _map(counts: Counts) -> Picture:
    title = f"Where trips begin, {counts.month}"
    extent = _extent(counts)
    with canvas(title, 5.2, 6) as drawn:
        axes = drawn.axes
        shades = axes.imshow(
            _grid(counts, extent),
            cmap=SHADES,
            norm=LogNorm(vmin=1),
            origin="lower",
            extent=(extent.west, extent.east, extent.south, extent.north),
            aspect=1 / np.cos(np.radians((extent.south + extent.north) / 2)),
        )
        axes.xaxis.set_major_locator(MultipleLocator(0.1))
        axes.yaxis.set_major_locator(MultipleLocator(0.1))
        axes.set_xlabel("longitude, degrees")
        axes.set_ylabel("latitude, degrees")
        label = f"trips from a cell of {CELL}°"
        bar = drawn.figure.colorbar(shades, ax=axes, label=label, pad=0.02, format="{x:,.0f}")
        bar.outline.set_visible(False)
    inside = sum(counts.cells.values())
    return Picture(title, f"{inside:,} pickups on a map of New York.", drawn.png)


def _extent(counts: Counts) -> Map:
    extent = DATASETS[counts.month.dataset].map
    assert extent is not None  # noqa: S101 - without one, no cells are counted
    return extent


def _grid(counts: Counts, extent: Map) -> Grid:
    """Return the trips by row and column of the map; NaN where none began."""
    rows = round((extent.north - extent.south) / CELL)
    columns = round((extent.east - extent.west) / CELL)
    grid = np.full((rows, columns), np.nan)
    for (column, row), count in counts.cells.items():
        grid[min(row, rows - 1), min(column, columns - 1)] = count
    return grid


def _day(day: dt.date) -> str:
    return f"{calendar.day_name[day.weekday()]} {day.day}"
