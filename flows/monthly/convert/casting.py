"""Casts of published columns to their declared types, the same for CSV and for Parquet.

docs/values.md lists what each type accepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from monthly.columns import Column
from monthly.convert.arrays import strings
from monthly.convert.patterns import matching
from monthly.convert.readings import Readings
from monthly.convert.zones import UTC_ZONES, local_clock, utc_instants

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from monthly.convert.time_texts import Times

#: Spellings of "no value" in any column, from databases (NULL, \N) and from pandas.
NULLS = ("", "NULL", "null", "Null", "None", "\\N", "NaN", "nan", "NaT", "<NA>")
#: Below this, a float represents every whole number exactly.
WHOLE_FLOATS_END = 2.0**53
#: First and last microsecond, since 1970, of the years 1 to 9999, which every warehouse can hold.
TIMES = (-62_135_596_800_000_000, 253_402_300_799_999_999)
_WHOLE = r"^[+-]?\d+(\.0*)?$"
#: Spellings in flag columns other than Y and N: booleans from programs, numbers from pandas.
_FLAGS: Mapping[str, str | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), "Y"),
    **dict.fromkeys(("false", "False", "FALSE"), "N"),
    **{"1.0": "1", "0.0": "0"},
}
#: Spellings of a boolean.
_TRUTHS: Mapping[str, str] = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), "true"),
    **dict.fromkeys(("false", "f", "no", "n", "0"), "false"),
}


class Unreadable(ValueError):
    """A row of a piece does not match what its dataset declares; the message is the reason."""


def cast(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    """Convert values to the declared type of their column, with "no value" as null.

    Raises:
        Unreadable: a value does not fit.
        Unsettled: a value has several readings.
    """
    if column.kind == "string":
        return _text(column, values, readings)
    if column.kind == "date":
        return _date(column, values, readings)
    if is_text(values.type):
        return _from_text(column, values, readings)
    if column.kind == "timestamp":
        return _time(column, values, readings)
    if column.kind == "boolean":
        return _boolean(column, values)
    return _number(column, values)


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a type is text, plain or dictionary-encoded."""
    value_type = kind.value_type if pa.types.is_dictionary(kind) else kind
    return value_type in (pa.string(), pa.large_string(), pa.string_view())


def trimmed(values: pa.Array, nulls: tuple[str, ...]) -> pa.Array:
    """Strip whitespace around texts, and return null for those that mean "no value"."""
    texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return _replaced(texts, _meanings(nulls))


@cache
def _meanings(nulls: tuple[str, ...], flag: bool = False) -> Mapping[str, str | None]:
    return {**dict.fromkeys((*NULLS, *nulls)), **(_FLAGS if flag else {})}


# ---- text columns


def _text(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    kind = values.type
    if is_text(kind):
        meanings = _meanings(readings.nulls, column.flag)
        values = _replaced(values.cast(pa.string()), meanings)
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        # pandas turns whole numbers into floats if any of them is missing.
        values = _number(Column(column.name, "int64", ""), values).cast(pa.string())
    elif column.flag and pa.types.is_boolean(kind):
        values = _replaced(values.cast(pa.string()), _FLAGS)
    elif pa.types.is_integer(kind) or pa.types.is_null(kind):
        values = values.cast(pa.string())
    else:
        raise Unreadable(f"{column.name}: {kind} is not text")
    return values


def _replaced(texts: pa.Array, meant: Mapping[str, str | None]) -> pa.Array:
    """Return texts with those in a mapping replaced."""
    places = pc.index_in(texts, strings([*meant]))
    if places.null_count == len(places):
        return texts
    return pc.if_else(places.is_valid(), strings([*meant.values()]).take(places), texts)


# ---- from text


def _from_text(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    texts = trimmed(values, readings.nulls)
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), column.arrow)
    if column.kind == "timestamp":
        return _time_text(column, texts, readings)
    if column.kind == "boolean":
        return _boolean_text(column, texts)
    return _number_text(column, texts, readings)


