"""Conversion between local times and instants."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]

UTC_ZONES = ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "Etc/Zulu", "Z", "+00:00", "-00:00")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_MINUTE = 60_000_000  # microseconds


def local_clock(instants: Ints, zone: str) -> Ints:
    """Convert instants to the local time of a zone, both in microseconds since 1970."""
    return ints_of(pc.local_timestamp(_times(instants, zone)).view(pa.int64()))


def utc_instants(clock: Ints, zone: str) -> Ints:
    """Convert the local time of a zone or offset to instants, both in microseconds since 1970.

    Raises:
        ValueError: a time is ambiguous or does not exist because the clocks change.
    """
    if offset := _OFFSET.fullmatch(zone):
        minutes = int(offset[2]) * 60 + int(offset[3])
        return clock - (minutes if offset[1] == "+" else -minutes) * _MINUTE
    try:
        found = pc.assume_timezone(_times(clock), zone, ambiguous="raise", nonexistent="raise")
    except pa.ArrowInvalid as error:
        raise ValueError(f"a time that occurs twice or not at all in {zone}") from error
    return ints_of(found.view(pa.int64()))


def place_of(zone: str) -> str:
    """Return the place that a zone is named after, such as New York."""
    return zone.rpartition("/")[2].replace("_", " ")


def _times(values: Ints, zone: str | None = None) -> pa.Array:
    values = np.ascontiguousarray(values)
    kind = pa.timestamp("us", zone)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def ints_of(values: pa.Array) -> Ints:
    """Return the integers of an array without nulls."""
    return np.asarray(values.to_numpy(zero_copy_only=False), np.int64)
