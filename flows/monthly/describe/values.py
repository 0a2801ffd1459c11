"""Profiles the values of a published column over a whole file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from monthly.convert.patterns import matching
from monthly.convert.published_values import is_text, trimmed
from monthly.convert.readings import Mark
from monthly.describe.numbers import Numbers, Range, taken
from monthly.describe.times import Reading, TimeTexts

#: Distinct texts to remember of a column; with more, it is not a category.
CATEGORIES = 40
#: With more distinct texts than this that fit no type, a column is text.
_ODD = 20
_TRUTH = r"^(?i:true|false)$"
#: Ranges of whole numbers that may be times, with their formats.
_COMPACT = (
    (1_900_01, 2_100_12, "%Y%m"),
    (1_900_01_01, 2_100_12_31, "%Y%m%d"),
    (1_900_01_01_00, 2_100_12_31_23, "%Y%m%d%H"),
    (1_900_01_01_00_00, 2_100_12_31_23_59, "%Y%m%d%H%M"),
    (1_900_01_01_00_00_00, 2_100_12_31_23_59_59, "%Y%m%d%H%M%S"),
    (1_000_000_000, 1_900_000_000, "%s"),
    (1_000_000_000_000, 1_900_000_000_000, "%s%f"),
)
#: The formats of days and months, which are proposed even if the column's name says nothing.
_DAYS = ("%Y%m", "%Y%m%d")
_DOTTED_MONTH = r"^(19|20)\d\d\.(0[1-9]|1[0-2])$"
#: Names of columns whose numbers may be times.
_TIME_NAME = re.compile(
    r"(^|[^a-z])(ts|timestamp|epoch|unix|at|utc|date|datum|fecha|time|day|dia|jour|tag|data|dt|ymd"
    r"|period|month|monat|mois|mes)([^a-z]|$)|^date|(date|datum|time|timestamp)(ms)?$|yyyy",
    re.IGNORECASE,
)


@dataclass
class Values:
    """The profile of a column's values.

    Attributes:
        name: the published name.
        near_year: the year that decides the century of two-digit years.
        native: the type in a Parquet file; None in a text file.
        rows: number of rows.
        known: rows with a value.
        distinct: how often each text occurs; incomplete above `CATEGORIES` texts.
        is_key: whether no text occurs twice in any piece of the file.
        numbers: the texts that are numbers.
        times: the texts that are times.
        range: the least and the greatest of the numbers in a Parquet file.
        is_whole: whether all of those are whole numbers.
        compact: numbers like 20200131 or 2020.01, or seconds since 1970, read as times.
        truths: number of texts that are true or false.
        odd: texts that fit no type.
        lone: texts that alone fill one of the last rows, such as notes.
        is_bytes: whether a Parquet column has bytes that are not text.
    """

    name: str
    near_year: int
    native: pa.DataType | None = None
    rows: int = 0
    known: int = 0
    distinct: dict[str, int] = field(default_factory=dict)
    is_key: bool = True
    numbers: Numbers = field(default_factory=Numbers)
    truths: int = 0
    odd: dict[str, None] = field(default_factory=dict)
    range: Range = field(default_factory=Range)
    is_whole: bool = True
    compact: Reading = field(default_factory=lambda: Reading(""))
    lone: set[str] = field(default_factory=set)
    is_bytes: bool = False

    def __post_init__(self) -> None:
        """Start without times."""
        self.times = TimeTexts(self.near_year)

    @property
    def is_text(self) -> bool:
        """Return whether many texts fit no type."""
        return len(self.odd) > _ODD

    @property
    def says_time(self) -> bool:
        """Return whether the column's name says that its numbers may be times."""
        return bool(_TIME_NAME.search(self.name))

    @property
    def has_text(self) -> bool:
        """Return whether the values are text."""
        kind = self.native
        return kind is None or is_text(kind) or (pa.types.is_binary(kind) and not self.is_bytes)

    @property
    def has_known_type(self) -> bool:
        """Return whether a declaration supports the type of a Parquet column."""
        kind = self.native
        return kind is not None and any(
            is_it(kind)
            for is_it in (
                *(pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal128),
                *(pa.types.is_boolean, pa.types.is_date, pa.types.is_timestamp, pa.types.is_null),
            )
        )

    @property
    def odd_values(self) -> set[str]:
        """Return the texts that fit no type, except the column's name from a repeated header."""
        return {*self.odd} - {self.name}

    @property
    def has_header(self) -> bool:
        """Return whether the column's name is among its values, which otherwise fit a type."""
        fits = self.numbers.count or self.truths or self.times.forms or self.times.clocks
        return self.name in self.odd and not self.is_text and bool(fits)

    def is_only(self, what: Literal["numbers", "times", "clocks", "truths"]) -> bool:
        """Return whether all texts except the odd ones are of one kind."""
        counts = {
            "numbers": self.numbers.count,
            "codes": self.numbers.codes,
            "times": sum(form.count for form in self.times.forms.values()),
            "clocks": self.times.clocks,
            "truths": self.truths,
        }
        return not self.is_text and [name for name, count in counts.items() if count] == [what]

    @property
    def categories(self) -> list[str]:
        """Return the distinct texts, most frequent first; empty if there are many."""
        if len(self.distinct) > CATEGORIES:
            return []
        return sorted(self.distinct, key=lambda text: (-self.distinct[text], text))

    def add(self, values: pa.Array) -> None:
        """Add more rows."""
        self.rows += len(values)
        known = values.drop_null()
        if not len(known):
            return
        self.known += len(known)
        if pa.types.is_binary(known.type):
            try:
                known = known.cast(pa.string())  # Spark writes text as bytes
            except pa.ArrowInvalid:
                self.is_bytes = True  # such as the geometries of GeoParquet
        if is_text(known.type):
            self._add_texts(known.cast(pa.string()))
        else:
            self._add_natives(known)

    def _add_texts(self, known: pa.Array) -> None:
        if self.is_text and len(self.distinct) > CATEGORIES and not self.is_key:
            return
        counts = pc.value_counts(known)
        texts = counts.field(0)
        self.is_key &= len(texts) == len(known)
        self._remember(counts)
        if not self.is_text:
            self._classify(trimmed(texts, ()).drop_null())

    def _remember(self, counts: pa.StructArray) -> None:
        if len(self.distinct) > CATEGORIES:
            return
        some = counts.slice(0, CATEGORIES + 1)
        for text, count in zip(some.field(0).to_pylist(), some.field(1).to_pylist()):
            self.distinct[text] = self.distinct.get(text, 0) + count

    def _classify(self, texts: pa.Array) -> None:
        if self.times.forms and not self.numbers.count:
            texts = self.times.take(texts)
        whole, point = self.numbers.whole, self.numbers.point
        rest = self.numbers.take(texts)
        if len(texts) and self.numbers.whole - whole == len(texts):
            self._add_compact(texts)
        elif len(texts) and self.numbers.point - point == len(texts) and self.says_time:
            self._add_months(texts)
        rest = taken(rest, _TRUTH, self._add_truths)
        rest = self.times.take(rest)
        for text in rest.slice(0, _ODD + 1).to_pylist():
            self.odd[text] = None

    def _add_truths(self, texts: pa.Array) -> None:
        self.truths += len(texts)

    def _add_compact(self, texts: pa.Array) -> None:
        """Read whole numbers as days or months, or as times if the column's name says so."""
        seen = self.numbers.range["point"]
        formats = [text for low, high, text in _COMPACT if low <= seen.low and seen.high <= high]
        if not formats or self.compact.format not in ("", *formats):
            return
        if formats[0] in _DAYS or self.says_time:
            self.compact.format = formats[0]
            self.compact.add(texts, self.near_year)

    def _add_months(self, texts: pa.Array) -> None:
        """Read numbers like 2020.01 as months."""
        if self.compact.format in ("", "%Y.%m") and matching(texts, _DOTTED_MONTH).all():
            self.compact.format = "%Y.%m"
            self.compact.add(texts, self.near_year)

    def _add_natives(self, known: pa.Array) -> None:
        if pa.types.is_float16(known.type):
            known = known.cast(pa.float32())  # Arrow cannot calculate with half floats
        kind = known.type
        if pa.types.is_floating(kind):
            known = known.filter(pc.is_finite(known))
            self.is_whole &= bool(pc.all(pc.equal(pc.floor(known), known)).as_py() is not False)
        if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
            self.range.add(known.cast(pa.float64(), safe=False))
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            clock = known.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
            with suppress(pa.ArrowInvalid):  # a zone that Arrow does not know, such as utc
                clock = pc.local_timestamp(clock) if clock.type.tz else clock
            self.compact.add_clock(clock.view(pa.int64()).to_numpy(zero_copy_only=False))


def range_of(seen: Iterable[Values], mark: Mark) -> Range:
    """Return the range of a column's numbers over several files, under one decimal mark."""
    found = Range()
    for values in seen:
        found.widen(values.numbers.range[mark])
        found.widen(values.range)
    return found