def _time_text(column: Column, texts: pa.Array, readings: Readings) -> pa.Array:
    # Imported here, as in the functions below, because few files have such text.
    from monthly.convert.time_texts import is_plain

    known = texts.drop_null()
    if not (column.formats or column.zone) and is_plain(known).all():
        with suppress(pa.ArrowInvalid):  # the error is reported below
            return _near(column, texts.cast(pa.timestamp("us")))
    times = _times_of(column, known, readings)
    if not times.valid.all():
        _refuse(column, known, times.valid, "a time")
    if not readings.zone and times.marked.any():
        _refuse(column, known, ~times.marked, "a time without a zone; declare time_zone, then")
    try:
        # A declared format with a zone leaves no doubt about what its mark means.
        utc = "utc" if column.formats else readings.utc
        local = times.local(utc, readings.zone, column.zone)
    except ValueError as error:
        raise Unreadable(f"{column.name}: {error}") from error
    found = pa.Array.from_buffers(pa.timestamp("us"), len(known), [None, pa.py_buffer(local)])
    return _spread(_near(column, found), texts)


def _times_of(column: Column, known: pa.Array, readings: Readings) -> Times:
    from monthly.convert.time_texts import read_formatted, read_times

    if column.formats:
        return read_formatted(known, column.formats, readings.near_year)
    _look_if_odd(known, readings)
    return read_times(known, readings.order or "month-first", readings.near_year)


def _look_if_odd(known: pa.Array, readings: Readings) -> None:
    """Require a survey of the file if any text that is not a plain ISO time is a valid time."""
    from monthly.convert.time_texts import is_plain, read_under_each

    if readings.settled or is_plain(known).all():
        return
    odd = known.filter(pa.array(~is_plain(known)))
    if any(times.valid.any() for times in read_under_each(odd, readings.near_year).values()):
        readings.look()


def _number_text(column: Column, texts: pa.Array, readings: Readings) -> pa.Array:
    from monthly.convert import number_texts

    known = texts.drop_null()
    if not readings.settled and number_texts.needs_mark(known):
        readings.look()
    numbers = number_texts.normal(known, readings.mark)
    if number_texts.are_infinite(numbers).any():
        raise Unreadable(f"{column.name}: an infinite number is not {column.kind}")
    good = number_texts.are_numbers(numbers)
    if not good.all():
        what = "a whole number" if column.kind == "int64" else "a number"
        _refuse(column, known, good, what)
    unsigned = pc.utf8_ltrim(numbers, "+")
    read = {"int64": _whole, "decimal": _exact}.get(column.kind, _finite)
    return _spread(read(column, unsigned), texts)


def _exact(column: Column, numbers: pa.Array) -> pa.Array:
    """Return decimals, or refuse a number with more digits than declared."""
    try:
        return numbers.cast(column.arrow)
    except pa.ArrowInvalid as error:
        raise Unreadable(f"{column.name}: a number does not fit {column.type}: {error}") from error


def _boolean_text(column: Column, texts: pa.Array) -> pa.Array:
    plain = pc.replace_substring_regex(pc.utf8_lower(texts), r"^([01])\.0*$", r"\1")
    truths = _replaced(plain, _TRUTHS)
    known = truths.drop_null()
    if not all(text in ("true", "false") for text in known.unique().to_pylist()):
        good = [text in ("true", "false") for text in known.to_pylist()]
        _refuse(column, texts.drop_null(), good, "true or false")
    return truths.cast(pa.bool_())


def _finite(column: Column, numbers: pa.Array) -> pa.Array:
    return _known_numbers(column, numbers.cast(pa.float64()))


def _whole(column: Column, numbers: pa.Array) -> pa.Array:
    """Return int64, converting texts such as 1e2 through float."""
    if not matching(numbers, _WHOLE).all():
        floats = _finite(column, numbers)
        whole = pc.equal(pc.floor(floats), floats)
        if not pc.all(whole).as_py():
            _refuse(column, numbers, whole.to_numpy(zero_copy_only=False), "a whole number")
        return _number(column, floats)
    try:
        return pc.replace_substring_regex(numbers, r"\.0*$", "").cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise Unreadable(f"{column.name}: too large to be read exactly") from error


def _refuse(
    column: Column, texts: pa.Array, good: npt.NDArray[np.bool_] | list[bool], what: str
) -> NoReturn:
    first = next(place for place, is_good in enumerate(good) if not is_good)
    raise Unreadable(f"{column.name}: {texts[first].as_py()!r} is not {what}")


def _spread(values: pa.Array, texts: pa.Array) -> pa.Array:
    """Put the values of the non-null texts back in place, with null for the others."""
    if not texts.null_count:
        return values
    places = pc.cumulative_sum(texts.is_valid().cast(pa.int64()))
    return values.take(pc.if_else(texts.is_valid(), pc.subtract(places, 1), None))


