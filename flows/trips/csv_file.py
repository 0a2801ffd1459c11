"""CSV files of every vintage as pieces: whole lines of about a megabyte with known line numbers."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv as pa_csv
from isal import igzip, isal_zlib

from trips.columns import Column
from trips.datasets import ARROW_TYPES, Mapped, map_header
from trips.errors import BadFile
from trips.months import Month
from trips.pieces import Reject, Unreadable, conform

BLOCK_BYTES = 1 << 20
#: A TLC line has about 100 bytes; one this long means that the file is no text at all.
LONGEST_LINE = 1 << 20
#: What means "no value"; NULL and \N are what database exports write, NaN is pandas'.
NULLS = ("", "NULL", "null", "\\N", "NaN", "nan")
#: ISO first, as TLC writes; then New York's open data portal and its 24-hour sibling.
_LENIENT_TIMES = (pa_csv.ISO8601, "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M")
_CONVERSION = re.compile(r"In CSV column #(\d+): .*?(?:CSV conversion error to )(.*)", re.DOTALL)
_FIELDS = re.compile(r"Expected (\d+) columns, got (\d+)")


@dataclass
class Layout:
    """How the lines of one file are read.

    Attributes:
        month: whose file it is.
        mapped: the column of each name of the header.
        fields: fields of a line; some vintages have more than names, the surplus empty.
        lenient: whether whole numbers may be written `1.0` and times in American style.
            Set by the first block that needs it: it costs a little, so later ones start there.
    """

    month: Month
    mapped: Mapped
    fields: int
    lenient: bool = False

    def names(self) -> list[str]:
        """One name for each field; those that are no column are named by their place."""
        known = [c.name if c else f"#{i}" for i, c in enumerate(self.mapped.columns)]
        return known + [f"#{i}" for i in range(len(known), self.fields)]

    def surplus(self) -> list[str]:
        """The fields beyond the header's names, which must be empty."""
        return self.names()[len(self.mapped.columns) :]


@dataclass(frozen=True)
class Lines:
    """Whole lines of a CSV file, a `Piece`.

    Attributes:
        layout: how they are read.
        data: the lines, each with its end but perhaps the last of the file.
        first_line: number of the first line; the header is line 1.
    """

    layout: Layout
    data: bytes
    first_line: int

    @cached_property
    def rows(self) -> int:
        """Lines that are not blank; see `Piece`."""
        return sum(1 for line in self.data.split(b"\n") if line.strip(b"\r"))

    @property
    def _lines(self) -> int:
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))

    def convert(self) -> pa.RecordBatch:
        """All rows in the canonical schema; see `Piece`."""
        if b"\0" in self.data:
            raise Unreadable("a NUL byte")
        if self.layout.lenient:
            return self._parse(lenient=True)
        try:
            return self._parse(lenient=False)
        except ValueError:
            batch = self._parse(lenient=True)
            self.layout.lenient = True
            return batch

    def halves(self) -> tuple[Lines, Lines]:
        """The first and the second half of the lines; see `Piece`."""
        lines = [
            (number, line)
            for number, line in enumerate(self.data.split(b"\n"), self.first_line)
            if line.strip(b"\r")
        ]
        middle = len(lines) // 2
        return self._of(lines[:middle]), self._of(lines[middle:])

    def reject(self, reason: str) -> Reject:
        """The only line, as one that could not be converted; see `Piece`."""
        text = self.data.strip(b"\r\n").decode("utf-8", "backslashreplace")
        return Reject(self.first_line, _readable(reason, self.layout), text.replace("\0", "\\x00"))

    def _of(self, lines: list[tuple[int, bytes]]) -> Lines:
        data = b"".join(
            line + b"\n" * (later - number)
            for (number, line), later in zip(lines, [n for n, _ in lines[1:]] + [lines[-1][0] + 1])
        )
        return Lines(self.layout, data, lines[0][0])

    def _parse(self, lenient: bool) -> pa.RecordBatch:
        layout = self.layout
        table = pa_csv.read_csv(
            pa.BufferReader(self.data),
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=len(self.data) + 1, column_names=layout.names()
            ),
            convert_options=_convert_options(layout, lenient),
        )
        # Blank lines are rare, and counting the others takes longer than parsing them.
        if table.num_rows != self._lines and table.num_rows != self.rows:
            raise Unreadable("a quote or a carriage return that does not end where the line ends")
        if any(table.column(name).null_count != table.num_rows for name in layout.surplus()):
            raise Unreadable(f"more fields than the {len(layout.mapped.columns)} of the header")
        batch = table.combine_chunks().to_batches()[0]
        found = {c.name: batch.column(c.name) for c in layout.mapped.columns if c}
        return conform(layout.month, found, batch.num_rows)


