"""Profiles the numbers of a published column."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from monthly.convert.number_texts import Marks, are_numbers, marks_of, normal
from monthly.convert.patterns import matching
from monthly.convert.readings import Mark

#: A whole number that fits a 64-bit integer and is not a code with leading zeros.
_WHOLE = r"^[+-]?(0|[1-9]\d{0,17})$"
_CODE = r"^[+-]?(0\d+([.,]\d*)?|\d{19,})$"
#: An exponent has a sign or follows a point; 187E45 is a code.
_POINT = r"^[+-]?((\d+\.\d*|\.\d+)([eE][+-]?\d{1,2})?|\d+[eE][+-]\d{1,2})$"
_PADDED = r"^[+-]?0\d"
#: A number whose point could separate thousands.
_THOUSANDS = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
_MARKS = r"[.,' \x{a0}\x{202f}\x{2019}]"
_GROUPED = rf"^[+-]?(\d{{1,3}}({_MARKS}\d{{3}})+([.,]\d*)?|\d*,\d+|\d+,)$"
#: A number that a float may not keep: from its first digit that is not 0, more than 17.
_MANY_DIGITS = r"[1-9](\.?\d){17,}"
#: A number of this many characters may not fit a float or an integer.
_LONG = 19
#: A sample of this many texts suffices to tell what a comma means.
_SOME = 200


@dataclass
class Range:
    """The smallest and the largest number."""

    low: float = math.inf
    high: float = -math.inf

    def add(self, numbers: pa.Array) -> None:
        """Widen the range to include more numbers."""
        ends = pc.min_max(numbers).as_py()
        if ends["min"] is not None:
            self.low, self.high = min(self.low, ends["min"]), max(self.high, ends["max"])

    def widen(self, other: Range) -> None:
        """Widen the range to include another one."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)


@dataclass
class Grouped:
    """Numbers with a comma or thousands separators, under one decimal mark.

    Attributes:
        good: how many of them are numbers.
        whole: how many of them are whole numbers.
    """

    good: int = 0
    whole: int = 0