# ---- from numbers and times


def _number(column: Column, values: pa.Array) -> pa.Array:
    """Convert numbers of any width to the declared type, with NaN, which pandas writes, as null."""
    kind = values.type
    if pa.types.is_floating(kind):
        values = _known_numbers(column, values)
        if column.kind == "int64" and (pc.max(pc.abs(values)).as_py() or 0) >= WHOLE_FLOATS_END:
            raise Unreadable(f"{column.name}: too large to be read exactly")
    elif not (pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        # Arrow would cast 7 microseconds to 7 passengers, and true to 1.
        raise Unreadable(f"{column.name}: {kind} is not {column.kind}")
    return _arrow_cast(column, values)


def _known_numbers(column: Column, values: pa.Array) -> pa.Array:
    """Return floats with NaN, which is how pandas writes null, as null; refuse infinity."""
    finite = pc.is_finite(values)
    if pc.all(finite).as_py() is not False:
        return values
    if pc.any(pc.is_inf(values)).as_py():
        raise Unreadable(f"{column.name}: an infinite number is not {column.kind}")
    return pc.if_else(finite, values, None)


def _boolean(column: Column, values: pa.Array) -> pa.Array:
    """Convert booleans, and numbers that are 0 or 1."""
    if pa.types.is_boolean(values.type) or pa.types.is_null(values.type):
        return values.cast(pa.bool_())
    whole = _number(Column(column.name, "int64", ""), values)
    ends = pc.min_max(whole).as_py()
    if any(end not in (0, 1, None) for end in ends.values()):
        raise Unreadable(f"{column.name}: a number that is neither 0 nor 1 is not boolean")
    return whole.cast(pa.bool_())


def _date(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    """Convert days, and times at midnight."""
    if pa.types.is_date32(values.type):
        return values
    times = _time_text if is_text(values.type) else _time
    if is_text(values.type):
        values = trimmed(values, readings.nulls)
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.date32())
    found = times(column, values, readings)
    days = found.cast(pa.date32())
    if not pc.all(pc.equal(days.cast(pa.timestamp("us")), found)).as_py():
        raise Unreadable(f"{column.name}: a time of day, which a date would lose")
    return days


def _time(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    """Convert times to the dataset's local time."""
    kind = values.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_null(kind)):
        raise Unreadable(f"{column.name}: {kind} is not a timestamp")
    zone = kind.tz if pa.types.is_timestamp(kind) else None
    if zone:
        values = _arrow_cast(column, values, pa.timestamp("us", zone))
        values = _clock_of(column, values, zone, readings)
    values = _near(column, _arrow_cast(column, values, pa.timestamp("us")))
    return _moved(column, values, readings.zone) if column.zone and not zone else values


def _moved(column: Column, values: pa.Array, zone: str) -> pa.Array:
    """Return the times of the column's zone as the local time of another."""
    clock = values.drop_null().view(pa.int64()).to_numpy()
    try:
        local = local_clock(utc_instants(clock, column.zone), zone)
    except ValueError as error:
        raise Unreadable(f"{column.name}: {error}") from error
    found = pa.Array.from_buffers(pa.timestamp("us"), len(clock), [None, pa.py_buffer(local)])
    return _spread(found, values)


def _clock_of(column: Column, values: pa.Array, zone: str, readings: Readings) -> pa.Array:
    if not readings.zone:
        raise Unreadable(f"{column.name}: times of {zone}; declare time_zone to convert them")
    if zone in UTC_ZONES:
        if values.null_count < len(values):
            readings.look()
        if readings.utc != "utc":
            return values.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    return pc.local_timestamp(values.cast(pa.timestamp("us", readings.zone)))


def _arrow_cast(column: Column, values: pa.Array, target: pa.DataType | None = None) -> pa.Array:
    target = target or column.arrow
    if values.type == target:
        return values
    try:
        return values.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Unreadable(f"{column.name}: {error}") from error


def _near(column: Column, values: pa.Array) -> pa.Array:
    """Return the times, or refuse them if a warehouse cannot hold one."""
    ends = [end for end in pc.min_max(values.view(pa.int64())).as_py().values() if end is not None]
    if any(not TIMES[0] <= end <= TIMES[1] for end in ends):
        raise Unreadable(f"{column.name}: a year before 1 or after 9999")
    return values
