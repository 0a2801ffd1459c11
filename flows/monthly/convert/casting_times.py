"""Casts of published times to the dataset's local time."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from monthly.columns import Column
from monthly.convert.published_values import (
    Unreadable,
    arrow_cast,
    is_text,
    refuse,
    spread,
    trimmed,
)
from monthly.convert.readings import Readings
from monthly.convert.zones import UTC_ZONES, local_clock, utc_instants

if TYPE_CHECKING:
    from monthly.convert.time_texts import Times

#: First and last microsecond since 1970 of years 1 to 9999, which every warehouse can store.
TIMES = (-62_135_596_800_000_000, 253_402_300_799_999_999)


def times_of_texts(column: Column, texts: pa.Array, readings: Readings) -> pa.Array:
    """Convert trimmed texts to the dataset's local time; see `cast`."""
    # Imported here, as in the functions below, because few files need it.
    from monthly.convert.time_texts import is_plain

    known = texts.drop_null()
    if not (column.formats or column.zone) and is_plain(known).all():
        with suppress(pa.ArrowInvalid):  # the error is reported below
            return _near(column, texts.cast(pa.timestamp("us")))
    times = _times_of(column, known, readings)
    if not times.valid.all():
        refuse(column, known, times.valid, "a time")
    if not readings.zone and times.marked.any():
        refuse(column, known, ~times.marked, "a time without a zone; declare time_zone, then")
    try:
        # A declared format with a zone is unambiguous, and so is a declared zone of UTC.
        utc = "utc" if column.formats or column.zone in UTC_ZONES else readings.utc
        local = times.local(utc, readings.zone, column.zone)
    except ValueError as error:
        raise Unreadable(f"{column.name}: {error}") from error
    found = pa.Array.from_buffers(pa.timestamp("us"), len(known), [None, pa.py_buffer(local)])
    return spread(_near(column, found), texts)


def _times_of(column: Column, known: pa.Array, readings: Readings) -> Times:
    from monthly.convert.time_texts import read_formatted, read_times

    if column.formats:
        return read_formatted(known, column.formats, readings.near_year, column.side)
    _look_if_odd(known, readings)
    return read_times(known, readings.order or "month-first", readings.near_year)


def _look_if_odd(known: pa.Array, readings: Readings) -> None:
    """Require a survey of the file if any text is a valid time but not a plain ISO time."""
    from monthly.convert.time_texts import is_plain, read_under_each

    if readings.settled or is_plain(known).all():
        return
    odd = known.filter(pa.array(~is_plain(known)))
    if any(times.valid.any() for times in read_under_each(odd, readings.near_year).values()):
        readings.require_survey()


def dates(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    """Convert dates and times at midnight to dates."""
    if pa.types.is_date32(values.type):
        _near(column, arrow_cast(column, values, pa.timestamp("us")))
        return values
    times = times_of_texts if is_text(values.type) else times_of_values
    if is_text(values.type):
        values = trimmed(values, readings.nulls)
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.date32())
    found = times(column, values, readings)
    days = found.cast(pa.date32())
    if not pc.all(pc.equal(days.cast(pa.timestamp("us")), found)).as_py():
        raise Unreadable(f"{column.name}: a time of day, which a date would lose")
    return days


def times_of_values(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    """Convert times to the dataset's local time."""
    kind = values.type
    if column.formats and pa.types.is_integer(kind):  # 20200131, or seconds since 1970
        return times_of_texts(column, values.cast(pa.string()), readings)
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_null(kind)):
        raise Unreadable(f"{column.name}: {kind} is not a timestamp")
    zone = kind.tz if pa.types.is_timestamp(kind) else None
    if zone:
        values = arrow_cast(column, values, pa.timestamp("us", zone))
        values = _clock_of(column, values, zone, readings)
    values = _near(column, arrow_cast(column, values, pa.timestamp("us")))
    return _moved(column, values, readings.zone) if column.zone and not zone else values


def _moved(column: Column, values: pa.Array, zone: str) -> pa.Array:
    """Convert times from the column's zone to the local time of another."""
    clock = values.drop_null().view(pa.int64()).to_numpy()
    try:
        local = local_clock(utc_instants(clock, column.zone), zone)
    except ValueError as error:
        raise Unreadable(f"{column.name}: {error}") from error
    found = pa.Array.from_buffers(pa.timestamp("us"), len(clock), [None, pa.py_buffer(local)])
    return spread(found, values)


def _clock_of(column: Column, values: pa.Array, zone: str, readings: Readings) -> pa.Array:
    if not readings.zone:
        raise Unreadable(f"{column.name}: times of {zone}; declare time_zone to convert them")
    if zone in UTC_ZONES and column.zone not in UTC_ZONES:
        if values.null_count < len(values):
            readings.require_survey()
        if readings.utc != "utc":
            return values.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    return pc.local_timestamp(values.cast(pa.timestamp("us", readings.zone)))


def _near(column: Column, values: pa.Array) -> pa.Array:
    """Return the times; raise if a warehouse cannot store one of them."""
    ends = [end for end in pc.min_max(values.view(pa.int64())).as_py().values() if end is not None]
    if any(not TIMES[0] <= end <= TIMES[1] for end in ends):
        raise Unreadable(f"{column.name}: a year before 1 or after 9999")
    return values
