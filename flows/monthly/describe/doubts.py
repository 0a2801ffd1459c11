"""Finds numbers that may mean something else: days of a spreadsheet, dates, or no value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np

from monthly.convert.readings import Mark
from monthly.describe.addresses import YearMonth
from monthly.describe.numbers import Range
from monthly.describe.values import Values

_Full = Sequence[tuple[Values, YearMonth | None]]
#: The day that spreadsheets count from.
_FIRST_DAY = dt.date(1899, 12, 30)
#: Plausible days: 1954 to 2064.
_DAYS = (20_000, 60_000)
#: Seconds since 1970, from 2001 to 2030.
_SECONDS = (1e9, 1.9e9)
#: Numbers that publishers write where there is no value.
_NO_VALUE = frozenset((-99.9, -999, -999.9, -999.99, -9_999, -9_999.9, -99_999))


def doubts_of(full: _Full, mark: Mark) -> tuple[str, ...]:
    """Return comments on what the numbers of a column may mean instead.

    Args:
        full: the values in each file that has some, and the month of that file.
        mark: the decimal mark of the files.
    """
    return (*_days(full, mark), *_instants(full), *_dates(full), *_no_value(full, mark))


def _days(full: _Full, mark: Mark) -> Iterator[str]:
    """Yield a comment if the numbers may be days as a spreadsheet stores them."""
    ranges = [(values.numbers.range[mark], month) for values, month in full]
    if not all(_DAYS[0] <= r.low <= r.high <= _DAYS[1] for r, _ in ranges):
        return
    inside = all(month and _is_in(r, month) for r, month in ranges)
    if not inside and not all(values.says_time for values, _ in full):
        return
    low, high = min(r.low for r, _ in ranges), max(r.high for r, _ in ranges)
    yield (
        f"If these are days as a spreadsheet stores them, {low:.15g} is {_day(low)} and "
        f"{high:.15g} {_day(high)}{', the month of the file' if inside else ''}. No format reads "
        "them: save the file with its dates written out."
    )


def _is_in(found: Range, month: YearMonth) -> bool:
    days = (_day(found.low), _day(found.high))
    return all((day.year, day.month) == month for day in days)


def _day(number: float) -> dt.date:
    return _FIRST_DAY + dt.timedelta(days=int(number))


def _instants(full: _Full) -> Iterator[str]:
    """Yield a comment if the numbers may be seconds or milliseconds since 1970."""
    ranges = [values.numbers.range["point"] for values, _ in full]
    has_points = any(values.numbers.point for values, _ in full)
    is_named = any(values.says_time for values, _ in full)
    if has_points and is_named and all(_are_seconds(found) for found in ranges):
        yield _instant("seconds", "%s.%f")
    for what, a_second, written in (("seconds", 1, "%s"), ("milliseconds", 1_000, "%s%f")):
        months = zip(ranges, (month for _, month in full))
        if not has_points and all(month and _is_of(r, month, a_second) for r, month in months):
            yield _instant(what, written)


def _are_seconds(found: Range) -> bool:
    return _SECONDS[0] <= found.low <= found.high <= _SECONDS[1]


def _is_of(found: Range, month: YearMonth, a_second: int) -> bool:
    """Return whether all instants are in a month of UTC, or within a day of it."""
    first = np.datetime64(f"{month[0]:04}-{month[1]:02}", "M")
    month_after, a_day = first + np.timedelta64(1, "M"), np.timedelta64(1, "D")
    ends = (first.astype("datetime64[D]") - a_day, month_after.astype("datetime64[D]") + a_day)
    low, high = (int(end.astype("datetime64[s]").astype(np.int64)) * a_second for end in ends)
    return low <= found.low <= found.high < high


def _instant(what: str, written: str) -> str:
    return (
        f'If these are {what} since 1970, write type = "timestamp" and formats = ["{written}"]; '
        "the times are UTC, so declare time_zone, too."
    )


def _dates(full: _Full) -> Iterator[str]:
    """Yield a comment if the numbers are valid days or months, but the name does not say so."""
    readings = [values.compact for values, _ in full]
    formats = {reading.format for reading in readings}
    if len(formats) != 1 or any(v.compact.good != v.numbers.count for v, _ in full):
        return
    low = min(reading.low for reading in readings if reading.low is not None)
    high = max(reading.high for reading in readings if reading.high is not None)
    first, last = (np.datetime64(time, "us").astype("datetime64[D]") for time in (low, high))
    yield (
        f'All may be dates from {first} to {last}: if they are, write type = "date" and '
        f'formats = ["{formats.pop()}"].'
    )


def _no_value(full: _Full, mark: Mark) -> Iterator[str]:
    """Yield a comment if the lowest number, such as -999, may mean no value."""
    low = min(values.numbers.range[mark].low for values, _ in full)
    if low in _NO_VALUE:
        yield (
            f"If {low:.15g} means no value, name it as the file writes it in [text] nulls, which "
            "applies to every column."
        )
