"""Converts declared time formats, such as `%d.%m.%Y %H:%M`, to patterns."""

from __future__ import annotations

import re
from typing import Literal

from monthly.convert.month_names import NAME

#: The end of a published interval that is read.
Side = Literal["start", "end"]

#: Python's directives, and %q for a quarter, with the group that each becomes; see
#: `monthly.convert.time_texts`.
_GROUPS = {
    "Y": r"(?P<y>\d{4})",
    "y": r"(?P<y>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "a": r"[A-Za-z]{3,9}\.?",
    "A": r"[A-Za-z]{3,9}",
    "b": rf"(?P<n>{NAME})\.?",
    "B": rf"(?P<n>{NAME})",
    "q": r"(?P<q>[1-4])",
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<H>\d{1,2})",
    "p": r"(?P<p>[AaPp])\.?[Mm]\.?",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})",
    "s": r"(?P<s>\d{1,10})",
    "z": r"(?P<z>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)",
    # Zones like CST and IST are left out because their names are ambiguous.
    "Z": r"(?P<z>UTC|GMT|E[SD]T|P[SD]T|CES?T|EES?T|WES?T)",
    "%": "%",
}
_ANY_UNIT = _GROUPS["s"] + _GROUPS["f"]
#: Milli-, micro- and nanoseconds, told apart by the number of digits. Only milliseconds may be
#: from before September 2001, when times had fewer digits and the others would not be clear.
_UNITS = (
    r"(?P<s>\d{1,10})(?P<f>\d{3})",
    r"(?P<s>\d{10})(?P<f>\d{6})",
    r"(?P<s>\d{10})(?P<f>\d{9})",
)
_DIRECTIVE = re.compile(r"%(.?)")
_ENDS_IN_DIGITS = re.compile("%[YymdHIMSq]$")
_KNOWN = ", ".join(f"%{letter}" for letter in _GROUPS)


class UnknownFormat(ValueError):
    """An unsupported format; the message says why and what is supported."""


def patterns_of(text: str, side: Side = "start") -> list[str]:
    """Return the patterns of a format; see `pattern_of`. `%s%f` has one for each unit."""
    pattern = pattern_of(text, side)
    return [pattern.replace(_ANY_UNIT, unit) for unit in _UNITS[: 3 if _ANY_UNIT in pattern else 1]]


def pattern_of(text: str, side: Side = "start") -> str:
    """Return the pattern of a format, with a group for each part.

    Args:
        text: the format of a time, or of an interval: two times and what is between them.
        side: the time of an interval to read.

    Raises:
        UnknownFormat: a directive is unknown or repeated, or the year or month is missing.
    """
    halves = [_groups(half) for half in halves_of(text)]
    read = halves[0] if side == "start" else halves[-1]
    names = re.findall(r"\?P<(\w)>", read)
    if twice := {name for name in names if names.count(name) > 1}:
        raise UnknownFormat(f"{text!r} has the same part twice ({', '.join(sorted(twice))})")
    if "q" in names and {"m", "n"} & {*names}:
        raise UnknownFormat(f"{text!r} has a quarter and a month; a time needs one of them")
    if "s" not in names and ("y" not in names or not {"m", "n", "q"} & {*names}):
        of_side = f" in its {side}" if len(halves) > 1 else ""
        raise UnknownFormat(f"{text!r} has no year or no month{of_side}; a time needs both")
    # A zone given for only one of the times applies to both.
    other = r"\?P<[^z]>" if "z" not in names else r"\?P<\w>"
    shown = [half if half is read else re.sub(other, "?:", half) for half in halves]
    return f"^{''.join(shown)}$"


def halves_of(text: str) -> tuple[str, ...]:
    """Return the formats of the start and the end of an interval; for a time, the text alone.

    The end has the same parts as the start, or only the time of day; a zone may be in either.
    """
    found = [match for match in _DIRECTIVE.finditer(text) if match[1] not in "%zZ"]
    letters = "".join(match[1] for match in found)
    for at in range(1, len(letters)):
        start, end = letters[:at], letters[at:]
        if end == start or (end[0] in "HI" and start.endswith(end)):
            return text[: found[at].start()], text[found[at].start() :]
    return (text,)


def _groups(text: str) -> str:
    parts, at = [], 0
    for match in _DIRECTIVE.finditer(text):
        if match[1] not in _GROUPS:
            raise UnknownFormat(f"{text!r} has {match[0]!r}; the directives are {_KNOWN}")
        group = _GROUPS[match[1]]
        if at == match.start() and _ENDS_IN_DIGITS.search(text[:at]):
            group = group.replace(r"\d{1,2}", r"\d{2}")  # 905 is 9:05; 2024111 does not fit
        parts += [re.escape(text[at : match.start()]), group]
        at = match.end()
    return "".join([*parts, re.escape(text[at:])])
