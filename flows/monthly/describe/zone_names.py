"""Finds the zone of times, which a name may tell: `MTU (CET/CEST)`, `time [Europe/Berlin]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from monthly.declaration_faults import is_zone
from monthly.describe.columns import Drafted, Proposal
from monthly.describe.toml_text import as_toml, bare
from monthly.describe.zones import doubt_of, zone_of

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
#: A format of times with a zone or offset, or of instants.
_MARKED = re.compile("%[zZs]")
#: A column that names the zone of each row: of standard or summer time, or one place.
_ZONE, _PAIR = re.compile(r"[A-Z]{3,4}|[A-Za-z]+(/[A-Za-z_]+)+"), 2


def zones_of(columns: Sequence[Drafted], roles: Mapping[str, Drafted]) -> list[str]:
    """Return the zone of the times, or the zones that the time's name may mean."""
    readings = [reading for column in columns for reading in column.verdict.times]
    if any(reading.offsets for reading in readings):
        return [zone_of(readings)]
    if stored := _stored(columns):
        return [_declarable(stored)]
    return zones_named(roles["time"].published) if "time" in roles else []


def _stored(columns: Sequence[Drafted]) -> str:
    """Return the zone of the times in a Parquet file; empty if they have none."""
    natives = [values.native for column in columns for values in column.seen.values()]
    return next((zone for native in natives if (zone := getattr(native, "tz", None))), "")


def _declarable(stored: str) -> str:
    """Return the stored zone if it can be declared, else one that always has its offset, or UTC."""
    offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", stored)
    named = [stored] if is_zone(stored) else [*_fixed_at(*offset.groups())] if offset else []
    return next(iter(named), "UTC")


def zone_doubts(columns: Sequence[Drafted], zones: Sequence[str]) -> Iterator[str]:
    """Yield a comment if the times do not tell one zone from others, or none can be declared."""
    readings = [reading for column in columns for reading in column.verdict.times]
    stored = _stored(columns)
    if any(reading.offsets for reading in readings):
        yield from doubt_of(readings, zones[0])
    elif stored and zones[0] != stored:
        yield f"The times are stored at {stored}, which is not a zone: {zones[0]} is declared."


def proposed_zones(
    zones: Sequence[str], columns: Sequence[Drafted], roles: Mapping[str, Drafted]
) -> Iterator[str]:
    """Yield lines that declare the zone, if a name has several readings or a column names one."""
    if len(zones) > 1:
        for zone in zones:
            yield f'time_zone = "{zone}" # if {bare(roles["time"].published, 60)!r} means that'
    for column in columns if "time" in roles and not zones else ():
        texts = {text for values in column.seen.values() for text in values.distinct}
        if len(texts) <= _PAIR and all(_ZONE.fullmatch(t) and zones_named(t) for t in texts):
            for zone in zones_named(" ".join(texts)):
                yield f'time_zone = "{zone}" # {bare(column.published, 60)!r} may say so'


def propose_other_zones(columns: Sequence[Drafted], time_zone: str) -> None:
    """Propose the zone of times whose column is named after another zone than the dataset's."""
    for column in columns if time_zone else ():
        zones = zones_named(column.published)
        is_bare = not any(reading.offsets for reading in column.verdict.times)
        is_other = len(zones) == 1 and zones != [time_zone]
        if column.verdict.type == "timestamp" and is_bare and is_other:
            why = f"To convert these times to {time_zone}, as the name suggests, write:"
            column.proposals.append(Proposal(why, [f"zone = {as_toml(zones[0])}"]))


def note_bare_times(columns: Sequence[Drafted], time_zone: str) -> None:
    """Note that times without a zone are read in the dataset's zone, which other times give."""
    readings = [reading for column in columns for reading in column.verdict.times]
    is_told = bool(_stored(columns)) or any(reading.offsets for reading in readings)
    for column in columns if is_told else ():
        marks = _marks(column)
        is_timestamp = column.verdict.type == "timestamp" and column.known
        if is_timestamp and False in marks and len(zones_named(column.published)) != 1:
            column.notes.append(
                f"{'Some of these' if True in marks else 'These'} have no zone, and are taken for "
                f'{time_zone}, as other times are; if they are not, write zone = "...".'
            )


def _marks(column: Drafted) -> set[bool]:
    """Return whether times of a column have a zone or offset: some do, some do not, or both."""
    marks: set[bool] = set()
    for values in column.seen.values():
        if isinstance(values.native, pa.TimestampType):
            marks.add(values.native.tz is not None)
        elif values.known:
            formats = column.verdict.formats
            marks |= {bool(_MARKED.search(text)) for text in formats} or {False}
    return marks


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
