"""Profiles the times of a published column: their formats, and how each reads them."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monthly.convert.arrays import strings
from monthly.convert.patterns import Flags, flags_of, matching
from monthly.convert.time_formats import halves_of, pattern_of
from monthly.convert.time_texts import is_plain, read_formatted
from monthly.convert.zones import Ints
from monthly.describe.numbers import taken
from monthly.describe.written_times import clock_of, formats_of

_CLOCK_ALONE = r"^(\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?( ?[AaPp]\.?[Mm]\.?)?|\d{1,2}h\d{2})$"
#: Directives that Arrow does not support or parses differently.
_SLOW = re.compile("%[yfzZbBpsaq]")
#: The most days by which an invalid date can overflow into the next month.
_DAYS_OVER = 3
#: A sample of this many texts suffices to tell the format of times of day.
_SOME = 200
#: Most forms in one column.
_MOST = 6
_MINUTE = 60_000_000  # microseconds


@dataclass
class Reading:
    """The distinct texts of one form, read in one format.

    Attributes:
        format: the format.
        good: how many are valid times.
        months: how many are in each month, counted from year 0.
        low: the first time, as written, in microseconds since 1970.
        high: the last time, likewise.
        offsets: minutes east of UTC, and the first and last instant with each.
    """

    format: str
    good: int = 0
    months: Counter[int] = field(default_factory=Counter)
    low: int | None = None
    high: int | None = None
    offsets: dict[int, list[int]] = field(default_factory=dict)

    def add(self, texts: pa.Array, near_year: int) -> Flags:
        """Add more texts and return which of them are times."""
        if not _SLOW.search(self.format) and len(halves_of(self.format)) == 1:
            return self._add_fast(texts, near_year)
        return self._add_slowly(texts, near_year)

    def _add_fast(self, texts: pa.Array, near_year: int) -> Flags:
        """Add what Arrow parses right: it rejects 24:00 and moves 31 February to March."""
        found = pc.strptime(texts, format=self.format, unit="us", error_is_null=True)
        sure = flags_of(pc.fill_null(pc.greater(pc.day(found), _DAYS_OVER), False))
        clock = found.filter(pa.array(sure)).view(pa.int64())
        self.add_clock(clock.to_numpy(zero_copy_only=False))
        valid = sure.copy()
        if not sure.all():
            valid[~sure] = self._add_slowly(texts.filter(pa.array(~sure)), near_year)
        return valid

    def _add_slowly(self, texts: pa.Array, near_year: int) -> Flags:
        times = read_formatted(texts, [self.format], near_year)
        clock = times.clock[times.valid]
        self.add_clock(clock)
        if times.marked.any():
            self._add_offsets(times.clock[times.marked], times.offset[times.marked])
        return times.valid

    def add_clock(self, clock: Ints) -> None:
        """Add more times, in microseconds since 1970."""
        self.good += len(clock)
        if len(clock):
            self.months.update(months_of(clock))
            low, high = int(clock.min()), int(clock.max())
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)

    def widen(self, other: Reading) -> None:
        """Add the times of another reading."""
        self.good += other.good
        self.months.update(other.months)
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        self.low, self.high = min(lows, default=None), max(highs, default=None)
        for minutes, ends in other.offsets.items():
            both = [*self.offsets.get(minutes, []), *ends]
            self.offsets[minutes] = [min(both), max(both)]

    def _add_offsets(self, clock: Ints, offset: Ints) -> None:
        for minutes in np.unique(offset):
            here = clock[offset == minutes] - minutes * _MINUTE
            known = self.offsets.get(int(minutes), [])
            ends = [*known, int(here.min()), int(here.max())]
            self.offsets[int(minutes)] = [min(ends), max(ends)]


def months_of(clock: Ints) -> Counter[int]:
    """Count times, in microseconds since 1970, by month since year 0."""
    months = clock.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    found, counts = np.unique(months, return_counts=True)
    return Counter({int(m) + 1970 * 12: int(n) for m, n in zip(found, counts)})


@dataclass
class Form:
    """The texts of one form, read in each format that fits it.

    Attributes:
        pattern: the pattern of the texts.
        readings: one for each format.
        count: number of distinct texts.
        is_plain: whether they are ISO times, which need no format.
    """

    pattern: str
    readings: tuple[Reading, ...]
    count: int = 0
    is_plain: bool = False

    def add(self, texts: pa.Array, near_year: int) -> pa.Array:
        """Add more texts and return those that are not times in any format."""
        if self.is_plain:
            with suppress(pa.ArrowInvalid):  # invalid dates are found below
                clock = texts.cast(pa.timestamp("us")).view(pa.int64())
                self.count += len(texts)
                self.readings[0].add_clock(clock.to_numpy(zero_copy_only=False))
                return texts.slice(0, 0)
        valid = np.zeros(len(texts), bool)
        for reading in self.readings:
            valid |= reading.add(texts, near_year)
        self.count += int(valid.sum())
        # A format that fails on some texts is not the one they were written in.
        whole = tuple(reading for reading in self.readings if reading.good == self.count)
        self.readings = whole or self.readings
        return texts.slice(0, 0) if valid.all() else texts.filter(pa.array(~valid))


@dataclass
class TimeTexts:
    """The times of a column.

    Attributes:
        near_year: the year that decides the century of two-digit years.
        forms: the forms in which they are written.
        clocks: number of texts that are only a time of day.
        clock_formats: the formats of those.
    """

    near_year: int
    forms: dict[str, Form] = field(default_factory=dict)
    clocks: int = 0
    clock_formats: set[str] = field(default_factory=set)

    def take(self, texts: pa.Array) -> pa.Array:
        """Count the texts that are times and return the others."""
        if self.clocks or not self.forms:
            texts = taken(texts, _CLOCK_ALONE, self._add_clocks)
        for form in list(self.forms.values()):
            texts = self._taken(texts, form)
        while len(texts) and len(self.forms) < _MOST:
            new = self._new(texts[0].as_py())
            if new is None or new.pattern in self.forms:
                break  # not a time, or an invalid date
            self.forms[new.pattern] = new
            texts = self._taken(texts, new)
        return texts

    def _add_clocks(self, texts: pa.Array) -> None:
        self.clocks += len(texts)
        some = texts.slice(0, _SOME).to_pylist()
        self.clock_formats |= {(clock_of(f" {text}") or "").strip() for text in some}

    def _taken(self, texts: pa.Array, form: Form) -> pa.Array:
        if not len(texts):
            return texts
        flags = matching(texts, form.pattern)
        if flags.all():
            return form.add(texts, self.near_year)
        if not flags.any():
            return texts
        odd = form.add(texts.filter(pa.array(flags)), self.near_year)
        return pa.concat_arrays([texts.filter(pa.array(~flags)), odd])

    @staticmethod
    def _new(text: str) -> Form | None:
        """Return the form of a text; None if it is not a time."""
        formats = formats_of(text)
        if not formats:
            return None
        plain = bool(is_plain(strings([text])).all())
        pattern = _exactly(text) if plain else pattern_of(formats[0])
        return Form(pattern, tuple(map(Reading, formats)), is_plain=plain)


def _exactly(text: str) -> str:
    """Return the pattern of ISO times with the same parts as this one."""
    whole, point, _ = text.partition(".")
    return f"^{re.sub('[0-9]', '[0-9]', whole)}{'[.][0-9]{1,6}' if point else ''}$"
