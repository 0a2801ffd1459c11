"""Texts with a meaning of their own: no value, a period, a unit, a total."""

from __future__ import annotations

import re

from monthly.convert.published_values import NULLS
from monthly.describe.written_times import MONTH

#: Texts that publishers use for a missing value.
NULL_TEXTS = frozenset(
    [
        *NULLS,
        *("NA", "N/A", "n/a", "n.a.", "N.A.", "na", "#N/A", "#NA", "nd", "n.d.", "ND", "N.D."),
        *("-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", "**", "?", ":"),
        *("k.A.", "s/d", "S/D", "M", "Missing", "missing", "MISSING", "none", "NONE"),
        *("nil", "NIL", "Nil", "(null)", "NAN", "-nan", "#VALUE!", "#DIV/0!", "No data", "no data"),
        *("No Data", "n/e", "unknown", "Unknown", "0000-00-00", "0000-00-00 00:00:00"),
    ]
)

# ---- years, months and days that head the columns of a wide table

_YEAR = r"(19|20)\d\d"
_PERIOD = re.compile(
    rf"{_YEAR}([-/.](19|20)?\d\d)?"  # a year, a month, a season such as 2019/20
    rf"|{_YEAR}[-/.]\d\d[-/.]\d\d|\d?\d[-/.]\d?\d[-/.](19|20)?\d\d"  # a day
    rf"|{_YEAR}[-/. ]?[MQT]?(0?[1-9]|1[0-2])|[QT]?[1-4][-/. ]{_YEAR}|(0?[1-9]|1[0-2])[-/.]{_YEAR}"
    rf"|{_YEAR}[-/. ]{MONTH}|{MONTH}\.?[-/. ]'?(19|20)?\d\d|(FY|Y|X|YR|Jahr) ?{_YEAR}",
    re.IGNORECASE,
)


def is_period(text: str) -> bool:
    """Return whether a text is a year, quarter, month or day."""
    return bool(_PERIOD.fullmatch(text.strip()))


# ---- units in a line below the names of columns

_TIME = r"[ymdhs]{1,4}([-/:. T][ymdhs]{1,4})+|s|sec|seconds?|min|minutes?|h|hrs?|hours?"
_KIND = r"text|string|char|int|integer|float|double|number|numeric|date|datetime|time|timestamp"
_MEASURE = (
    r"[kMGT]?Wh?|[kM]?VA|[kc]?V|m?A|Hz|[µu]?g|kg|t|[kcdmµu]?m|km|mi|ft|in|[hkM]?Pa|m?bar"
    r"|°?[CFK]|deg|deg ?[CFK]|degrees?|kn|knots|mph|m?l|J|[kM]J|dB|ppm|ppb|EUR|USD|GBP|[€$£]"
)
_UNIT = re.compile(
    rf"[\[(]?({_TIME}|{_KIND}|%|[-1]|UTC|GMT|TS|RN|\d+[sdn]|({_MEASURE})[23²³]?(/[^/ ]+)?"
    rf"|[^/ ]+/({_MEASURE})[23²³]?)[\])]?",
    re.IGNORECASE,
)


def is_unit(text: str) -> bool:
    """Return whether a text is a unit, the form of a date, or the name of a type."""
    return bool(_UNIT.fullmatch(text))


# ---- totals and averages in the place of a time or a name

_SUM = (
    r"(grand |sub-?|over)?(total(s|es|e|i|en)?|totaux|sum|summe|suma|soma|somma|somme|ensemble"
    r"|insgesamt|gesamt(summe)?|zusammen|totaal|totalt|sammanlagt|i alt|razem|celkem|yhteensä)"
    r"( (general|général|generale|geral))?"
)
_MEAN = (
    r"average|avg\.?|mean|mittel(wert)?|durchschnitt|Ø|moyenne|m[eé]dia|promedio"
    r"|gemiddelde"
)
_TOTAL = re.compile(rf"({_SUM}|{_MEAN})\s*[:.]?", re.IGNORECASE)
_OF_SUM = re.compile(rf"{_SUM}\s*[:.]?", re.IGNORECASE)


def is_total(text: str) -> bool:
    """Return whether a text names a total or an average."""
    return bool(_TOTAL.fullmatch(text.strip()))


def is_sum(text: str) -> bool:
    """Return whether a text names a total."""
    return bool(_OF_SUM.fullmatch(text.strip()))
