"""Finds zones in the names of columns, such as `MTU (CET/CEST)` or `time [Europe/Berlin]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from monthly.declaration_faults import is_zone

_PLACE = re.compile(r"[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_]+)+")
_OFFSET = re.compile(r"(?:UTC|GMT) ?([+\u2212-]) ?(\d{1,2})(?::?(\d{2}))?(?!\d)", re.IGNORECASE)
_UTC = re.compile(r"(^|[^a-z])(utc|gmt|zulu)([^a-z]|$)", re.IGNORECASE)
_ABBREVIATION = re.compile(r"(?<![A-Za-z])[A-Z]{3,4}(?![A-Za-z])|(?<=[(\[])[A-Z]{2}(?=[)\]])")
#: Names of a standard time and of its summer time, the zone of both, and the standard offset.
_PAIRS = (
    *(("CET", "CEST", "Europe/Berlin", 1), ("MEZ", "MESZ", "Europe/Berlin", 1)),
    *(("EET", "EEST", "Europe/Helsinki", 2), ("WET", "WEST", "Europe/Lisbon", 0)),
    *(("EST", "EDT", "America/New_York", -5), ("CST", "CDT", "America/Chicago", -6)),
    *(("MST", "MDT", "America/Denver", -7), ("PST", "PDT", "America/Los_Angeles", -8)),
    *(("AEST", "AEDT", "Australia/Sydney", 10), ("NZST", "NZDT", "Pacific/Auckland", 12)),
    ("GMT", "BST", "Europe/London", 0),
)
#: Names of a zone whatever the season.
_ZONES = {
    **{"ET": "America/New_York", "EPT": "America/New_York", "CPT": "America/Chicago"},
    **{"CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"},
    **{"JST": "Asia/Tokyo", "KST": "Asia/Seoul", "HKT": "Asia/Hong_Kong", "SGT": "Asia/Singapore"},
    **{"SAST": "Africa/Johannesburg", "MSK": "Europe/Moscow"},
}
#: Further zones that some countries call by these names.
_ELSEWHERE = {
    "CST": ("Asia/Shanghai",),
    "IST": ("Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin"),
    "AEST": ("Australia/Brisbane",),
}


def zones_named(name: str) -> list[str]:
    """Return the zones that a column's name may mean; none if it names none."""
    if places := [text for text in _PLACE.findall(name) if is_zone(text)]:
        return places[:1]
    if offset := _OFFSET.search(name):
        return [*_fixed_at(*offset.groups())]
    names = _ABBREVIATION.findall(name)
    for standard, summer, zone, _ in _PAIRS:
        if {standard, summer} <= {*names}:
            return [zone]
    if found := [_ZONES[text] for text in names if text in _ZONES]:
        return found[:1]
    if _UTC.search(name):
        return ["UTC"]
    return [*dict.fromkeys(_alone(names))]


def _alone(names: Sequence[str]) -> Iterator[str]:
    """Yield the readings of a name without its pair: with or without summer time, or elsewhere."""
    for name in names:
        for standard, summer, zone, hours in _PAIRS:
            if name in (standard, summer):
                yield from (zone, _etc(hours + (name == summer)))
        yield from _ELSEWHERE.get(name, ())


def _fixed_at(sign: str, hours: str, minutes: str | None) -> Iterator[str]:
    """Yield the zone of an offset; there is none for parts of an hour."""
    if int(hours) <= 12 and not int(minutes or 0):
        yield _etc(int(hours) if sign == "+" else -int(hours))


def _etc(hours: int) -> str:
    """Return the zone that is always this many hours ahead of UTC; its name has the other sign."""
    return f"Etc/GMT{-hours:+}" if hours else "UTC"
