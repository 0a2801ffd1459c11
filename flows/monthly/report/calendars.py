"""The pictures of a month by time: its days and its mean week."""

from __future__ import annotations

import calendar
import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.report.canvas import BLUE, LIGHT, PAPER, SHADES, Canvas, canvas
from monthly.report.counts import Counts, Level
from monthly.report.drawing import Picture
from monthly.report.wording import Wording, title

Grid = npt.NDArray[np.float64]

_WEEK = list(calendar.day_abbr)


def pictures_by_time(counts: Counts) -> Iterator[Picture]:
    """Yield pictures by day and by hour of the week: of rows or, for a time series, amounts."""
    wording = Wording.of(DATASETS[counts.month.dataset])
    if counts.levels:
        yield _amounts_by_day(counts, counts.levels, wording)
        if counts.has_hours:
            yield _amounts_of_week(counts, counts.levels, wording)
    elif counts.hours:
        yield _rows_by_day(counts, wording)
        if counts.has_hours and counts.levels is None:
            yield _rows_of_week(counts, wording)


def days_of(month: Month) -> list[dt.date]:
    """Return the days of a month."""
    last = calendar.monthrange(month.year, month.month)[1]
    return [dt.date(month.year, month.month, n + 1) for n in range(last)]


def rows_by_day(counts: Counts) -> dict[dt.date, int]:
    """Return the rows of each day of the month, including days without rows."""
    days = dict.fromkeys(days_of(counts.month), 0)
    for (day, _), count in counts.hours.items():
        days[day] += count
    return days


def _rows_by_day(counts: Counts, wording: Wording) -> Picture:
    days = rows_by_day(counts)
    busiest, quietest = max(days, key=days.__getitem__), min(days, key=days.__getitem__)
    heading = f"{title(wording.rows)} a day, {counts.month}"
    with canvas(heading, 2.9) as drawn:
        axes = drawn.axes
        for weekend, color, label in ((False, BLUE, "weekday"), (True, LIGHT, "weekend")):
            shown = [day for day in days if (day.weekday() >= 5) is weekend]
            heights = [days[day] for day in shown]
            axes.bar([day.day for day in shown], heights, 0.78, color=color, label=label)
        drawn.label(y=wording.rows)
        _mark_days(drawn, list(days))
        drawn.grid("y")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    most, fewest = (f"{days[day]:,} on {_day(day)}" for day in (busiest, quietest))
    about = f"Most {wording.rows}: {most}; fewest: {fewest}."
    if days[busiest] == days[quietest]:
        about = f"{wording.counted(days[busiest])} on each day."
    return Picture(heading, about, drawn.png)


def _rows_of_week(counts: Counts, wording: Wording) -> Picture:
    week = _mean_week(counts)
    day, hour = divmod(int(week.argmax()), 24)
    most = f"{week.max():,.0f}" if week.max() >= 10 else f"{week.max():.2g}"
    heading = f"Hours of the week, {counts.month}"
    with canvas(heading, 2.8) as drawn:
        shades = drawn.axes.imshow(week, cmap=SHADES, aspect="auto", vmin=0)
        _mark_week(drawn, wording)
        drawn.color_bar(shades, f"{wording.rows} an hour, mean")
    about = (
        f"Busiest: {calendar.day_name[day]} from {hour}:00 to {hour + 1}:00, "
        f"with {most} {wording.rows} on average."
    )
    return Picture(heading, about, drawn.png)


def _mean_week(counts: Counts) -> Grid:
    """Return the mean number of rows by weekday and hour."""
    week = np.zeros((7, 24))
    for (day, hour), count in counts.hours.items():
        week[day.weekday(), hour] += count
    often = Counter(day.weekday() for day in days_of(counts.month))
    days: Grid = np.array([[float(often[weekday])] for weekday in range(7)])
    mean: Grid = week / days
    return mean


