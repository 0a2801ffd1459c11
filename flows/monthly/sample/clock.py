"""The times of a generated month, and how a declared format writes them.

Times are in microseconds since 1970, in the dataset's local time. Hours that are repeated or
skipped when the clocks change are left out, because a time in them could not be read.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from monthly.columns import Column
from monthly.convert.arrays import strings
from monthly.convert.time_formats import halves_of
from monthly.convert.zones import local_clock, utc_instants
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.sample.draw import Ints, as_arrow

_SECOND = 1_000_000
_HOUR, _DAY = 3_600 * _SECOND, 86_400 * _SECOND
_HALF = _HOUR // 2
#: Formats of times without a declared one.
ISO, ISO_DAY = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"
_TWELVE = "%Y-%m-%d %I:%M:%S %p"
#: Units of directives, in microseconds, finest first; a month has none.
_UNITS = (("f", 1_000), ("Ss", _SECOND), ("M", 60 * _SECOND), ("HI", _HOUR), ("d", _DAY))
_PIECE = re.compile(r"%(.)|[^%]+")
#: From 1970-01-01 on.
_DAYS = "Thursday Friday Saturday Sunday Monday Tuesday Wednesday"
_MONTHS = "January February March April May June July August September October November December"


class Clock:
    """The clock of a month: maps seconds of readable hours since its start to times."""

    def __init__(self, month: Month) -> None:
        dataset = DATASETS[month.dataset]
        self._month, self._zone = month, dataset.zone
        self._is_end = dataset.declared.interval == "end"
        self._zones = sorted({c.zone for c in dataset.columns if c.zone})

    @property
    def seconds(self) -> int:
        """Return the number of seconds in the month's readable hours."""
        return int((self._hours < _micros(self._month.next.first_day)).sum()) * 3_600

    def at(self, seconds: Ints, column: Column, of_row: bool) -> Ints:
        """Return times, truncated to the unit of a column.

        Args:
            seconds: readable seconds since the start of the month, up to a day past its end.
            column: the column of the times.
            of_row: whether it is the dataset's time, which may end an interval.
        """
        last = len(self._hours) - 1
        clock: Ints = self._hours[np.minimum(seconds // 3_600, last)] + seconds % 3_600 * _SECOND
        unit = unit_of(column)
        if unit is None:
            first = self._month.next if of_row and self._is_end else self._month
            return np.full_like(seconds, _micros(first.first_day))
        return clock // unit * unit + (unit if of_row and self._is_end else 0)

    def texts(self, clock: Ints, column: Column) -> pa.Array:
        """Return times as text: in UTC if the format has a zone, else in the column's zone."""
        format_, zone = format_of(column), column.zone
        if re.search("%[zZs]", format_.replace("%%", "")):
            zone = "UTC"
        if zone and self._zone:
            clock = _in_zone(utc_instants(clock, self._zone), zone)
        halves = halves_of(format_)
        if len(halves) == 1:
            return written(clock, format_)
        step = unit_of(column) or 0
        start = clock - step if column.side == "end" else clock
        both = written(start, halves[0]), written(start + step, halves[1])
        return pc.binary_join_element_wise(*both, "")

    @cached_property
    def _hours(self) -> Ints:
        """Return the start of each readable hour of the month and of the day after it."""
        first, last = self._month.first_day, self._month.next.first_day + dt.timedelta(days=1)
        hours: Ints = np.arange(_micros(first), _micros(last), _HOUR, dtype=np.int64)
        if not self._zone:
            return hours
        clear = np.ones(len(hours), bool)
        for moment in (hours, hours + _HALF, hours + _HOUR):
            clear &= self._is_clear(moment)
        readable: Ints = hours[clear]
        return readable

    def _is_clear(self, clock: Ints) -> npt.NDArray[np.bool_]:
        """Flag the times that occur exactly once in the dataset's zone and its columns' zones."""
        instants, clear = _instants(clock, self._zone)
        for zone in self._zones:
            clear &= _instants(_in_zone(instants, zone), zone)[1]
        return clear


def format_of(column: Column) -> str:
    """Return the format of a column's times."""
    if column.formats:
        return column.formats[0]
    if len(column.joined) > 2:
        return _TWELVE
    return ISO_DAY if column.kind == "date" and not column.joined else ISO


def unit_of(column: Column) -> int | None:
    """Return the finest unit of a column's times, in microseconds; None for months."""
    there = {match[1] for match in _PIECE.finditer(format_of(column)) if match[1]}
    unit = next((unit for letters, unit in _UNITS if there & {*letters}), None)
    return max(unit, _DAY) if unit and column.kind == "date" else unit


def written(clock: Ints, format_: str) -> pa.Array:
    """Return times as text, like `strftime`, but for a whole column at once."""
    pieces = [
        _directive(match[1], clock) if match[1] else match[0] for match in _PIECE.finditer(format_)
    ]
    return pc.binary_join_element_wise(strings([""] * len(clock)), *pieces, "")


def _directive(letter: str, clock: Ints) -> pa.Array | str:
    """Return the texts of a directive; a zone is always UTC."""
    if letter in "zZ%":
        return {"z": "+00:00", "Z": "UTC", "%": "%"}[letter]
    if letter == "s":
        return as_arrow(clock // _SECOND).cast(pa.string())
    days, rest = np.divmod(clock, _DAY)
    if letter in "HIpMSf":
        return _of_clock(letter, rest)
    if letter in "aA":
        days_of_week = _DAYS.split()
        return _table([d[:3] for d in days_of_week] if letter == "a" else days_of_week, days % 7)
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    number = months.astype(np.int64)
    if letter == "q":
        return _table(["1", "2", "3", "4"], number % 12 // 3)
    if letter in "mbB":
        names = _MONTHS.split()
        texts = {"m": [f"{n:02}" for n in range(1, 13)], "b": [n[:3] for n in names], "B": names}
        return _table(texts[letter], number % 12)
    if letter == "d":
        first = months.astype("datetime64[D]").astype(np.int64)
        return _table(_TWO_DIGITS, days - first + 1)
    years = number // 12 + 1970
    known, places = np.unique(years, return_inverse=True)
    digits = 2 if letter == "y" else 4
    return _table([f"{year:04}"[-digits:] for year in known.tolist()], places)


def _of_clock(letter: str, rest: Ints) -> pa.Array:
    """Return a part of a time of day, which is given in microseconds since midnight."""
    hour = rest // _HOUR
    if letter == "p":
        return _table(["AM", "PM"], hour // 12)
    if letter == "f":
        return _table([f"{n:03}000" for n in range(1_000)], rest % _SECOND // 1_000)
    parts = {"H": hour, "I": (hour + 11) % 12 + 1}
    parts |= {"M": rest // (60 * _SECOND) % 60, "S": rest // _SECOND % 60}
    return _table(_TWO_DIGITS, parts[letter])


def _table(texts: Iterable[str], places: Ints) -> pa.Array:
    return strings([*texts]).take(as_arrow(places))


_TWO_DIGITS = [f"{n:02}" for n in range(100)]


def _micros(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * _DAY


def _in_zone(instants: Ints, zone: str) -> Ints:
    if zone[0] in "+-":
        return 2 * instants - utc_instants(instants, zone)
    return local_clock(instants, zone)


def _instants(clock: Ints, zone: str) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return the instants of a zone's local times, and whether each time is unambiguous."""
    if zone[0] in "+-":
        return utc_instants(clock, zone), np.ones(len(clock), bool)
    times = as_arrow(clock).view(pa.timestamp("us"))
    first, last = (
        pc.assume_timezone(times, zone, ambiguous=end, nonexistent=end).view(pa.int64()).to_numpy()
        for end in ("earliest", "latest")
    )
    return first, first == last
