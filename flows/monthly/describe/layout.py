"""The layout of a text file: its separator, the lines before the header, and the header if any.

The layout is detected from the first lines, as in the conversion; types come from all lines.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.download.text_stream import Recoded, reading, tables_in, unpacked
from core.errors import BadFile
from monthly.columns import fold
from monthly.convert.csv_header import HEAD_BYTES, quoting
from monthly.convert.line_breaks import OneLineRows, restored_text
from monthly.describe.letters import encoding
from monthly.describe.recognized_texts import NULL_TEXTS, is_period, is_unit

SEPARATORS = (",", ";", "\t", "|")
#: Share of the rows that must agree: on the number of fields, or on a typed column.
_MOST = 0.8
#: Share of the rows with equally many fields, if decimal commas do not split some of them.
_NEARLY_ALL = 0.95
_TYPED = re.compile(
    r"[+-]?[\d.,'\u00a0\u202f\u2019 ]*\d[\d.,]*([eE][+-]?\d+)?"  # a number
    r"|\d{1,4}[-/.]([A-Za-z]{3,9}|\d{1,2})([-/.]\d{2,4})?([ T][^;\t|]*)?"  # a date, a time
    r"|\d{1,2}:\d{2}.*"
)
#: A day in digits, with or without a time; no column is named so if its values are days.
_DAY = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")
#: What a unit has and a word does not.
_SIGN = re.compile(r"[^\w\s.,'-]")
#: Fewer names than this do not make a header of a wide table.
_FEW_NAMES = 2
_ANNOUNCED = re.compile(r'"?sep=([,;\t|])"?')


@dataclass(frozen=True)
class TextLayout:
    """The layout of a text file.

    Attributes:
        encoding: as in `monthly.describe.letters`.
        separator: the separator of fields.
        lines: lines before the header; 0 if they are blank or declare the separator.
        skipped: lines before the first row, including the header.
        names: the published names; empty if there is no header.
        fields: number of fields in most rows, or in the header if it has more.
        has_units: whether a line of units follows the header.
        has_open_quotes: whether a line has an unmatched quote.
        above: the line right above the header, if it could be the header as well.
        quotes: whether quotes enclose texts, rather than being characters like any other.
    """

    encoding: str
    separator: str
    lines: int
    skipped: int
    names: tuple[str, ...]
    fields: int
    has_units: bool = False
    has_open_quotes: bool = False
    above: str = ""
    quotes: bool = True

    def can_tell(self, names: Sequence[str]) -> bool:
        """Return whether the names can serve as a header: all present and distinct, no units."""
        folded = [fold(name) for name in names]
        are_different = bool(folded) and all(folded) and len({*folded}) == len(folded)
        return are_different and not self.has_units

    def lacks_fields(self, line: str) -> bool:
        """Return whether a complete line has fewer fields than most."""
        is_complete = line.count('"') % 2 == 0 or not self.quotes
        return is_complete and len(self._split(line)) < self.fields

    def is_note(self, line: str) -> bool:
        """Return whether a line is a note, not a row: it lacks fields and begins with words."""
        return self.lacks_fields(line) and not _is_typed(next(iter(self._split(line)), ""))

    def _split(self, line: str) -> list[str]:
        return _split(line, self.separator, self.quotes)


def layout_of(
    what: str, path: Path, member: str = "", line_breaks: bool = False, quotes: bool = True
) -> TextLayout:
    """Return the layout of a text file, compressed or not.

    Args:
        what: what the file is about.
        path: the file.
        member: the pattern of the tables to read, if it is an archive.
        line_breaks: whether texts in quotes may have line breaks.
        quotes: whether texts may be in quotes.

    Raises:
        BadFile: it is damaged or empty.
    """
    tables = tables_in(what, path, member)
    used = encoding(what, path, tables)
    with unpacked(what, path, tables[0]) as bare:
        stream = bare if used == "utf-8" else io.BufferedReader(Recoded(bare, used))
        if line_breaks:
            stream = io.BufferedReader(OneLineRows(what, stream))
        head = reading(what, path, partial(stream.read, HEAD_BYTES))
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    if "\r" in text and "\n" not in text:
        raise BadFile(f"{what}: its lines end in carriage returns alone; save it with line feeds")
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if len(head) == HEAD_BYTES and len(lines) > 1:
        lines.pop()  # may be cut off
    if not any(line.strip() for line in lines):
        raise BadFile(f"{what}: the file is empty; is it the right file?")
    return _laid_out(used, lines, quotes)


def _laid_out(used: str, lines: Sequence[str], quotes: bool) -> TextLayout:
    first = next(n for n, line in enumerate(lines) if line.strip())
    announced = _ANNOUNCED.fullmatch(lines[first].strip())
    separator = announced[1] if announced else _separator(lines, quotes)
    rows = [_split(line, separator, quotes) for line in lines]
    if announced:
        rows[first] = []
    table = _Table(rows)
    header, begin = table.header, table.begin
    names = [] if header is None else [_on_one_line(name) for name in rows[header]]
    while len(names) > 1 and not names[-1]:
        names.pop()
    before = begin if header is None else header
    is_needed = any(lines[n].strip() for n in range(before) if not (announced and n == first))
    return TextLayout(
        encoding=used,
        separator=separator,
        lines=before if is_needed else 0,
        skipped=begin,
        names=tuple(names),
        fields=max(table.fields, len(names)),
        has_units=header is not None and begin > header + 1,
        has_open_quotes=quotes and any(line.count('"') % 2 for line in lines),
        above=lines[table.above] if table.above is not None else "",
        quotes=quotes,
    )


def _on_one_line(name: str) -> str:
    return " ".join(restored_text(name).split())


def _split(line: str, separator: str, quotes: bool) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, quoting=quoting(quotes)), [])
    except csv.Error:
        return []


def _separator(lines: Sequence[str], quotes: bool) -> str:
    """Return the separator that yields a table: equally many fields per row, with typed values."""

    def score(separator: str) -> tuple[bool, bool, float, int, int]:
        rows = [row for line in lines if (row := _split(line, separator, quotes)) and any(row)]
        fields = _fields(rows)
        table = [row for row in rows if len(row) == fields]
        values = [field for row in table for field in row if field.strip()]
        typed = sum(map(_is_typed, values)) / max(len(values), 1)
        is_table = fields > 1 and len(table) >= _MOST * len(rows) / 2
        is_even = len(table) >= _NEARLY_ALL * len(rows)
        return is_table, is_even, round(typed, 1), fields, len(table)

    return max(SEPARATORS, key=score)


def _fields(rows: Sequence[Sequence[str]]) -> int:
    """Return the most common number of fields, skipping the first rows, which may be notes."""
    counts = Counter(len(row) for row in rows[len(rows) // 3 :])
    return counts.most_common(1)[0][0] if counts else 0


def _is_typed(field: str) -> bool:
    return bool(_TYPED.fullmatch(field.strip()))


class _Table:
    """The first lines of a file: which is the header, and which the first row.

    Attributes:
        fields: the most common number of fields.
        above: a line right above the header that could be the header as well.
        header: the line of the header, if any.
        begin: the line of the first row.
    """

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self._rows = rows
        self.above: int | None = None
        self.fields = _fields([row for row in rows if any(row)])
        self._typed, self._days = (frozenset(self._places_of(kind)) for kind in (_TYPED, _DAY))
        self.header = self._header()
        self.begin = self._first_row()

    def _places_of(self, kind: re.Pattern[str]) -> Iterator[int]:
        table = [row for row in self._rows if len(row) == self.fields]
        later = table[len(table) // 3 :] if len(table) > 2 else table[1:] or table
        for place in range(self.fields):
            values = [row[place] for row in later if row[place].strip()]
            if sum(bool(kind.fullmatch(v.strip())) for v in values) >= _MOST * max(len(values), 1):
                yield place

    def _is_row(self, row: Sequence[str]) -> bool:
        """Return whether a line is a row rather than names, by its typed columns."""
        if any(_DAY.fullmatch(row[place].strip()) for place in self._days if place < len(row)):
            return True
        fields = [row[place] for place in self._typed if place < len(row) and row[place].strip()]
        return sum(map(_is_typed, fields)) * 2 > len(fields) if fields else False

    def _has_units(self, row: Sequence[str]) -> bool:
        """Return whether a line holds units: words in the columns of numbers or times."""
        fields = [row[p].strip() for p in self._typed if p < len(row)]
        words = [f for f in fields if f]
        are_units = len(words) * 2 > len(fields) or any(map(_SIGN.search, words))
        return are_units and self._has_words(row)

    def _has_words(self, row: Sequence[str]) -> bool:
        """Return whether a line has words, and nothing else, in the columns of numbers or times."""
        fields = [row[p].strip() for p in self._typed if p < len(row)]
        return any(fields) and not any(f in NULL_TEXTS or _is_typed(f) for f in fields if f)

    def _names_periods(self, number: int) -> bool:
        """Return whether a line has years or months where the rows have other values."""
        row, later = self._rows[number], self._rows[number + 1 :]
        names = [field.strip() for field in row if field.strip()]
        periods = [p for p in self._typed if is_period(row[p])]
        if any(_is_typed(name) and not is_period(name) for name in names) or not periods:
            return False
        if len({*names}) < len(names) or len(names) < _FEW_NAMES:
            return False
        values = [r[p] for r in later for p in periods if p < len(r) and r[p].strip()]
        return sum(not is_period(value) for value in values) >= _MOST * max(len(values), 1)

    def _candidates(self) -> list[int]:
        """Return the lines before the first row that could be the header."""
        found: list[int] = []
        for number, row in enumerate(self._rows):
            if len(row) == self.fields and any(row):
                if self._typed and self._is_row(row) and not self._names_periods(number):
                    break
                found.append(number)
            elif len(row) * 2 >= self.fields > 2 and any(row) and not self._is_row(row):
                found.append(number)
        return found

    def _header(self) -> int | None:
        candidates = self._candidates()
        if not self._typed:
            return None if self._repeats(candidates) else next(iter(candidates), None)
        best = max(candidates, key=self._looks_like_names, default=None)
        if best is None or best - 1 not in candidates or not self._can_name(best - 1):
            return best
        fields = [field.strip() for field in self._rows[best] if field.strip()]
        if sum(map(is_unit, fields)) * 2 > len(fields):
            return best - 1
        self.above = best - 1
        return best

    def _can_name(self, number: int) -> bool:
        """Return whether a line has a different name for every field."""
        names = [field.strip() for field in self._rows[number]]
        return len(names) == self.fields > 1 and all(names) and len({*names}) == len(names)

    def _looks_like_names(self, number: int) -> tuple[bool, float, bool, int]:
        """Rank a candidate: as many names as fields, distinct, no missing value; then the last."""
        row = [field.strip() for field in self._rows[number]]
        different = len({f for f in row if f and (is_period(f) or not _is_typed(f))})
        is_full = (NULL_TEXTS - {""}).isdisjoint(row)
        return len(row) >= self.fields - 1, different / max(len(row), 1), is_full, number

    def _repeats(self, candidates: Sequence[int]) -> bool:
        """Return whether the first candidate shares values with later ones and so is a row."""
        if len(candidates) < 2:
            return False
        first, *later = ([f.strip() for f in self._rows[n]] for n in candidates)
        pairs = ((f, {row[p] for row in later if p < len(row)}) for p, f in enumerate(first) if f)
        return any(field in values for field, values in pairs)

    def _first_row(self) -> int:
        """Return the line of the first row, after the header and any line of units."""
        if self.header is not None:
            after, found = self.header + 1, self._has_units
            while after < len(self._rows) and found(self._rows[after]):
                after, found = after + 1, self._has_words  # such as how each was averaged
            return after
        full = (n for n, row in enumerate(self._rows) if len(row) == self.fields and any(row))
        return next(full, 0)
