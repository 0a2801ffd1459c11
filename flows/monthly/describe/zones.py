"""The zone of times: by their offsets, or by the hour that stands twice."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from monthly.convert.time_texts import Ints
from monthly.describe.times import Reading

#: Zones that publishers often use, one for each rule of summer time and offset.
_ZONES = (
    *("UTC", "Europe/London", "Europe/Berlin", "Europe/Helsinki", "America/New_York"),
    *("America/Chicago", "America/Denver", "America/Los_Angeles", "America/Halifax"),
    *("Asia/Kolkata", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland"),
    *("America/Sao_Paulo", "America/Mexico_City", "Africa/Johannesburg", "Asia/Dubai"),
)
_UTC_NAME = re.compile(r"(^|[^a-z])(utc|gmt|zulu)([^a-z]|$)", re.IGNORECASE)
_HOUR = 3_600_000_000  # microseconds
_NEARLY_ALL = 0.99
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def zone_of(readings: Iterable[Reading]) -> str:
    """Return the first of some zones that has the offsets of all times; UTC if none has."""
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


def says_utc(name: str) -> bool:
    """Tell whether the name of a column says that its times are UTC."""
    return bool(_UTC_NAME.search(name))


def zone_of_repeats(repeated: Iterable[dt.datetime]) -> str:
    """Return a zone where the hours that stand twice are those when summer time ends."""
    for zone in _ZONES[1:]:
        if all(_is_ambiguous(zone, time) for time in repeated):
            return zone
    return ""


def repeats(clock: pa.Array) -> Iterator[dt.datetime]:
    """Yield the times to which a series goes back by an hour at most, or that it has twice."""
    micros = clock.drop_null().view(pa.int64()).to_numpy(zero_copy_only=False)
    steps = np.diff(micros)
    if not len(steps):
        return
    again = (steps < 0) & (steps >= -_HOUR)
    if _is_regular(steps):
        again |= steps == 0
    if again.sum() * 100 > len(steps):
        return  # the rows are not in the order of time
    for place in np.flatnonzero(again)[:10]:
        yield (_EPOCH + dt.timedelta(microseconds=int(micros[place + 1]))).replace(tzinfo=None)


def _is_regular(steps: Ints) -> bool:
    """Tell whether nearly all steps of a series are the same, and an hour at most."""
    usual = np.median(steps)
    return bool(0 < usual <= _HOUR and (steps == usual).mean() > _NEARLY_ALL)


def _minutes(zone: str, instant: int) -> float:
    offset = (_EPOCH + dt.timedelta(microseconds=instant)).astimezone(ZoneInfo(zone)).utcoffset()
    return offset.total_seconds() / 60 if offset else 0.0


def _is_ambiguous(zone: str, time: dt.datetime) -> bool:
    first, second = (time.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    return first.utcoffset() != second.utcoffset()
