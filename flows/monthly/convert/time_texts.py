"""Times written as text: ISO, American, European, named months, offsets; dates must exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monthly.convert.arrays import strings
from monthly.convert.month_names import NAME, NUMBER_OF
from monthly.convert.patterns import Flags, flags_of, matching, parts_of
from monthly.convert.readings import Order, Utc
from monthly.convert.time_formats import Side, patterns_of
from monthly.convert.zones import Ints, ints_of, local_clock, utc_instants

_SECOND = 1_000_000
_CLOCK = (
    r"(?:(?:[ T]|, ?) *(?P<H>\d{1,2})(?::(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?)?"
    r"(?: ?(?P<p>[AaPp])\.?[Mm]\.?)?(?: ?(?P<z>[Zz]|UTC|GMT|E[SD]T|CES?T"
    r"|[+-]\d{2}(?::?\d{2})?))?)?$"
)
_NAME = rf"(?P<n>{NAME})\.?"
#: The first is ISO. Groups a and c, of one or two digits, need an order of day, month, year.
_DATES = (
    r"^(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})",
    r"^(?P<a>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<c>\d{4}|\d{2})",
    rf"^(?P<y>\d{{4}})[- ]{_NAME}[- ](?P<d>\d{{1,2}})",
    rf"^(?P<d>\d{{1,2}})[- ]{_NAME},?[- ](?P<y>\d{{4}})",
    rf"^{_NAME}[- ](?P<d>\d{{1,2}}),?[- ](?P<y>\d{{4}})",
    rf"^(?P<a>\d{{1,2}})[- ]{_NAME}[- ](?P<c>\d{{2}})",
    r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
)
_TIMES = tuple(f"{date}{_CLOCK}" for date in _DATES)
_PLAIN = r"^\d{4}-\d\d-\d\d([ T]\d\d(:\d\d(:\d\d(\.\d{1,6})?)?)?)?$"
_UTC_MARKS = ("Z", "z", "UTC", "GMT", "+00", "+0000", "+00:00", "-00", "-0000", "-00:00")
#: Minutes east of UTC, of zones whose names mean one offset.
_NAMED = {
    **{"EST": -300, "EDT": -240, "PST": -480, "PDT": -420},
    **{"WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180},
}


@dataclass(frozen=True)
class Times:
    """Texts read as times under one order of day, month and year.

    Attributes:
        clock: microseconds since 1970 of the clock as written, whatever the zone.
        valid: flags of the texts that are times.
        utc: flags of the times marked as UTC.
        offset: minutes east of UTC if the text has another offset, else 0.
        shifted: flags of the times with such an offset.
        by_order: flags of the texts that another order would read differently, or not at all.
    """

    clock: Ints
    valid: Flags
    utc: Flags
    offset: Ints
    shifted: Flags
    by_order: Flags

    @property
    def marked(self) -> Flags:
        """Return flags of the times that name a zone, UTC or another."""
        return self.valid & (self.utc | self.shifted)

    def local(self, utc: Utc | None, zone: str, written_in: str = "") -> Ints:
        """Return the local time of a zone, in microseconds since 1970.

        Args:
            utc: the meaning of times marked as UTC.
            zone: the zone to return the time of.
            written_in: the zone or offset of times that name none; empty for `zone`.

        Raises:
            ValueError: a time occurs twice in `written_in`, or does not exist there.
        """
        found = self.clock.copy()
        moved = self.shifted | (self.utc if utc == "utc" else np.zeros_like(self.utc))
        moved &= self.valid
        if moved.any():
            instants = self.clock[moved] - self.offset[moved] * (60 * _SECOND)
            found[moved] = local_clock(instants, zone)
        if written_in:
            bare = self.valid & ~self.marked
            found[bare] = local_clock(utc_instants(self.clock[bare], written_in), zone)
        return found


def is_plain(texts: pa.Array) -> Flags:
    """Flag the non-null texts that are ISO times, zoneless and to the microsecond at most."""
    return matching(texts, _PLAIN)


def read_times(texts: pa.Array, order: Order, near_year: int) -> Times:
    """Read trimmed, non-null texts under an order of day, month and year.

    Args:
        texts: strings.
        order: the order of all-digit dates that do not begin with a four-digit year.
        near_year: two-digit years are read as the nearest to this year.
    """
    return _read(_split(texts), len(texts), order, near_year)


def read_under_each(texts: pa.Array, near_year: int) -> dict[Order, Times]:
    """Read texts under each order; see `read_times`."""
    split = _split(texts)
    return {order: _read(split, len(texts), order, near_year) for order in ORDERS}


def read_formatted(
    texts: pa.Array, formats: Sequence[str], near_year: int, side: Side = "start"
) -> Times:
    """Read trimmed, non-null texts under declared formats; the first that fits a text counts."""
    split = _split(texts, [each for text in formats for each in patterns_of(text, side)])
    return _read(split, len(texts), "month-first", near_year)


def _split(texts: pa.Array, patterns: Sequence[str] = _TIMES) -> list[tuple[Ints, _Groups]]:
    """Return, by pattern, the positions of the matching texts and their groups."""
    left: Ints = np.arange(len(texts))
    found = []
    for pattern in patterns:
        if not len(left):
            break
        rest = texts if len(left) == len(texts) else texts.take(pa.array(left))
        here, parts = parts_of(rest, pattern)
        if here.any():
            found.append((left[here], _Groups(parts, int(here.sum()))))
            left = left[~here]
    return found


def _read(split: Sequence[tuple[Ints, _Groups]], size: int, order: Order, near_year: int) -> Times:
    clock, offset = np.zeros(size, np.int64), np.zeros(size, np.int64)
    valid, utc, shifted, by_order = (np.zeros(size, bool) for _ in range(4))
    for at, groups in split:
        micros, good, ordered = groups.read(order, near_year)
        clock[at], valid[at], by_order[at] = micros, good, ordered
        utc[at], shifted[at], offset[at] = groups.zone()
    return Times(clock, valid, utc & valid, offset, shifted & valid, by_order)


class _Groups:
    """The named groups of the texts that match a pattern."""

    def __init__(self, parts: Mapping[str, pa.Array], size: int) -> None:
        self._parts, self._size = parts, size

    def read(self, order: Order, near_year: int) -> tuple[Ints, Flags, Flags]:
        """Return microseconds, flags of valid times, and flags of those that need the order."""
        if "s" in self._parts:
            fraction, is_kept = self._fraction()
            clock = self._int("s") * _SECOND + fraction
            return clock, is_kept, np.zeros(self._size, bool)
        year, month, day, good, ordered = self._date(order, near_year)
        days, is_date = _days(year, month, day)
        clock, is_clock = self._clock()
        return days * (86_400 * _SECOND) + clock, good & is_date & is_clock, ordered

    def zone(self) -> tuple[Flags, Flags, Ints]:
        """Return flags of UTC marks, flags of other offsets, and those offsets in minutes."""
        if "s" in self._parts:  # seconds since 1970, whose zone is UTC
            everywhere = np.ones(self._size, bool)
            return everywhere, ~everywhere, np.zeros(self._size, np.int64)
        marks = self._text("z").dictionary_encode()
        names = marks.dictionary.to_pylist()
        is_utc = np.array([name in _UTC_MARKS for name in names], bool)
        minutes = np.array([_minutes(name) for name in names], np.int64)
        other = np.array([bool(name) and name not in _UTC_MARKS for name in names], bool)
        at = ints_of(marks.indices.cast(pa.int64()))
        return is_utc[at], other[at], minutes[at]

    def _date(self, order: Order, near_year: int) -> tuple[Ints, Ints, Ints, Flags, Flags]:
        everywhere, nowhere = np.ones(self._size, bool), np.zeros(self._size, bool)
        month = self._month()
        if "y" in self._parts:
            day = self._int("d") if "d" in self._parts else np.ones(self._size, np.int64)
            return self._year(near_year), month, day, everywhere, nowhere
        first, last = self._int("a"), self._int("c")
        long_year = flags_of(pc.equal(pc.utf8_length(self._parts["c"]), 4))
        named = "n" in self._parts
        if order == "year-first":
            return _century(first, near_year), month, last, ~long_year, ~nowhere
        year = np.where(long_year, last, _century(last, near_year))
        if order == "month-first" and not named:
            return year, first, month, everywhere, ~nowhere
        return year, month, first, everywhere, ~(nowhere | (long_year & named))

    def _month(self) -> Ints:
        if "m" in self._parts:
            return self._int("m")
        if "q" in self._parts:  # the first month of a quarter
            return self._int("q") * 3 - 2
        names = pc.utf8_lower(self._parts["n"]).dictionary_encode()
        numbers = [NUMBER_OF.get(name, 0) for name in names.dictionary.to_pylist()]
        return np.array(numbers, np.int64)[ints_of(names.indices.cast(pa.int64()))]

    def _clock(self) -> tuple[Ints, Flags]:
        hour, minute, second = self._int("H"), self._int("M"), self._int("S")
        half = self._text("p")
        twelve = flags_of(pc.not_equal(half, ""))
        after_noon = flags_of(pc.is_in(half, pa.array(["p", "P"])))
        good = (minute < 60) & (second < 60)
        midnight = (hour == 24) & (minute == 0) & (second == 0)
        good &= np.where(twelve, (hour >= 1) & (hour <= 12), (hour < 24) | midnight)
        hour = np.where(twelve, hour % 12 + 12 * after_noon, hour)
        fraction, is_kept = self._fraction()
        return ((hour * 60 + minute) * 60 + second) * _SECOND + fraction, good & is_kept

    def _fraction(self) -> tuple[Ints, Flags]:
        """Return microseconds, and flags of fractions that are not finer."""
        digits = pc.utf8_rpad(self._text("f"), 9, "0")
        fraction = ints_of(digits.cast(pa.int64()))
        # Refuse precision finer than a microsecond rather than truncate it silently.
        return fraction // 1_000, fraction % 1_000 == 0

    def _year(self, near_year: int) -> Ints:
        """Return the years of the group y, of four digits or, in some formats, of two."""
        year = self._int("y")
        short = flags_of(pc.equal(pc.utf8_length(self._parts["y"]), 2))
        return np.where(short, _century(year, near_year), year) if short.any() else year

    def _text(self, name: str) -> pa.Array:
        """Return a group; empty texts if the pattern does not have it."""
        return self._parts[name] if name in self._parts else strings([""] * self._size)

    def _int(self, name: str) -> Ints:
        texts = self._text(name)
        return ints_of(pc.if_else(pc.equal(texts, ""), "0", texts).cast(pa.int64()))


def _days(year: Ints, month: Ints, day: Ints) -> tuple[Ints, Flags]:
    """Return days since 1970, and flags of valid dates: 30 February is not one."""
    good = (year >= 1) & (month >= 1) & (month <= 12)
    months = (year - 1970) * 12 + np.where(good, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return first + day - 1, good & (day >= 1) & (day <= after - first)


def _century(year: Ints, near_year: int) -> Ints:
    """Expand two-digit years to the century that puts them nearest to a year."""
    return year + 100 * ((near_year - year + 50) // 100)


def _minutes(mark: str) -> int:
    if mark in _UTC_MARKS or not mark:
        return 0
    if mark in _NAMED:
        return _NAMED[mark]
    digits = mark[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return -minutes if mark[0] == "-" else minutes


ORDERS: Mapping[Order, str] = {
    "month-first": "month/day/year",
    "day-first": "day/month/year",
    "year-first": "year/month/day",
}
