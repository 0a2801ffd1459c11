"""Numbers written as text: which texts are numbers, and what a comma in them means."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from monthly.convert.patterns import Flags, matching
from monthly.convert.readings import Mark

#: Blanks and apostrophes separate thousands; they have no other meaning in a number.
_GROUPED = r"^([+-]?\d{1,3}(?:[ '\x{a0}\x{202f}\x{2019}]\d{3})+(?:[.,]\d*)?)$"
_BLANKS = r"[ '\x{a0}\x{202f}\x{2019}]"
PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
#: NaN as C programs, too, write it: with a sign, or with a kind in parentheses.
NAN = r"^[+-]?[Nn][Aa][Nn](\(\w*\))?$"
_INFINITE = r"^[+-]?[Ii][Nn][Ff]([Ii][Nn][Ii][Tt][Yy])?$"
#: Texts valid under only one of the two decimal marks, and texts valid under both.
_POINT = r"^[+-]?(\d{1,3}(,\d{3})+\.\d*|\d{1,3}(,\d{3}){2,}|\d*\.(\d{1,2}|\d{4,}))$"
_COMMA = r"^[+-]?(\d{1,3}(\.\d{3})+,\d*|\d{1,3}(\.\d{3}){2,}|\d*,(\d{1,2}|\d{4,})?|\d{4,},\d{3})$"
_EITHER = r"^[+-]?\d{1,3},\d{3}$"
_WITH_POINT = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
_WITH_COMMA = r"^[+-]?(\d{1,3}(\.\d{3})+(,\d*)?|\d*,\d+|\d+,)$"


@dataclass(frozen=True)
class Marks:
    """Counts of texts by the decimal mark that they imply.

    Attributes:
        point: texts valid only with a decimal point.
        comma: texts valid only with a decimal comma.
        either: texts with a comma that could separate thousands or decimals.
    """

    point: int = 0
    comma: int = 0
    either: int = 0

    def __add__(self, other: Marks) -> Marks:
        """Add the counts of two parts of a file."""
        return Marks(self.point + other.point, self.comma + other.comma, self.either + other.either)


def marks_of(texts: pa.Array) -> Marks:
    """Count trimmed texts by the decimal mark that they imply."""
    ungrouped = _without_blanks(texts)
    return Marks(*(_count(ungrouped, pattern) for pattern in (_POINT, _COMMA, _EITHER)))


def needs_mark(texts: pa.Array) -> bool:
    """Return whether any text cannot be read without knowing the decimal mark."""
    odd = texts.filter(pa.array(~matching(texts, PLAIN)))
    return bool(_count(_without_blanks(odd), rf"({_POINT})|({_COMMA})|({_EITHER})"))


def normal(texts: pa.Array, mark: Mark | None) -> pa.Array:
    """Normalize trimmed texts to a decimal point and no thousands separator."""
    plain = _without_blanks(texts)
    if mark == "comma":
        swapped = pc.replace_substring(pc.replace_substring(plain, ".", ""), ",", ".")
        # With decimal commas, a point separates thousands, or the text is not a number.
        pointed = pc.match_substring(plain, ".")
        meant = pa.array(matching(plain, _WITH_COMMA))
        return pc.if_else(meant, swapped, pc.if_else(pointed, "?", plain))
    grouped = pa.array(matching(plain, _WITH_POINT))
    return pc.if_else(grouped, pc.replace_substring(plain, ",", ""), plain)


def are_numbers(texts: pa.Array) -> Flags:
    """Flag the normalized texts that are numbers; those that spell infinity are not."""
    return matching(texts, PLAIN)


def are_infinite(texts: pa.Array) -> Flags:
    """Flag the texts that spell infinity."""
    return matching(texts, _INFINITE)


def _without_blanks(texts: pa.Array) -> pa.Array:
    grouped = matching(texts, _GROUPED)
    if not grouped.any():
        return texts
    return pc.if_else(pa.array(grouped), pc.replace_substring_regex(texts, _BLANKS, ""), texts)


def _count(texts: pa.Array, pattern: str) -> int:
    return int(matching(texts, pattern).sum())
