"""CSV files of every vintage as pieces of 2.5 MiB of whole lines, with line numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from core.download.checks import kind_of
from core.download.text_stream import Recoded, encoding_of, reading, tables_in, unpacked
from core.errors import BadFile, SchemaError
from monthly.convert.csv_header import (
    DELIMITERS,
    HEAD_BYTES,
    MARK,
    Header,
    count_fields,
    header_of,
    row_numbers,
    split,
)
from monthly.convert.csv_layout import Layout
from monthly.convert.csv_lines import Lines
from monthly.convert.letters import SINGLE_BYTE, declared_or_utf8
from monthly.convert.line_breaks import OneLineRows
from monthly.convert.readings import Readings
from monthly.datasets import DATASETS
from monthly.header import Mapped, map_header
from monthly.month import Month

#: Smaller pieces take more CPU time, larger ones more memory.
BLOCK_BYTES = 5 << 19
_STEP_BYTES = 1 << 16
#: A TLC line has about 100 bytes; one this long means that the file is not text.
LONGEST_LINE = 1 << 20


@contextmanager
def open_csv(
    month: Month, path: Path, strict: bool, readings: Readings
) -> Iterator[tuple[Mapped, Iterator[Lines]]]:
    """Open a CSV file, compressed or not, in any encoding; yield its columns and its pieces.

    Raises:
        BadFile: no header, no row under the header, or not text.
        SchemaError: the header does not fit the dataset.
    """
    first, *others = tables_in(month, path, DATASETS[month.dataset].text.member)
    with _table(month, path, first, strict, readings) as (mapped, pieces):
        rest = (_rest(month, path, name, strict, readings, mapped) for name in others)
        for name in (first, *others) if others else ():
            if _is_empty(month, path, name, strict, readings):
                note = f"no rows in the table {name!r}"
                mapped = replace(mapped, read=(*mapped.read, note))
        yield mapped, _some(month, path / first, chain(pieces, chain.from_iterable(rest)))


def _is_empty(month: Month, path: Path, name: str, strict: bool, readings: Readings) -> bool:
    """Return whether a table of an archive has a header but no rows."""
    with unpacked(month, path, name) as bare:
        if len(reading(month, path, partial(bare.read, HEAD_BYTES))) == HEAD_BYTES:
            return False
    with _table(month, path, name, strict, readings) as (_, pieces):
        return next(pieces, None) is None


def _some(month: Month, path: Path, pieces: Iterator[Lines]) -> Iterator[Lines]:
    """Yield the pieces.

    Raises:
        BadFile: there is none.
    """
    first = next(pieces, None)
    if first is None:
        raise BadFile(f"{month}: {path.name} has a header but no rows; the month stays as it was")
    yield from chain((first,), pieces)


def _rest(
    month: Month, path: Path, name: str, strict: bool, readings: Readings, first: Mapped
) -> Iterator[Lines]:
    """Yield the pieces of a further table of the archive."""
    with _table(month, path, name, strict, readings, first) as (_, pieces):
        yield from (replace(piece, member=name) for piece in pieces)


@contextmanager
def _table(
    month: Month,
    path: Path,
    name: str,
    strict: bool,
    readings: Readings,
    first: Mapped | None = None,
) -> Iterator[tuple[Mapped, Iterator[Lines]]]:
    declared = DATASETS[month.dataset].text
    with unpacked(month, path, name) as bare:
        start = reading(month, path, partial(bare.read, HEAD_BYTES))
    encoding = _encoding(month, path, name, start, readings)
    with unpacked(month, path, name) as bare:
        stream = bare if encoding == "utf-8" else io.BufferedReader(Recoded(bare, encoding))
        if declared.line_breaks:
            stream = io.BufferedReader(OneLineRows(month, stream))
        head = reading(month, path, partial(stream.read, HEAD_BYTES))
        header = header_of(month, path / name, head)
        begun = head[header.end :]
        rows = [split(line, header.delimiter, declared.quotes) for line in begun.split(b"\n")]
        mapped = _mapped(month, header.names, rows[:-1] or rows, strict, readings)
        if first:
            mapped = _like_first(month, path, name, mapped, first)
        notes = _notes(month, encoding, header, path, start.startswith(MARK))
        mapped = replace(mapped, read=(*notes, *mapped.read))
        layout = Layout(
            month,
            mapped,
            count_fields(rows, len(header.names)),
            header.delimiter,
            header.encoding,
            readings,
            quotes=declared.quotes,
            short_rows=declared.short_rows,
            line_breaks=declared.line_breaks,
        )
        line = head.count(b"\n", 0, header.end) + 1
        yield mapped, _blocks(layout, path / name, begun, stream, line)


def _mapped(
    month: Month,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    strict: bool,
    readings: Readings,
) -> Mapped:
    """Return the columns of the names, given the first rows."""
    numbers = None if DATASETS[month.dataset].text.header else row_numbers(names, rows)
    return map_header(month, names, strict, readings.empty, readings.new_columns, numbers)


def _like_first(month: Month, path: Path, name: str, mapped: Mapped, first: Mapped) -> Mapped:
    """Return the columns of a further table, the undeclared ones in the order of the first table.

    Raises:
        SchemaError: the table has other columns; those that are left out do not count.
    """
    if _columns(mapped) != _columns(first):
        raise SchemaError(
            f"{month}: {name!r} in {path.name} has other columns than the tables before it"
        )
    return replace(mapped, kept=first.kept)


def _columns(mapped: Mapped) -> tuple[object, ...]:
    used = sorted(column.name for column in mapped.columns if column)
    kept = sorted((column.name, column.about) for column in mapped.kept)
    return used, kept, mapped.missing, mapped.twins


def _encoding(month: Month, path: Path, name: str, start: bytes, readings: Readings) -> str:
    """Return the encoding of a table: its own, if it shows it, before the declared one."""
    if start.startswith(MARK):
        return "utf-8"
    declared = DATASETS[month.dataset].text.encoding
    found = encoding_of(start) or readings.encoding
    if found == declared and declared in SINGLE_BYTE:
        return declared_or_utf8(month, path, name, declared)
    return found


def _notes(
    month: Month, encoding: str, header: Header, path: Path, marked: bool
) -> tuple[str, ...]:
    """Return notes on what differs from a plain file: encoding, delimiter, archive."""
    separator = DELIMITERS[header.delimiter]
    zipped = kind_of(path) == "zip"
    declared = DATASETS[month.dataset].text
    other = declared.encoding in SINGLE_BYTE and encoding != declared.encoding
    but = f", although {declared.encoding} is declared" * other
    return tuple(
        note
        for note, is_said in (
            (f"encoded as {encoding}{but}", encoding != "utf-8" or other),
            (f"names encoded as {header.encoding}", header.encoding != "utf-8"),
            ("encoded as utf-8 with a byte order mark", marked),
            (f"fields separated by {separator}", header.delimiter not in (",", declared.separator)),
            ("unpacked from a zip archive", zipped),
        )
        if is_said
    )


def _blocks(
    layout: Layout, path: Path, begun: bytes, stream: io.BufferedIOBase, line: int
) -> Iterator[Lines]:
    """Yield pieces of about `BLOCK_BYTES`, cut after a line end; `begun` was already read."""
    space = bytearray(LONGEST_LINE + BLOCK_BYTES)
    data = memoryview(space)
    ahead = io.BytesIO(begun)
    kept, more = 0, 1
    while more:
        here = data[kept : kept + BLOCK_BYTES]
        more = ahead.readinto(here)
        fill = partial(_fill, stream, here[more:])
        more += reading(layout.month, path, fill)
        end = kept + more
        cut = space.rfind(b"\n", 0, end) + 1 if more else end
        if cut:
            block = Lines(layout, bytes(data[:cut]), line)
            line += block.ends
            if block.data.lstrip(b"\r\n"):
                yield block
        elif end > LONGEST_LINE:
            raise BadFile(f"{layout.month}: {path.name}, line {line} has no end; is it text?")
        kept = end - cut
        data[:kept] = data[cut:end]


def _fill(stream: io.BufferedIOBase, space: memoryview) -> int:
    """Read until the buffer is full or the stream ends, and return the number of bytes.

    Small steps reuse memory: allocating a new megabyte takes as long as unpacking one.
    """
    done = 0
    while more := stream.readinto(space[done : done + _STEP_BYTES]):
        done += more
    return done
