"""CSV files of every vintage as pieces: whole lines of about a megabyte with known line numbers."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import TypeVar

from isal import igzip, isal_zlib

from trips.csv_lines import Layout, Lines
from trips.datasets import Mapped, map_header
from trips.errors import BadFile
from trips.months import Month

BLOCK_BYTES = 1 << 20
_STEP_BYTES = 1 << 16
#: Where the header must end, and how far rows are looked at for their number of fields.
HEAD_BYTES = 1 << 16
#: A TLC line has about 100 bytes; one this long means that the file is no text at all.
LONGEST_LINE = 1 << 20

T = TypeVar("T")


@contextmanager
def open_csv(month: Month, path: Path, strict: bool) -> Iterator[tuple[Mapped, Iterator[Lines]]]:
    """Open a CSV file, gzipped or not: its columns, and its lines in pieces.

    Raises:
        BadFile: no header, no row under the header, or not text.
        SchemaError: the header does not fit the dataset.
    """
    with path.open("rb") as raw:
        gzipped = raw.peek(2)[:2] == b"\x1f\x8b"
        stream: BufferedIOBase = igzip.open(raw, "rb") if gzipped else raw
        head = _read(month, path, partial(stream.read, HEAD_BYTES))
        names, end = _header(month, path, head)
        mapped = map_header(month, names, strict)
        fields = _count_fields(head[end:].split(b"\n"), len(names))
        stream.seek(end)
        line = head.count(b"\n", 0, end) + 1
        yield mapped, _blocks(Layout(month, mapped, fields), path, stream, line)


def _header(month: Month, path: Path, head: bytes) -> tuple[list[str], int]:
    """The names, and where the line ends that they stand in."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    line, end, _ = text.lstrip().partition(b"\n")
    if not line or (not end and len(head) == HEAD_BYTES):
        raise BadFile(f"{month}: {path.name} has no header; is it the right file?")
    if b"\0" in line:
        raise BadFile(f"{month}: {path.name} is UTF-16 or no text; convert it to UTF-8 first")
    names = _split(line)
    if not names:
        raise BadFile(f"{month}: {path.name} has no line ends that are known; is it text?")
    while len(names) > 1 and not names[-1].strip():
        names.pop()  # must be as empty as the fields beyond the header
    return names, len(head) - len(text.lstrip()) + len(line) + len(end)


def _split(line: bytes) -> list[str]:
    """The fields of a line, none if it cannot be split."""
    try:
        return next(csv.reader([line.strip(b"\r").decode("utf-8", "backslashreplace")]), [])
    except csv.Error:
        return []


def _count_fields(lines: Sequence[bytes], names: int) -> int:
    """Fields of most rows; some vintages have more than names, the surplus empty."""
    rows = [_split(line) for line in lines]
    counts = Counter(len(row) for row in rows if row and not any(f.strip() for f in row[names:]))
    return max([names, *(fields for fields, _ in counts.most_common(1))])


def _blocks(layout: Layout, path: Path, stream: BufferedIOBase, line: int) -> Iterator[Lines]:
    """Pieces of about a megabyte, cut after the last end of a line."""
    space = bytearray(LONGEST_LINE + BLOCK_BYTES)
    data = memoryview(space)
    kept, more, empty = 0, 1, True
    while more:
        more = _read(layout.month, path, partial(_fill, stream, data[kept : kept + BLOCK_BYTES]))
        end = kept + more
        cut = space.rfind(b"\n", 0, end) + 1 if more else end
        if cut:
            block = Lines(layout, bytes(data[:cut]), line)
            line += block.ends
            if block.data.lstrip(b"\r\n"):
                empty = False
                yield block
        elif end > LONGEST_LINE:
            raise BadFile(f"{layout.month}: {path.name}, line {line} has no end; is it text?")
        kept = end - cut
        data[:kept] = data[cut:end]
    if empty:
        raise BadFile(
            f"{layout.month}: {path.name} has a header but no row; the month stays as it was"
        )


def _fill(stream: BufferedIOBase, space: memoryview) -> int:
    """Read until the space is full or the stream ends; how many bytes.

    In small steps, whose memory is used again: a new megabyte takes as long as to unpack one.
    """
    done = 0
    while more := stream.readinto(space[done : done + _STEP_BYTES]):
        done += more
    return done


def _read(month: Month, path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except (EOFError, igzip.BadGzipFile, isal_zlib.error) as error:
        raise BadFile(f"{month}: {path.name} is a damaged gzip ({error}); get it again") from error
