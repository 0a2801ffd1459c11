"""Compares the lines before the rows of a CSV file with the header that replaces them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import SchemaError
from monthly.columns import Column, fold
from monthly.convert.arrays import strings
from monthly.convert.time_texts import read_formatted, read_under_each
from monthly.datasets import DATASETS
from monthly.month import Month

#: A part of a joined time has at least the digits of a year.
_PART = re.compile(r"\s*\d(.*\d){3}")


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
                f"correct the header in {place}; if the names in the file are wrong, write another "
                "name in the header and make it an alias of the column",
            )
    for text in _times(month, lines[-1] if lines else (), names):
        raise SchemaError(
            f"{month}: line {len(lines)} of {path.name} is declared to come before the rows, but "
            f"is a row: {text[:80]!r} is a time",
            f"correct lines_before_header in {place}",
        )


def _moved(line: Sequence[str], names: Sequence[str]) -> Iterator[int]:
    """Yield the fields of a line of names, if it has most of them, that name other fields."""
    if sum(1 for text in line if text.strip()) < len(names):
        return  # the declared header may have names for fields that the line leaves out
    found, declared = ([fold(text) for text in texts] for texts in (line, names))
    known = [name for name in dict.fromkeys(declared) if name in found]
    for name in known if len(known) * 2 > len(names) else ():
        place = declared.index(name)
        if found[place : place + 1] != [name]:
            yield found.index(name)


def _times(month: Month, line: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """Yield the texts of a line that are times in the columns of times, if it may be a row."""
    texts = [text.strip() for text in line]
    if (
        len(texts) < len(names)
        or any(texts[len(names) :])
        or 2 * sum(map(bool, texts)) < len(names)
    ):
        return
    columns = [c for c in DATASETS[month.dataset].columns if c.kind in ("date", "timestamp")]
    times = {fold(name): c for c in columns for name in c.joined or (c.name, *c.aliases)}
    for name, text in zip(names, texts):
        column = times.get(fold(name))
        if column and text and fold(text) != fold(name) and _is_time(column, text, month.year):
            yield text


def _is_time(column: Column, text: str, near_year: int) -> bool:
    if column.joined:
        return bool(_PART.match(text))
    if column.formats:
        read = [read_formatted(strings([text]), column.formats, near_year, column.side)]
    else:
        read = list(read_under_each(strings([text]), near_year).values())
    return any(times.valid.all() for times in read)
