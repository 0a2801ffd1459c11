"""Conversion of the lines of a CSV file of any vintage to rows in the canonical schema."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from monthly.columns import Column
from monthly.convert.conforming import conform
from monthly.convert.csv_bytes import (
    has_hexadecimal,
    has_odd_quotes,
    line_ends,
    quoted_start,
)
from monthly.convert.csv_layout import Layout, Typed
from monthly.convert.line_breaks import restored, restored_text
from monthly.convert.pieces import Piece, Reject
from monthly.convert.published_values import (
    NULLS,
    Unreadable,
    has_padded_nulls,
    refuse_nameless,
)

_CONVERSION = re.compile(r"In CSV column #(\d+): .*?(?:CSV conversion error to )(.*)", re.DOTALL)
#: Why such a line is rejected, unless the declaration has `line_breaks`.
OPEN_QUOTE = (
    "an unmatched quote in the line; declare line_breaks = true in [text] if texts have line "
    "breaks, or quotes = false if quotes are characters like any other"
)
#: Spark and MySQL write such texts; read as CSV, `"a \"b\""` would be `a \b\""`.
ESCAPED_QUOTE = "a quote after a backslash in a quoted text; write it as two quotes"
#: Arrow reads `"Weird" Al` as `Weird Al`.
TEXT_AFTER_QUOTE = (
    "a field goes on after its closing quote; declare quotes = false in [text] if quotes are "
    "characters like any other"
)
_FIELDS = re.compile(r"Expected (\d+) columns, got (\d+)")

_FEW_BYTES = 1 << 16

#: Kinds that `casting` reads from text alone.
_AS_TEXT = ("boolean", "date", "decimal", "string")
#: What to do about values in a field without a name.
_NAME_FIELDS = 'declare header in [text], or new_columns = "drop"'


@dataclass(frozen=True)
class Lines:
    """Whole lines of a CSV file, a `Piece`.

    Attributes:
        layout: how to read the lines.
        data: the lines, each with its line end except possibly the last of the file.
        first: number of the first line; the header is line 1.
        member: name of the table in an archive of several; empty for the first or only one.
    """

    layout: Layout
    data: bytes
    first: int
    member: str = ""

    @property
    def most_rows(self) -> float:
        """Return a bound on the rows so far; a further table counts its lines alone."""
        return math.inf if self.member else self.first

    @cached_property
    def rows(self) -> int:
        """Return the number of lines that are not blank; see `Piece`."""
        return sum(1 for line in self.data.split(b"\n") if line.strip(b"\r"))

    @property
    def ends(self) -> int:
        """Return the number of line ends, including those of blank lines."""
        return self._ends[0]

    @cached_property
    def _ends(self) -> tuple[int, bool]:
        return line_ends(self.data)

    @property
    def _lines(self) -> int:
        return self.ends + (not self.data.endswith(b"\n"))

    def convert(self) -> pa.RecordBatch:
        """Convert all rows to the canonical schema; see `Piece`."""
        self._check()
        layout = self.layout
        # Arrow reads 0x1 as a number, and a point as the decimal mark whatever the file uses.
        by_arrow = not has_hexadecimal(self.data) and layout.readings.mark is None
        for typed in Typed if by_arrow else ():
            if layout.typed <= typed < Typed.TEXT:
                with suppress(ValueError):  # real errors reappear below
                    batch = self._parse(typed)
                    if has_padded_nulls(self.data, batch, layout.readings.nulls):
                        break
                    layout.typed = typed
                    return self._conform(batch)
        return self._conform(self.published())

    def published(self) -> pa.RecordBatch:
        """Return all rows of the known columns as text; see `Piece`."""
        self._check()
        if not (self.data.isascii() or self.layout.readings.settled):
            try:
                self.data.decode()
            except UnicodeDecodeError:
                self.layout.readings.require_survey()
        return self._parse(Typed.TEXT)

    def _check(self) -> None:
        data = self.data
        if b"\0" in data:
            raise Unreadable("a NUL byte")
        if self._ends[1]:
            raise Unreadable("a carriage return inside a line")
        if self._has_quotes:
            self._check_quotes()

    def _check_quotes(self) -> None:
        if has_odd_quotes(self.data):
            raise Unreadable(OPEN_QUOTE)
        start = quoted_start(self.data, self.layout.delimiter)
        if start is not None:
            raise Unreadable(ESCAPED_QUOTE if start.endswith(b'\\"') else TEXT_AFTER_QUOTE)

    @cached_property
    def _has_quotes(self) -> bool:
        """Return whether the lines have quotes that may enclose texts."""
        return self.layout.quotes and b'"' in self.data

    def _conform(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        found, layout = dict(zip(batch.schema.names, batch.columns)), self.layout
        return conform(layout.month, layout.mapped, found, batch.num_rows, layout.readings)

    def halves(self) -> tuple[Lines, Lines]:
        """Return the first and the second half of the lines; see `Piece`."""
        lines = self._numbered()
        middle = len(lines) // 2
        return self._of(lines[:middle]), self._of(lines[middle:])

    def split(self, places: Collection[int]) -> tuple[Lines | None, list[Piece]]:
        """Return the piece without some rows, and each of these; see `Piece`."""
        lines = self._numbered()
        rest = [line for place, line in enumerate(lines) if place not in places]
        return self._of(rest) if rest else None, [self._of([lines[n]]) for n in places]

    def _numbered(self) -> list[tuple[int, bytes]]:
        """Return the lines that are not blank, each with its number."""
        lines = enumerate(self.data.split(b"\n"), self.first)
        return [(number, line) for number, line in lines if line.strip(b"\r")]

    def reject(self, reason: str) -> Reject:
        """Return the only line as a reject; see `Piece`."""
        row = self.data.lstrip(b"\r\n")
        line = self.first + self.data[: -len(row)].count(b"\n")
        text = row.rstrip(b"\r\n").decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        place = f"{self.member}: " if self.member else ""
        text = restored_text(text) if self.layout.line_breaks else text
        return Reject(line, f"{place}{_readable(reason, self.layout)}", text)

    def _of(self, lines: list[tuple[int, bytes]]) -> Lines:
        data = b"".join(
            line + b"\n" * (later - number)
            for (number, line), later in zip(lines, [n for n, _ in lines[1:]] + [lines[-1][0] + 1])
        )
        return Lines(self.layout, data, lines[0][0], self.member)

    @cached_property
    def _padded(self) -> bytes:
        """Return the lines, with the fields that short ones lack, if that is declared."""
        return self.layout.padded(self.data) if self.layout.short_rows else self.data

    def _parse(self, typed: Typed) -> pa.RecordBatch:
        layout, data, quoted = self.layout, self._padded, self._has_quotes
        if quoted:
            # Append an empty row; otherwise a quote left open at the end would go unnoticed.
            mark = layout.delimiter.encode()
            data = data.rstrip(b"\r\n") + b'\n""' + mark * (layout.fields - 1) + b"\n"
        table = _read(
            data,
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=len(data) + 1, column_names=layout.names()
            ),
            parse_options=layout.parse_options(),
            convert_options=_convert_options(layout, typed),
        )
        table = table.slice(0, table.num_rows - quoted)
        # Check the line count first: blank lines are rare, and counting the others is slower
        # than parsing them.
        if table.num_rows != self._lines and table.num_rows != self.rows:
            raise Unreadable(OPEN_QUOTE)
        if any(table.column(name).null_count != table.num_rows for name in layout.surplus()):
            raise Unreadable(f"more fields than the {len(layout.mapped.columns)} of the header")
        for name, place in layout.nameless().items():
            refuse_nameless(place, table.column(name), _NAME_FIELDS)
        batch = table.combine_chunks().to_batches()[0].select(layout.wanted())
        return restored(batch) if layout.line_breaks else batch


def _read(data: bytes, **options: Any) -> pa.Table:
    """Parse a block in one go."""
    file = pa.BufferReader(data)
    # read_csv parses on this thread, where open_csv hands the block to another and waits. But it
    # first sets up signal handling, which takes longer than parsing a few rows and, under
    # Python 3.10, as long as a scan of every live object.
    if len(data) < _FEW_BYTES or sys.version_info < (3, 11):
        return pa_csv.open_csv(file, **options).read_all()
    return pa_csv.read_csv(file, **options)


def _convert_options(layout: Layout, typed: Typed) -> pa_csv.ConvertOptions:
    pairs = zip(layout.mapped.names, layout.mapped.columns)
    types = {name: _reading_type(c, typed) for name, c in pairs if c}
    empty = [*layout.surplus(), *layout.nameless()]
    return pa_csv.ConvertOptions(
        column_types=types | dict.fromkeys(empty, pa.string()),
        include_columns=layout.wanted() + empty,
        null_values=[*NULLS, *layout.readings.nulls],
        strings_can_be_null=True,
        timestamp_parsers=(pa_csv.ISO8601,),
    )


def _reading_type(column: Column, typed: Typed) -> pa.DataType:
    as_text = column.kind in _AS_TEXT or column.formats or column.zone or column.rejected
    if typed is Typed.TEXT or as_text:
        return pa.string()
    may_be_codes = typed is not Typed.NUMBERS or column.has_number_codes
    if column.codes is not None and may_be_codes and column.kind == "int64":
        return pa.dictionary(pa.int32(), pa.string())
    if typed is Typed.POINTS and column.kind == "int64":
        return pa.float64()
    return column.arrow


def _readable(reason: str, layout: Layout) -> str:
    """Reword Arrow's message with the names of the header."""
    if "\n" in reason:
        return OPEN_QUOTE
    if match := _FIELDS.search(reason):
        return f"{match[2]} fields where {match[1]} are expected"
    if match := _CONVERSION.search(reason):
        return f"{layout.names()[int(match[1])]}: not a {match[2]}"
    return reason