@contextmanager
def open_csv(month: Month, path: Path, strict: bool) -> Iterator[tuple[Mapped, Iterator[Lines]]]:
    """Open a CSV file, gzipped or not: its columns, and its lines in pieces.

    Raises:
        BadFile: no header, no row under the header, or not text.
        SchemaError: the header does not fit the dataset.
    """
    with path.open("rb") as raw:
        gzipped = raw.peek(2)[:2] == b"\x1f\x8b"
        stream: IO[bytes] = igzip.open(raw, "rb") if gzipped else raw
        header, line, rest = _header(month, path, stream)
        mapped = map_header(month, header, strict)
        layout = Layout(month, mapped, _count_fields(month, path, rest, len(header)))
        yield mapped, _blocks(layout, path, stream, rest, line + 1)


def _header(month: Month, path: Path, stream: IO[bytes]) -> tuple[list[str], int, bytes]:
    """The names, the number of the line they stand in, and the bytes read after them."""
    data, line = _read(month, path, stream), 1
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadFile(f"{month}: {path.name} is UTF-16; convert it to UTF-8 first")
    data = data.removeprefix(b"\xef\xbb\xbf")
    while True:
        first, end, data = data.partition(b"\n")
        if first.strip():
            break
        if not end:
            raise BadFile(f"{month}: {path.name} has no header; is it the right file?")
        line += 1
    names = next(csv.reader([first.strip(b"\r").decode("utf-8", "backslashreplace")]))
    return names, line, data


def _count_fields(month: Month, path: Path, data: bytes, names: int) -> int:
    """Fields of the first line under the header that has any, at least as many as names."""
    for line in data.split(b"\n"):
        if line.strip(b"\r"):
            fields = next(csv.reader([line.strip(b"\r").decode("utf-8", "replace")]))
            surplus_is_empty = not any(field.strip() for field in fields[names:])
            return max(names, len(fields)) if surplus_is_empty else names
    raise BadFile(f"{month}: {path.name} has a header but no row; the month stays as it was")


def _blocks(
    layout: Layout, path: Path, stream: IO[bytes], data: bytes, line: int
) -> Iterator[Lines]:
    """Pieces of about a megabyte, cut after the last end of a line."""
    while True:
        more = _read(layout.month, path, stream)
        cut = data.rfind(b"\n") + 1 if more else len(data)
        if cut:
            block = data[:cut]
            if not block.isspace():
                yield Lines(layout, block, line)
            line += block.count(b"\n")
        elif len(data) > LONGEST_LINE:
            raise BadFile(f"{layout.month}: {path.name}, line {line} has no end; is it text?")
        if not more:
            return
        data = data[cut:] + more


def _read(month: Month, path: Path, stream: IO[bytes]) -> bytes:
    try:
        return stream.read(BLOCK_BYTES)
    except (EOFError, igzip.BadGzipFile, isal_zlib.error) as error:
        raise BadFile(f"{month}: {path.name} is a damaged gzip ({error}); get it again") from error


def _convert_options(layout: Layout, lenient: bool) -> pa_csv.ConvertOptions:
    wanted = [c.name for c in layout.mapped.columns if c] + layout.surplus()
    types = {c.name: _reading_type(c, lenient) for c in layout.mapped.columns if c}
    return pa_csv.ConvertOptions(
        column_types=types | {name: pa.string() for name in layout.surplus()},
        include_columns=wanted,
        null_values=NULLS,
        strings_can_be_null=True,
        timestamp_parsers=_LENIENT_TIMES if lenient else (pa_csv.ISO8601,),
    )


def _reading_type(column: Column, lenient: bool) -> pa.DataType:
    if column.codes is not None:
        return pa.dictionary(pa.int32(), pa.string())
    if lenient and column.kind == "int64":
        return pa.float64()
    return ARROW_TYPES[column.kind]


def _readable(reason: str, layout: Layout) -> str:
    """Arrow's message in the words of the header."""
    if match := _FIELDS.search(reason):
        return f"{match[2]} fields where {match[1]} are expected"
    if match := _CONVERSION.search(reason):
        return f"{layout.names()[int(match[1])]}: not a {match[2]}"
    return reason