@dataclass
class Numbers:
    """Counts of distinct texts by kind of number.

    Attributes:
        whole: whole numbers without any mark.
        codes: texts that lose digits as a number: leading zeros, or more than 18 digits.
        point: numbers with a decimal point or an exponent.
        zeros: how many of `point` are whole, such as 5.0.
        are_thousands: whether the point could separate thousands in all of `point`.
        are_long: whether any of `point` has more digits than a float keeps.
        grouped: numbers with a comma or thousands separators.
        by: what `grouped` amounts to under each decimal mark.
        marks: the decimal marks that `grouped` implies.
        example: one of `grouped`.
        range: the range of the numbers, by decimal mark.
    """

    whole: int = 0
    codes: int = 0
    point: int = 0
    zeros: int = 0
    are_thousands: bool = True
    are_long: bool = False
    grouped: int = 0
    marks: Marks = field(default_factory=Marks)
    example: str = ""
    by: dict[Mark, Grouped] = field(
        default_factory=lambda: {"point": Grouped(), "comma": Grouped()}
    )
    range: dict[Mark, Range] = field(default_factory=lambda: {"point": Range(), "comma": Range()})

    @property
    def count(self) -> int:
        """Return the number of texts that may be numbers."""
        return self.whole + self.point + self.grouped

    def take(self, texts: pa.Array) -> pa.Array:
        """Count the texts that are numbers and return the others."""
        if len(texts) and (self._take_plain(texts) or self._take_commas(texts)):
            return texts.slice(0, 0)
        for pattern, add in (
            (_WHOLE, self._add_whole),
            (_CODE, self._add_codes),
            (_POINT, self._add_point),
            (_GROUPED, self._add_grouped),
        ):
            texts = taken(texts, pattern, add)
        return texts

    def are_numbers(self, mark: Mark) -> bool:
        """Return whether all texts are numbers under a decimal mark."""
        good = not self.codes and self.by[mark].good == self.grouped
        return good and (mark == "point" or not self.point or self.are_thousands)

    def are_whole(self, mark: Mark) -> bool:
        """Return whether all texts are whole numbers under a decimal mark, without decimals."""
        points = self.point if mark == "point" else 0
        return not points and self.by[mark].whole == self.grouped

    def _add_whole(self, texts: pa.Array) -> None:
        self.whole += len(texts)
        numbers = pc.utf8_ltrim(texts, "+").cast(pa.int64())
        for found in self.range.values():
            found.add(numbers)

    def _add_codes(self, texts: pa.Array) -> None:
        self.codes += len(texts)

    def _add_point(self, texts: pa.Array) -> None:
        self._add_pointed(texts, pc.utf8_ltrim(texts, "+").cast(pa.float64()))

    def _add_pointed(self, texts: pa.Array, numbers: pa.Array) -> None:
        if not len(texts):
            return
        self.point += len(texts)
        self.zeros += pc.sum(pc.equal(pc.floor(numbers), numbers)).as_py() or 0
        self.are_thousands = self.are_thousands and bool(matching(texts, _THOUSANDS).all())
        if not self.are_long and pc.max(pc.utf8_length(texts)).as_py() >= _LONG:
            self.are_long = bool(matching(texts, _MANY_DIGITS).any())
        self.range["point"].add(numbers)
        if self.are_thousands:
            self.range["comma"].add(pc.multiply(numbers, 1000))

    def _take_plain(self, texts: pa.Array) -> bool:
        """Count the texts if all are numbers without a comma or exponent; return whether they are.

        Arrow parses them in a fraction of the time that a pattern takes.
        """
        numbers = _floats(texts) if len(texts) else texts
        if numbers is None or not len(texts):
            return numbers is not None
        pointed = pc.match_substring(texts, ".")
        self._add_pointed(texts.filter(pointed), numbers.filter(pointed))
        whole = pc.invert(pointed)
        self.whole += pc.sum(whole).as_py()
        for found in self.range.values():
            found.add(numbers.filter(whole))
        return True

    def _take_commas(self, texts: pa.Array) -> bool:
        """Count the texts if all are numbers with a decimal comma; return whether they are."""
        if not self.grouped or pc.any(pc.match_substring(texts, ".")).as_py():
            return False
        numbers = _floats(pc.replace_substring(texts, ",", "."))
        if numbers is None or self.by["point"].good == self.grouped:
            return False
        with_comma = pc.match_substring(texts, ",")
        self._take_plain(texts.filter(pc.invert(with_comma)))
        found, numbers = texts.filter(with_comma), numbers.filter(with_comma)
        self.marks += marks_of(found.slice(0, _SOME))
        self.grouped += len(found)
        self.by["comma"].good += len(found)
        self.by["comma"].whole += pc.sum(pc.equal(pc.floor(numbers), numbers)).as_py() or 0
        self.range["comma"].add(numbers)
        return True

    def _add_grouped(self, texts: pa.Array) -> None:
        self.grouped += len(texts)
        self.example = self.example or texts[0].as_py()
        self.marks += marks_of(texts)
        marks: tuple[Mark, ...] = ("point", "comma")
        for mark in marks:
            numbers = normal(texts, mark)
            good = numbers.filter(pa.array(are_numbers(numbers)))
            self.by[mark].good += len(good)
            self.by[mark].whole += int(matching(good, _WHOLE).sum())
            if len(good):
                self.range[mark].add(pc.utf8_ltrim(good, "+").cast(pa.float64()))


def _floats(texts: pa.Array) -> pa.Array | None:
    """Return texts as floats if all have only digits, a sign and a point and none is a code."""
    try:
        numbers = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    is_long = (pc.max(pc.utf8_length(texts)).as_py() or 0) >= _LONG
    is_odd = is_long or any(pc.any(pc.match_substring(texts, e)).as_py() for e in "eEnN")
    from_zero = texts.filter(pc.or_(pc.starts_with(texts, "0"), pc.starts_with(texts, "-")))
    if is_odd or matching(from_zero, _PADDED).any():
        return None
    return numbers


def taken(texts: pa.Array, pattern: str, add: Callable[[pa.Array], None]) -> pa.Array:
    """Add the texts that match a pattern and return the others."""
    if not len(texts):
        return texts
    flags = matching(texts, pattern)
    if flags.all():
        add(texts)
        return texts.slice(0, 0)
    if not flags.any():
        return texts
    add(texts.filter(pa.array(flags)))
    return texts.filter(pa.array(~flags))