def _amounts_by_day(
    counts: Counts, levels: Mapping[tuple[dt.date, int], Level], wording: Wording
) -> Picture:
    days = {
        day: _level([levels[key] for key in levels if key[0] == day])
        for day in days_of(counts.month)
    }
    heading = f"{title(wording.amount)} by day, {counts.month}"
    with canvas(heading, 2.9) as drawn:
        axes, numbers = drawn.axes, [day.day for day in days]
        lows, highs = ([getattr(days[day], end) for day in days] for end in ("low", "high"))
        axes.fill_between(numbers, lows, highs, color=LIGHT, alpha=0.5, lw=0, label="range")
        means = [level.total / level.rows if level.rows else np.nan for level in days.values()]
        axes.plot(numbers, means, color=BLUE, marker="o", markersize=3, label="mean")
        drawn.label(y=wording.amount_label)
        _mark_days(drawn, list(days))
        drawn.grid("y", counts=False)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    return Picture(heading, _ends(days, wording), drawn.png)


def _ends(days: Mapping[dt.date, Level], wording: Wording) -> str:
    """Return the mean of all amounts and the days with the highest and lowest one."""
    known = {day: level for day, level in days.items() if level.rows}
    total, rows = (sum(getattr(v, of) for v in known.values()) for of in ("total", "rows"))
    top, bottom = max(known, key=lambda d: known[d].high), min(known, key=lambda d: known[d].low)
    return (
        f"Mean: {wording.money(total / rows)}; "
        f"highest: {wording.money(known[top].high)} on {_day(top)}; "
        f"lowest: {wording.money(known[bottom].low)} on {_day(bottom)}."
    )


def _amounts_of_week(
    counts: Counts, levels: Mapping[tuple[dt.date, int], Level], wording: Wording
) -> Picture:
    week = np.full((7, 24), np.nan)
    for day in range(7):
        for hour in range(24):
            level = _level([v for (d, h), v in levels.items() if (d.weekday(), h) == (day, hour)])
            week[day, hour] = level.total / level.rows if level.rows else np.nan
    day, hour = divmod(int(np.nanargmax(week)), 24)
    heading = f"{title(wording.amount)} in the hours of the week, {counts.month}"
    with canvas(heading, 2.8) as drawn:
        shades = drawn.axes.imshow(week, cmap=SHADES, aspect="auto")
        _mark_week(drawn, wording)
        drawn.color_bar(shades, f"{wording.amount_label}, mean")
    about = (
        f"Highest: {calendar.day_name[day]} from {hour}:00 to {hour + 1}:00, "
        f"with {wording.money(float(np.nanmax(week)))} on average."
    )
    return Picture(heading, about, drawn.png)


def _level(levels: list[Level]) -> Level:
    """Combine the amounts of several hours; the extremes of none are NaN."""
    if not levels:
        return Level(0, 0.0, np.nan, np.nan)
    return Level(
        sum(level.rows for level in levels),
        sum(level.total for level in levels),
        min(level.low for level in levels),
        max(level.high for level in levels),
    )


def _mark_days(drawn: Canvas, days: list[dt.date]) -> None:
    mondays = [day for day in days if day.day % 7 == 1]
    drawn.axes.set_xticks([day.day for day in mondays])
    drawn.axes.set_xticklabels([f"{_WEEK[day.weekday()]} {day.day}" for day in mondays])
    drawn.axes.margins(x=0.01)


def _mark_week(drawn: Canvas, wording: Wording) -> None:
    axes = drawn.axes
    axes.set_yticks(range(7), _WEEK)
    axes.set_xticks(np.arange(0, 25, 3) - 0.5, [f"{hour}:00" for hour in range(0, 25, 3)])
    drawn.label(x=f"time of {wording.time}" if wording.time else "time of day")
    axes.spines[:].set_visible(False)
    # Not a grid of minor ticks: each tick has a label and takes a millisecond, drawn or not.
    axes.vlines(np.arange(25) - 0.5, -0.5, 6.5, color=PAPER, linewidth=1)
    axes.hlines(np.arange(8) - 0.5, -0.5, 23.5, color=PAPER, linewidth=1)


def _day(day: dt.date) -> str:
    return f"{calendar.day_name[day.weekday()]} {day.day}"
