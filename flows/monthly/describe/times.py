"""Profiles the times of a published column: their formats, and how each reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monthly.convert.arrays import strings
from monthly.convert.month_names import NUMBER_OF
from monthly.convert.patterns import matching
from monthly.convert.time_formats import halves_of, pattern_of
from monthly.convert.time_texts import Flags, Ints, is_plain, read_formatted
from monthly.describe.numbers import taken

#: Names of months, the longest first.
MONTH = f"(?:{'|'.join(sorted(NUMBER_OF, reverse=True))})"
#: Dates and their formats, with {s} for the separator; several where the order is ambiguous.
_DATES: Sequence[tuple[str, tuple[str, ...]]] = (
    (r"\d{4}(?P<s>[-/.])\d{1,2}(?P=s)\d{1,2}", ("%Y{s}%m{s}%d",)),
    (r"\d{1,2}(?P<s>[-/. ])\d{1,2}(?P=s)\d{4}", ("%d{s}%m{s}%Y", "%m{s}%d{s}%Y")),
    (r"\d{1,2}(?P<s>[-/.])\d{1,2}(?P=s)\d{2}", ("%d{s}%m{s}%y", "%m{s}%d{s}%y", "%y{s}%m{s}%d")),
    (rf"\d{{1,2}}(?P<s>[-/. ]){MONTH}\.?(?P=s)\d{{4}}", ("%d{s}%b{s}%Y",)),
    (rf"\d{{1,2}}(?P<s>[-/. ]){MONTH}\.?(?P=s)\d{{2}}", ("%d{s}%b{s}%y",)),
    (rf"(?P<s>)\d{{1,2}}\. {MONTH} \d{{4}}", ("%d. %b %Y",)),
    (rf"\d{{4}}(?P<s>[-/. ]){MONTH}(?P=s)\d{{1,2}}", ("%Y{s}%b{s}%d",)),
    (rf"(?P<s>){MONTH}\.? \d{{1,2}}, \d{{4}}", ("%b %d, %Y",)),
    (rf"(?P<s>){MONTH}\.? \d{{1,2}} \d{{4}}", ("%b %d %Y",)),
    (r"(?P<s>)\d{8}(?=[ T])", ("%Y%m%d",)),
)
#: Months, which have no time of day.
_MONTHS: Sequence[tuple[str, tuple[str, ...]]] = (
    (r"\d{4}(?P<s>[-/.])\d{1,2}", ("%Y{s}%m",)),
    (r"\d{1,2}(?P<s>[-/])\d{4}", ("%m{s}%Y",)),
    (rf"{MONTH}\.?(?P<s>[-/ ])\d{{4}}", ("%b{s}%Y",)),
    (rf"{MONTH}\.?(?P<s>[-/ ])\d{{2}}", ("%b{s}%y",)),
    (rf"\d{{4}}(?P<s>[-/ ]){MONTH}\.?", ("%Y{s}%b",)),
    *(
        quarter
        for letter in "QT"  # trimestre
        for quarter in (
            (rf"\d{{4}}(?P<s>[-/. ]?){letter}[1-4]", (f"%Y{{s}}{letter}%q",)),
            (rf"{letter}[1-4](?P<s>[-/. ]?)\d{{4}}", (f"{letter}%q{{s}}%Y",)),
            (rf"[1-4]{letter}(?P<s>[-/. ]?)\d{{4}}", (f"%q{letter}{{s}}%Y",)),
        )
    ),
    (r"[1-4](?P<s>)\. Quartal \d{4}", ("%q. Quartal %Y",)),
)
_CLOCK = re.compile(
    r"(?P<t>T|,? {1,2})(?:(?P<m>\d{1,2}:\d{2})(?P<sec>:\d{2})?(?P<f>[.,]\d{1,9})?"
    r"|\d{1,2}(?P<dots>\.\d{2}\.\d{2})(?P<of_dots>\.\d{1,9})?|\d{1,2}(?P<h>h)\d{2}"
    r"|(?P<bare>\d{4}(?P<two>\d{2})?)|\d{1,2})"
    r"(?P<p> ?[AaPp]\.?[Mm]\.?)?"
    r"(?P<z> ?(?:Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2}))?"
    r"(?P<name> ?(?P<open>\()?(?:UTC|GMT|E[SD]T|P[SD]T|CES?T|EES?T|WES?T)(?(open)\)))?"
)
#: As Java writes a zone after its offset; the format has it literally.
_ZONE_IN_BRACKETS = re.compile(r"\[[A-Za-z]+(/[A-Za-z_]+)+\]$")
_DAY_OF_WEEK = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?(?P<s>,? )", re.IGNORECASE)
#: What separates the times of an interval in one text.
_BETWEEN = (" - ", " \u2013 ", " to ", "/")
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
        sure = _flags(pc.fill_null(pc.greater(pc.day(found), _DAYS_OVER), False))
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
        self.clock_formats |= {(_clock_of(f" {text}") or "").strip() for text in some}

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


def _flags(values: pa.Array) -> Flags:
    return np.asarray(values.to_numpy(zero_copy_only=False), bool)


def _exactly(text: str) -> str:
    """Return the pattern of ISO times with the same parts as this one."""
    whole, point, _ = text.partition(".")
    return f"^{re.sub('[0-9]', '[0-9]', whole)}{'[.][0-9]{1,6}' if point else ''}$"


def formats_of(text: str) -> tuple[str, ...]:
    """Return the formats that fit a text; empty if it is not a time."""
    if zone := _ZONE_IN_BRACKETS.search(text):
        return tuple(f"{each}{zone[0]}" for each in formats_of(text[: zone.start()]))
    if day := _DAY_OF_WEEK.match(text):
        formats = formats_of(text[day.end() :])
        return tuple(f"%a{day['s']}{each}" for each in formats)
    for pattern, formats in _DATES:
        match = re.match(pattern, text, re.IGNORECASE)
        if match and (clock := _clock_of(text[match.end() :])) is not None:
            return tuple(f.format(s=match["s"]) + clock for f in formats)
    for pattern, formats in _MONTHS:
        if match := re.fullmatch(pattern, text, re.IGNORECASE):
            return tuple(f.format(s=match["s"]) for f in formats)
    return _formats_of_interval(text)


def _formats_of_interval(text: str) -> tuple[str, ...]:
    """Return the formats of two times of day in one text; empty if it is not such a text.

    Two dates do not count: the end of a period of arbitrary length must not get lost.
    """
    for between in _BETWEEN:
        start, found, end = text.partition(between)
        if not found:
            continue
        starts, clock = formats_of(start), (_clock_of(f" {end}") or "").strip()
        ends = formats_of(end) or (clock,) * len(starts)
        formats = tuple(map(between.join, zip(starts, ends)))
        if formats and all("%M" in each and len(halves_of(each)) > 1 for each in formats):
            return formats
    return ()


def _clock_of(text: str) -> str | None:
    """Return the format of what follows a date; None if it is not a time of day."""
    if not text:
        return ""
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    half = match["p"] or ""
    clock = "%I" if half else "%H"
    clock += ".%M.%S" if match["dots"] else "h%M" if match["h"] else ""
    clock += ":%M" if match["m"] else "%M" if match["bare"] else ""
    clock += ":%S" if match["sec"] else "%S" if match["two"] else ""
    fraction = match["f"] or match["of_dots"]
    clock += f"{fraction[0]}%f" if fraction else ""
    clock += f"{' ' if half.startswith(' ') else ''}%p" if half else ""
    if found := match["z"]:
        clock += " %z" if found.startswith(" ") else "%z"
    return match["t"] + clock + re.sub("[A-Z]+", "%Z", match["name"] or "")
