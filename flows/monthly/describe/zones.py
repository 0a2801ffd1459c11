"""Infers the zone of times from their offsets or from a repeated hour."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from monthly.convert.zones import Ints
from monthly.describe.times import Reading

#: Zones that publishers often use, one for each combination of offset and DST rule.
_ZONES = (
    *("UTC", "Europe/London", "Europe/Berlin", "Europe/Helsinki", "America/New_York"),
    *("America/Chicago", "America/Denver", "America/Los_Angeles", "America/Halifax"),
    *("Asia/Kolkata", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland"),
    *("America/Sao_Paulo", "America/Mexico_City", "Africa/Johannesburg", "Asia/Dubai"),
)
_HOUR = 3_600_000_000  # microseconds
_NEARLY_ALL = 0.99
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def zone_of(readings: Iterable[Reading]) -> str:
    """Return the first known zone that has the offsets of all times; UTC if none has."""
    known = [
        (minutes, instant)
        for reading in readings
        for minutes, instants in reading.offsets.items()
        for instant in instants
    ]
    for zone in _ZONES:
        if all(_minutes(zone, instant) == minutes for minutes, instant in known):
            return zone
    return "UTC"


def doubt_of(readings: Iterable[Reading], zone: str) -> Iterator[str]:
    """Yield a comment if the offsets of all times do not tell one zone from others."""
    offsets = sorted({minutes for reading in readings for minutes in reading.offsets})
    shown = ", ".join(f"{'-' if n < 0 else '+'}{abs(n) // 60:02}:{abs(n) % 60:02}" for n in offsets)
    if offsets and offsets != [0] and zone == "UTC":
        yield f"No usual zone has the offsets of the times, {shown}: they are converted to UTC."
    elif len(offsets) == 1 and zone != "UTC":
        yield (
            f"All times have the offset {shown}: {zone} is the first usual zone that has it in "
            "these months, and others may have it, too."
        )


def zone_of_repeats(repeated: Iterable[dt.datetime]) -> str:
    """Return a zone whose clocks go back at the repeated hours; empty if there is none."""
    for zone in _ZONES[1:]:
        if all(_is_ambiguous(zone, time) for time in repeated):
            return zone
    return ""


def repeats(clock: pa.Array) -> Iterator[dt.datetime]:
    """Yield the times to which a series jumps back by at most an hour, or that it repeats."""
    micros = clock.drop_null().view(pa.int64()).to_numpy(zero_copy_only=False)
    steps = np.diff(micros)
    if not len(steps):
        return
    again = (steps < 0) & (steps >= -_HOUR)
    if _is_regular(steps):
        again |= steps == 0
    if again.sum() * 100 > len(steps):
        return  # the rows are not in time order
    for place in np.flatnonzero(again)[:10]:
        yield (_EPOCH + dt.timedelta(microseconds=int(micros[place + 1]))).replace(tzinfo=None)


def _is_regular(steps: Ints) -> bool:
    """Return whether nearly all steps of a series are equal and at most an hour."""
    usual = np.median(steps)
    return bool(0 < usual <= _HOUR and (steps == usual).mean() > _NEARLY_ALL)


def _minutes(zone: str, instant: int) -> float:
    offset = (_EPOCH + dt.timedelta(microseconds=instant)).astimezone(ZoneInfo(zone)).utcoffset()
    return offset.total_seconds() / 60 if offset else 0.0


def _is_ambiguous(zone: str, time: dt.datetime) -> bool:
    first, second = (time.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    return first.utcoffset() != second.utcoffset()
