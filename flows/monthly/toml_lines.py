"""Line numbers of the keys in a TOML file, which Python's parser does not report."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib as tomllib
else:
    import tomli

    tomllib = tomli

#: The path to a key; an int is a position in an array of tables.
Path = tuple[str | int, ...]

_TABLE = re.compile(r"\s*(\[\[?)(.+?)\]\]?\s*(#.*)?")
_KEY = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+|\s*\.\s*)+?)\s*=(.*)""")
_LONG_TEXT = ('"' * 3, "'" * 3)
_TEXT = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'""")


def lines_of(text: str) -> Mapping[Path, int]:
    """Return the line of each table and key of a valid TOML file, counted from 1."""
    found: dict[Path, int] = {}
    arrays: Counter[Path] = Counter()
    table: Path = ()
    for number, line in _statements(text):
        if match := _TABLE.fullmatch(line):
            table = _parts(match[2])
            if match[1] == "[[":
                arrays[table] += 1
                table = (*table, arrays[table] - 1)
            found.setdefault(table, number)
        elif match := _KEY.match(line):
            found.setdefault((*table, *_parts(match[1])), number)
    return found


def line_at(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of a key, or of the innermost table that contains it; 1 if there is none."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 1


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that begin a statement, but not those inside a multi-line string or array."""
    quote, depth = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not quote and not depth:
            yield number, line
        quote, depth = _after(line, quote, depth)


def _after(line: str, quote: str, depth: int) -> tuple[str, int]:
    """Return the multi-line quote and the number of brackets still open after a line."""
    is_table = not quote and not depth and _TABLE.fullmatch(line)
    while True:
        if quote:
            _, end, line = line.partition(quote)
            if not end:
                return quote, depth
            quote = ""
        marks = [(line.find(mark), mark) for mark in _LONG_TEXT if mark in line]
        if not marks:
            break
        at, quote = min(marks)
        depth, line = depth + _brackets(line[:at]), line[at + 3 :]
    return "", depth if is_table else depth + _brackets(line)


def _brackets(line: str) -> int:
    bare = _TEXT.sub("", line).partition("#")[0]
    return bare.count("[") - bare.count("]")


def _parts(key: str) -> Path:
    """Split a dotted key with the TOML parser, since its parts may be quoted."""
    parts: list[str] = []
    inner: Any = tomllib.loads(f"{key} = 0")
    while isinstance(inner, dict):
        ((part, inner),) = inner.items()
        parts.append(part)
    return tuple(parts)
