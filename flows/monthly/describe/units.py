"""Recognizes units in a line below the names of columns."""

from __future__ import annotations

import re

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
