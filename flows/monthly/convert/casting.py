"""Casts of published columns to their declared types, the same for CSV and for Parquet.

docs/values.md lists what each type accepts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monthly.columns import Column
from monthly.convert.arrays import floats_of
from monthly.convert.casting_times import dates, times_of_texts, times_of_values
from monthly.convert.patterns import matching
from monthly.convert.published_values import (
    Unreadable,
    arrow_cast,
    is_text,
    meanings,
    refuse,
    replaced,
    spread,
    trimmed,
)
from monthly.convert.readings import Readings

#: Below this, a float represents every whole number exactly.
WHOLE_FLOATS_END = 2.0**53
#: Holds any integer. Arrow does not cast int64 to a decimal of fewer than 19 whole digits.
_WHOLE_DECIMAL = pa.decimal128(20, 0)
_WHOLE = r"^[+-]?\d+(\.0*)?$"
#: The fraction that Arrow writes into each time, before the zone.
_NO_FRACTION = r"\.0+([Z+-].*)?$"
#: Spellings of a boolean.
TRUTHS: Mapping[str, str] = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), "true"),
    **dict.fromkeys(("false", "f", "no", "n", "0"), "false"),
}


def cast(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    """Convert values to the declared type of their column, with "no value" as null.

    Raises:
        Unreadable: a value does not fit.
        Unsettled: a value has several readings.
    """
    if column.kind == "string":
        return _text(column, values, readings)
    if column.kind == "date":
        return dates(column, values, readings)
    if is_text(values.type):
        return _from_text(column, values, readings)
    if column.kind == "timestamp":
        return times_of_values(column, values, readings)
    if column.kind == "boolean":
        return _boolean(column, values)
    return _number(column, values)


# ---- text columns


def _text(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    kind = values.type
    if is_text(kind):
        values = replaced(values.cast(pa.string()), meanings(readings.nulls, column.flag))
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        # pandas turns whole numbers into floats if any of them is missing.
        values = _number(Column(column.name, "int64", ""), values).cast(pa.string())
    elif column.flag and pa.types.is_boolean(kind):
        values = replaced(values.cast(pa.string()), meanings(readings.nulls, True))
    elif pa.types.is_integer(kind) or pa.types.is_null(kind):
        values = values.cast(pa.string())
    else:
        raise Unreadable(f"{column.name}: {kind} is not text")
    return values


def kept_text(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    """Convert the values of an undeclared column to text, as they would be in a CSV file.

    Raises:
        Unreadable: Arrow has no text for a value, such as a list.
    """
    kind = values.type
    if pa.types.is_floating(kind):
        values = _float_texts(values)
    elif pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        values = pc.replace_substring_regex(values.cast(pa.string()), _NO_FRACTION, r"\1")
    elif pa.types.is_decimal(kind):
        values = _decimal_texts(values)
    elif pa.types.is_date(kind) or pa.types.is_boolean(kind):
        values = values.cast(pa.string())
    return _text(column, values, readings)


def _float_texts(values: pa.Array) -> pa.Array:
    """Return whole numbers as in `_text`, and other numbers with as many digits as they need."""
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    exact = pc.if_else(pc.less(pc.abs(values), WHOLE_FLOATS_END), values, None)
    whole = pc.if_else(pc.equal(exact, pc.floor(exact)), exact, None)
    return pc.coalesce(whole.cast(pa.int64()).cast(pa.string()), values.cast(pa.string()))


def _decimal_texts(values: pa.Array) -> pa.Array:
    """Return decimals with all their digits; Arrow writes a zero of nine decimals as 0E-9."""
    texts = values.cast(pa.string())
    short = texts.filter(pc.match_substring(texts, "E")).unique().to_pylist()
    return replaced(texts, {text: f"{Decimal(text):f}" for text in short}) if short else texts


# ---- from text


def _from_text(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    texts = trimmed(values, readings.nulls)
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), column.arrow)
    if column.kind == "timestamp":
        return times_of_texts(column, texts, readings)
    if column.kind == "boolean":
        return _boolean_text(column, texts)
    return _number_text(column, texts, readings)


def _number_text(column: Column, texts: pa.Array, readings: Readings) -> pa.Array:
    from monthly.convert import number_texts

    known = texts.drop_null()
    if not readings.settled and number_texts.needs_mark(known):
        readings.require_survey()
    numbers = number_texts.normal(known, readings.mark)
    if number_texts.are_infinite(numbers).any():
        raise Unreadable(f"{column.name}: an infinite number is not {column.kind}")
    good = number_texts.are_numbers(numbers)
    if not good.all():
        if (nan := matching(texts, number_texts.NAN)).any():
            return _number_text(column, pc.if_else(pa.array(nan), None, texts), readings)
        what = "a whole number" if column.kind == "int64" else "a number"
        refuse(column, known, good, what)
    unsigned = pc.utf8_ltrim(numbers, "+")
    read = {"int64": _whole, "decimal": _exact}.get(column.kind, _finite)
    return spread(read(column, unsigned), texts)


def _exact(column: Column, numbers: pa.Array) -> pa.Array:
    """Return decimals, or refuse a number with more digits than declared."""
    try:
        return numbers.cast(column.arrow)
    except pa.ArrowInvalid as error:
        raise Unreadable(f"{column.name}: a number does not fit {column.type}: {error}") from error


def _boolean_text(column: Column, texts: pa.Array) -> pa.Array:
    plain = pc.replace_substring_regex(pc.utf8_lower(texts), r"^([01])\.0*$", r"\1")
    truths = replaced(plain, TRUTHS)
    known = truths.drop_null()
    if not all(text in ("true", "false") for text in known.unique().to_pylist()):
        good = [text in ("true", "false") for text in known.to_pylist()]
        refuse(column, texts.drop_null(), good, "true or false")
    return truths.cast(pa.bool_())


def _finite(column: Column, numbers: pa.Array) -> pa.Array:
    return _known_numbers(column, numbers.cast(pa.float64()))


def _whole(column: Column, numbers: pa.Array) -> pa.Array:
    """Return int64, converting texts such as 1e2 through float."""
    if not matching(numbers, _WHOLE).all():
        floats = _finite(column, numbers)
        whole = pc.equal(pc.floor(floats), floats)
        if not pc.all(whole).as_py():
            refuse(column, numbers, whole.to_numpy(zero_copy_only=False), "a whole number")
        return _number(column, floats)
    try:
        return pc.replace_substring_regex(numbers, r"\.0*$", "").cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise Unreadable(f"{column.name}: too large to be read exactly") from error


# ---- from numbers and times


def _number(column: Column, values: pa.Array) -> pa.Array:
    """Convert numbers of any width to the declared type, with NaN, which pandas writes, as null."""
    kind = values.type
    if pa.types.is_floating(kind):
        # Arrow cannot calculate with half floats.
        wide = values.cast(pa.float32()) if pa.types.is_float16(kind) else values
        values = _known_numbers(column, wide)
        if column.kind == "int64" and (pc.max(pc.abs(values)).as_py() or 0) >= WHOLE_FLOATS_END:
            raise Unreadable(f"{column.name}: too large to be read exactly")
    elif not (pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        # Arrow would cast 7 microseconds to 7 passengers, and true to 1.
        raise Unreadable(f"{column.name}: {kind} is not {column.kind}")
    elif column.kind == "decimal" and pa.types.is_integer(kind):
        values = values.cast(_WHOLE_DECIMAL)
    if column.kind == "float64" and pa.types.is_decimal(kind):
        return floats_of(values)
    found = arrow_cast(column, values)
    if column.kind == "decimal" and pa.types.is_floating(kind):
        _refuse_rounded(column, values, found, kind.bit_width)
    return found


def _refuse_rounded(column: Column, floats: pa.Array, found: pa.Array, bits: int) -> None:
    """Raise if Arrow rounded a float to its decimal by more than the error of a calculation.

    Args:
        column: the column.
        floats: the published numbers.
        found: the same as decimals.
        bits: the width of the published floats.
    """
    known, decimals = (
        values.cast(pa.float64()).drop_null().to_numpy() for values in (floats, found)
    )
    size, unit = np.abs(known), 10.0 ** -column.digits[1]
    # 1000.1 - 1000 is off by 2e-13 of itself, and 0.3 - 0.1 - 0.2 is not 0.
    errors = np.clip(size * 1e-9, unit * 1e-9, unit * 1e-2)
    epsilon = 4 * np.finfo(f"f{bits // 8}").eps  # 8.9e-16 for a double
    good = np.abs(decimals - known) <= np.maximum(errors, size * epsilon)
    if not good.all():
        refuse(column, floats.drop_null(), good, f"{column.type}: it has more digits")


def _known_numbers(column: Column, values: pa.Array) -> pa.Array:
    """Return floats with NaN, which is how pandas writes null, as null; refuse infinity."""
    # One NaN or infinity makes the sum NaN or infinite; this takes a third of the time of checking
    # each value.
    if math.isfinite(pc.sum(values.cast(pa.float64())).as_py() or 0):
        return values
    finite = pc.is_finite(values)
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
