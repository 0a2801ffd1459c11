"""Compares the lines before the rows of a CSV file with the header that replaces them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import SchemaError
from monthly.columns import fold
from monthly.datasets import DATASETS
from monthly.month import Month

#: A time has at least the digits of a year.
_TIME = re.compile(r"\s*\d(.*\d){3}")


def refuse_other_lines(
    month: Month, path: Path, lines: Sequence[Sequence[str]], names: Sequence[str]
) -> None:
    """Raise if the skipped lines show that the file is laid out otherwise than declared.

    Args:
        month: the month.
        path: the file.
        lines: the fields of each skipped line.
        names: the declared header.

    Raises:
        SchemaError: a line has the names of the columns in another order, or the last one is a row.
    """
    place = DATASETS[month.dataset].place
    for number, line in enumerate(lines, 1):
        for at in _moved(line, names):
            declared = repr(names[at]) if at < len(names) else "none"
            raise SchemaError(
                f"{month}: line {number} of {path.name} has {line[at]!r} as field {at + 1}, where "
                f"the declared header has {declared}",
                f"correct the header in {place}; if the file is wrong, write another name there "
                "and make it an alias of the column",
            )
    for text in _times(month, lines[-1] if lines else (), names):
        raise SchemaError(
            f"{month}: line {len(lines)} of {path.name} is declared as one before the rows, but is "
            f"a row itself: {text[:80]!r} is a time",
            f"correct lines_before_header in {place}",
        )


def _moved(line: Sequence[str], names: Sequence[str]) -> Iterator[int]:
    """Yield the fields of a line, if it has most names, that are the names of other fields."""
    found, declared = ([fold(text) for text in texts] for texts in (line, names))
    known = [name for name in dict.fromkeys(declared) if name in found]
    for name in known if len(known) * 2 > len(names) else ():
        place = declared.index(name)
        if found[place : place + 1] != [name]:
            yield found.index(name)


def _times(month: Month, line: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """Yield the texts in the columns of times, if a line has all fields and such texts."""
    columns = [c for c in DATASETS[month.dataset].columns if c.kind in ("date", "timestamp")]
    times = {fold(name) for c in columns for name in c.joined or (c.name, *c.aliases)}
    if len(line) == len(names):
        for name, text in zip(names, line):
            if fold(name) in times and _TIME.match(text) and fold(text) != fold(name):
                yield text
