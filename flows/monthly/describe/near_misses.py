"""Tells why a text column narrowly misses another type."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monthly.convert.readings import Mark
from monthly.describe.values import Values

_NUMBER = r"\d[\d.,'\u2019\u00a0\u202f ]*"
#: A number with a currency or percent sign before or after it.
_SIGNED = re.compile(
    rf"[-+(\u2212]?\s?(?:[A-Z]{{0,2}}[$€£¥]\s?[-+\u2212]?{_NUMBER}|{_NUMBER}\s?[%$€£¥])\)?"
    rf"|\({_NUMBER}\)|\d[\d.,']*\s?-"  # negative in accounts
    rf"|\u2212\s?{_NUMBER}"  # negative in print
)
#: A time with a fraction of a second that is finer than a microsecond.
_FINE = re.compile(r"\d.*\d:\d\d[.,]\d{7,9}(?!\d).*")
_WEEK = re.compile(r"\d{4}[-/ ]?[WK]W?\d{1,2}", re.IGNORECASE)
#: A month may be written like this in a language whose names of months are not read.
_WORD_AND_YEAR = re.compile(r"([^\W\d_]+)\.?[-/. ](?:19|20)\d\d|(?:19|20)\d\d[-/. ]([^\W\d_]+)\.?")
_MONTHS = 12
#: Most odd texts that a comment names.
_FEW = 5


def near_misses(texts: Sequence[Values], odd: set[str], mark: Mark) -> tuple[str, ...]:
    """Return why a text column narrowly misses another type; empty if it does not."""
    if text := _with_other_mark(texts, mark):
        return (
            f"Numbers, but {text!r} has a different decimal mark from most numbers in the files.",
        )
    if text := next((t for values in texts if (t := _number_with_unit(values))), ""):
        return (f"Numbers with a unit, such as {text!r}, which no number type reads.",)
    if odd and all(map(_FINE.fullmatch, odd)):
        return (
            f"Times, such as {min(odd)!r}, that are finer than the microseconds of a timestamp.",
        )
    if odd and all(map(_WEEK.fullmatch, odd)):
        return (f"Weeks, such as {min(odd)!r}, which no format reads.",)
    if (named := _like_months(odd)) and not any(values.numbers.count for values in texts):
        return (
            f"If texts such as {named!r} are months, no format reads them, and they stay text.",
        )
    codes = any(values.numbers.codes for values in texts)
    numbers = sum(values.numbers.count for values in texts)
    times = sum(f.count for values in texts for f in values.times.forms.values())
    if codes and not odd and not times:
        return ("Digits, but codes: a number would lose leading zeros or the last of many digits.",)
    what = "numbers" if numbers >= times else "times"
    if not odd or len(odd) > _FEW or max(numbers, times) < 10 * len(odd):
        return ()
    named = ", ".join(repr(text) for text in sorted(odd))
    return (
        f"All are {what} but {named}: if these mean no value, name them in [text] nulls; if they "
        "are not data rows, such as totals, declare the type of the others, and they are rejected.",
    )


def _with_other_mark(texts: Sequence[Values], mark: Mark) -> str:
    """Return a number that is none under the decimal mark of the files, if all are numbers."""
    wrong = [values for values in texts if not values.numbers.are_numbers(mark)]
    if not wrong or not all(values.is_only("numbers") for values in texts):
        return ""
    sign = "," if mark == "point" else "."
    return next((text for values in wrong for text in values.distinct if sign in text), "")


def _like_months(texts: set[str]) -> str:
    """Return the first text if all are a year and one of a few words, such as months may be."""
    found = [*map(_WORD_AND_YEAR.fullmatch, sorted(texts))]
    words = {match[1] or match[2] for match in found if match}
    return min(texts) if all(found) and 1 < len(words) <= _MONTHS else ""


def _number_with_unit(values: Values) -> str:
    """Return the first text that is not a number, if all such texts have a sign or unit."""
    texts = [*values.odd]
    numbers = values.numbers.count or not values.times.forms
    return texts[0] if texts and numbers and all(map(_SIGNED.fullmatch, texts)) else ""
