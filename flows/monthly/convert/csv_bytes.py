"""Scans of the bytes of CSV lines, which take a fraction of the time of parsing them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
_STRIP_BYTES = 1 << 16


def line_ends(data: bytes) -> tuple[int, bool]:
    """Return the number of line feeds, and whether a carriage return lies inside a line."""
    # numpy is five times as fast as `bytes.count`, which stops at each match.
    count, splits, returns = 0, False, b"\r" in data
    for strip in _strips(data):
        feeds = strip == 10
        count += int(np.count_nonzero(feeds[:_STRIP_BYTES]))
        if returns:
            stray = np.greater(strip[:-1] == 13, feeds[1:])
            splits = splits or bool(stray.any() and np.any(stray & (strip[1:] != 13)))
    return count, splits


def has_hexadecimal(data: bytes) -> bool:
    """Return whether 0x or 0X occurs."""
    return _has_pair(data, b"0x") or _has_pair(data, b"0X")


def has_odd_quotes(data: bytes) -> bool:
    """Return whether any line has an odd number of quotes, as both parts of a split field do."""
    codes = np.frombuffer(data if data.endswith(b"\n") else data + b"\n", np.uint8)
    marks = codes[(codes == 34) | (codes == 10)]
    quotes = np.diff(np.flatnonzero(marks == 10), prepend=-1) - 1
    return bool(np.any(quotes & 1))


def quoted_start(data: bytes, delimiter: str) -> bytes | None:
    """Return the quoted start of the first field that goes on after it, such as `"Weird" Al`.

    Args:
        data: lines with an even number of quotes each.
        delimiter: the delimiter between fields.
    """
    codes = np.frombuffer(b"\n%b\n" % data, np.uint8)
    quotes = np.flatnonzero(codes == 34)
    # Unless a line is unusual, the first quote of each pair begins a field or follows another
    # quote, and the second ends a field or precedes another quote.
    before = _none_of(codes[quotes[::2] - 1], f'{delimiter}\n"')
    after = _none_of(codes[quotes[1::2] + 1], f'{delimiter}\r\n"')
    if not (before | after).any():
        return None
    mark = re.escape(delimiter.encode())
    bare = re.sub(rb'" +(?=[%b\r\n]|\Z)' % mark, b'"', data) if after.any() else data
    if bare != data:
        return quoted_start(bare, delimiter)  # without the blanks that follow quotes
    ends = np.flatnonzero(codes == 10)
    lines = _lines_of(ends, quotes[np.repeat(before | after, 2)])
    # Only a quote that begins a field encloses a text.
    lines &= _lines_of(ends, quotes[~_none_of(codes[quotes - 1], f"{delimiter}\n")])
    field = re.compile(rb'("(?:[^"]|"")*"(?!"))([^%b]*)|".*|[^%b]*' % (mark, mark))
    for line in sorted(lines):
        for found in field.finditer(data[ends[line - 1] : ends[line] - 1]):
            if found[1] and found[2].decode("utf-8", "replace").strip():
                return found[1]
    return None


def _none_of(codes: Bytes, letters: str) -> npt.NDArray[np.bool_]:
    others = np.ones(256, np.bool_)
    others[list(letters.encode())] = False
    return others[codes]


def _lines_of(ends: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> set[int]:
    """Return the lines in which these places lie, by the number of line feeds before them."""
    return set(np.unique(np.searchsorted(ends, places)).tolist())


def padded(data: bytes, delimiter: str, fields: int, quotes: bool) -> bytes:
    """Return the lines; those that are short, but not blank, are padded to this many fields.

    Raises:
        ValueError: a line cannot be split into fields.
    """
    mark = delimiter.encode()
    lines = [line.rstrip(b"\r") for line in data.split(b"\n")]
    return b"\n".join(
        line + mark * (fields - _count_fields(line, delimiter, mark, quotes)) if line else line
        for line in lines
    )


def _count_fields(line: bytes, delimiter: str, mark: bytes, quotes: bool) -> int:
    if not quotes or b'"' not in line:
        return line.count(mark) + 1
    try:
        return len(next(csv.reader([line.decode("latin-1")], delimiter=delimiter), []))
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _has_pair(data: bytes, pair: bytes) -> bool:
    """Return whether two bytes occur next to each other."""
    # Where they are frequent, `bytes` finds the pair only as slowly as Arrow parses.
    first, second = pair
    return pair[1:] in data and any(
        bool(np.any((strip[:-1] == first) & (strip[1:] == second))) for strip in _strips(data)
    )


def _strips(data: bytes) -> Iterator[Bytes]:
    """Yield the bytes in strips, each with the first byte of the next one.

    The arrays made from a strip fit into the cache and reuse memory. With strips of megabytes,
    fresh memory pages would double the cost.
    """
    codes = np.frombuffer(data, np.uint8)
    for start in range(0, len(codes), _STRIP_BYTES):
        yield codes[start : start + _STRIP_BYTES + 1]
