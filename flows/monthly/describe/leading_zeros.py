"""Finds whole numbers that are codes, which may have leading zeros in another month."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from monthly.describe.naming import identifier
from monthly.describe.numbers import Range
from monthly.describe.values import Values

#: Names of codes that have leading zeros in some places: of post, census, weather, trade, phones.
_PADDED = re.compile(
    r"(^|_)(zip(_?code)?|modzcta|zcta|post(al)?_?code|(code|cod|codigo)_?postal|postal|plz"
    r"|postleitzahl|postn(umme)?r|(state_?|county_?)?fips|(state|county|tract|blkgrp|place)_?[fc][pe]"
    r"|geo_?id|census_tract|wban|usaf|(code_)?insee|siret|gtin|ean|upc|isbn|ndc|duns"
    r"|(tele)?phone|telefono?)_?(code|id|no|nr|num|number)?_?\d*$"
)
#: Names of other keys.
_KEY = re.compile(r"(^|_)((id|code|codigo|key)(_|$)|cod_)|_(no|nr|number|numero|nummer)$")
#: Keys of fewer digits are small numbers.
_DIGITS = 3
#: Keys of which at least one in so many is used were assigned consecutively.
_DENSE = 10
_OTHERWISE = 'If other months have leading zeros, keep them with type = "string".'


@dataclass(frozen=True)
class Codes:
    """What whole numbers are that may be codes.

    Attributes:
        note: what says so; empty if they are plain numbers.
        are_texts: whether they are better kept as text.
    """

    note: str = ""
    are_texts: bool = False


def codes_of(seen: Sequence[Values]) -> Codes:
    """Return whether the whole numbers of a column are codes, by its name and their digits."""
    found, names = Range(), [identifier(values.name, 0) for values in seen]
    for values in seen:
        found.widen(values.numbers.range["point"])
    digits = _digits(found)
    if found.high <= 1:
        return Codes()  # whether there is one
    if any(map(_PADDED.search, names)):
        if digits >= _DIGITS:
            why = "Text, as codes of this name may have leading zeros"
            return Codes(f"{why}; here, all have {digits} digits.", are_texts=True)
        return Codes(f"Without leading zeros here. {_OTHERWISE}")
    is_key = any(map(_KEY.search, names)) and not _are_counted(seen, found)
    if is_key and digits >= _DIGITS and found.low < found.high:
        return Codes(f"All have {digits} digits. {_OTHERWISE}")
    return Codes()


def _digits(found: Range) -> int:
    """Return the number of digits that all numbers have; 0 if it differs."""
    low, high = (len(f"{end:.0f}") for end in (found.low, found.high))
    return low if low == high and found.low > 0 else 0


def _are_counted(seen: Sequence[Values], found: Range) -> bool:
    """Return whether the numbers tell all rows apart and are close to each other."""
    rows = sum(values.known for values in seen)
    return all(values.is_key for values in seen) and found.high - found.low < _DENSE * rows
