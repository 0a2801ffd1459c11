"""Tells from its lines whether the quotes of a text file enclose fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from monthly.convert.csv_bytes import has_odd_quotes
from monthly.convert.csv_header import split
from monthly.convert.csv_lines import Lines

#: Quotes count as enclosing if, by more than this number, the lines whose quotes enclose whole
#: fields outnumber those whose quotes are plain characters.
_ENOUGH = 10_000
_ENCLOSED = re.compile(r'"(?:[^"]|"")*"')
#: A field in quotes that has a quote after a backslash, as MySQL and Spark write it.
_ESCAPED = re.compile(r'"(?:[^"\\]|\\.)*\\"(?:[^"\\]|\\.)*"')
#: A number, date or time: plain quotes do not stand around these.
_NUMBER = re.compile(r"[-+]?\d[\d.,:/ -]*")


class _Tells(Enum):
    """What the quotes of a line are."""

    PLAIN = "characters like any other"
    ENCLOSING = "what holds a field together"
    EITHER = "one or the other"
    NOTHING = "nothing that tells"


@dataclass
class Quotes:
    """Counts of lines by what their quotes are.

    Attributes:
        plain: lines in which a quote can only be a character like any other, as in `12" vinyl`.
        first: the number of the first of these.
        enclosing: lines that are a row only if quotes enclose fields, or that have doubled quotes.
        either: lines whose quotes enclose whole fields, but may also be plain characters.
    """

    plain: int = 0
    first: int = 0
    enclosing: int = 0
    either: int = 0

    @property
    def are_plain(self) -> bool:
        """Return whether no quote encloses a field, as far as the lines tell."""
        return self.plain > 0 and not self.enclosing and self.either <= self.plain

    @property
    def _are_enclosing(self) -> bool:
        return self.enclosing > 0 or self.either > _ENOUGH + self.plain

    def add(self, lines: Lines) -> None:
        """Count the lines of a piece."""
        layout = lines.layout
        if b'"' not in lines.data:
            return
        if self._are_enclosing and not _may_have_plain(lines.data, layout.delimiter):
            return  # looking at each line takes as long as everything else
        for number, line in enumerate(lines.data.split(b"\n"), lines.first):
            if b'"' in line:
                self._count(number, _tells(line, layout.delimiter, layout.fields))

    def _count(self, number: int, tells: _Tells) -> None:
        if tells is _Tells.PLAIN:
            self.first = self.first or number
            self.plain += 1
        self.enclosing += tells is _Tells.ENCLOSING
        self.either += tells is _Tells.EITHER


def _may_have_plain(data: bytes, separator: str) -> bool:
    """Return whether a quote may be inside a field or unmatched."""
    within = rb'[^"\n%b]" *[^"\s%b]' % ((re.escape(separator.encode()),) * 2)
    return has_odd_quotes(data) or bool(re.search(within, data))


def _tells(line: bytes, separator: str, fields: int) -> _Tells:
    parts = [part.strip() for part in split(line, separator, quotes=False)]
    if len(parts) != fields:
        is_cut = line.count(b'"') % 2 == 1  # by a line break, perhaps
        is_row = len(split(line, separator, quotes=True)) == fields
        return _Tells.ENCLOSING if is_cut or is_row else _Tells.NOTHING
    if any(map(_ESCAPED.fullmatch, parts)):
        return _Tells.ENCLOSING
    if any(map(_is_plain, parts)) and not _may_go_on(parts):
        return _Tells.PLAIN if fields > 1 else _Tells.NOTHING
    enclosed = [part for part in parts if _ENCLOSED.fullmatch(part)]
    if any('""' in part[1:-1] or _NUMBER.fullmatch(part[1:-1]) for part in enclosed):
        return _Tells.ENCLOSING
    return _Tells.EITHER if enclosed else _Tells.NOTHING


def _is_plain(field: str) -> bool:
    """Return whether a field has a quote that encloses nothing."""
    if field.startswith('"'):
        return not _ENCLOSED.fullmatch(field)
    return field.count('"') % 2 == 1


def _may_go_on(parts: Sequence[str]) -> bool:
    """Return whether only the last field of a line has such a quote, and may go on in the next."""
    *others, last = parts
    return last.startswith('"') and last.count('"') % 2 == 1 and not any(map(_is_plain, others))
