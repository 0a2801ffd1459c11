"""Conversion of the columns of a piece to the dataset's schema, codes to their values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from monthly.columns import FILE_MONTH, Code, Column, fold
from monthly.convert.arrays import booleans, day, int64s, nulls, strings
from monthly.convert.casting import TRUTHS, cast, kept_text
from monthly.convert.published_values import (
    NULLS,
    Unreadable,
    is_number,
    is_text,
    refuse_rejected,
    trimmed,
)
from monthly.convert.readings import Readings
from monthly.header import Mapped
from monthly.month import Month

#: A whole number, as most files write one; no code has an exponent.
_WHOLE = re.compile(r"([+-]?[0-9]{1,1000})(\.0*)?")
_END = 2**63


def conform(
    month: Month, mapped: Mapped, found: Mapping[str, pa.Array], rows: int, readings: Readings
) -> pa.RecordBatch:
    """Convert the columns of a piece to the schema of the dataset.

    Args:
        month: the month of the rows.
        mapped: the columns of the file.
        found: the columns in the file, of any type, by canonical name.
        rows: number of rows in each column.
        readings: how to read ambiguous values.

    Raises:
        NotData: a value is one that the declaration rejects.
        Unreadable: a value does not fit its declared type.
        Unsettled: a value has several readings.
    """
    _refuse_rejected(mapped, found, readings)
    arrays: dict[str, pa.Array] = {}
    for column in mapped.outcome:
        if column.joined and column.name not in mapped.missing:
            texts = joined(column, mapped, found, readings)
            arrays.update(_declared(column, texts, readings, mapped.dataset.place))
        elif column in mapped.kept:
            arrays[column.name] = kept_text(column, found[column.name], readings)
        elif column.name in found:
            arrays.update(_declared(column, found[column.name], readings, mapped.dataset.place))
    arrays[FILE_MONTH.name] = day(month.first_day, rows)
    columns = [arrays[c.name] if c.name in arrays else nulls(c.arrow, rows) for c in mapped.outcome]
    return pa.record_batch(columns, schema=mapped.schema)


def _refuse_rejected(mapped: Mapped, found: Mapping[str, pa.Array], readings: Readings) -> None:
    """Raise if a row is declared as not data, before any other fault of the same row."""
    for column in mapped.outcome:
        if column.rejected and column.name not in mapped.missing:
            names = [mapped.dataset.parts[fold(part)].name for part in column.joined]
            for name in names or [column.name]:
                refuse_rejected(column, trimmed(found[name], readings.nulls))


def joined(
    column: Column, mapped: Mapped, found: Mapping[str, pa.Array], readings: Readings
) -> pa.Array:
    """Return the texts of the parts of a column, joined by a space; null if one of them is."""
    text = Column(column.name, "string", "")
    parts = [found[mapped.dataset.parts[fold(part)].name] for part in column.joined]
    parts = [p.cast(pa.string()) if pa.types.is_temporal(p.type) else p for p in parts]
    texts = [trimmed(cast(text, part, readings), readings.nulls) for part in parts]
    return pc.binary_join_element_wise(*texts, " ")


def _declared(
    column: Column, values: pa.Array, readings: Readings, place: str
) -> dict[str, pa.Array]:
    """Return the column in its declared type, and the column that keeps its text, if any."""
    if not _are_codes(column, values.type):
        return {column.name: cast(column, values, readings)}
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.string())
    elif not is_text(values.type):
        values = cast(Column(column.name, "string", ""), values, readings)
    decoded, texts = _decode(column, values, readings.nulls, place)
    return {column.name: decoded} | ({column.keeps_text_in: texts} if column.keeps_text_in else {})


def _are_codes(column: Column, kind: pa.DataType) -> bool:
    """Return whether published values of a type are codes; few columns have numbers as codes."""
    if column.codes is None:
        return False
    if is_number(kind):
        return column.kind == "string" or column.has_number_codes
    return is_text(kind) or bool(pa.types.is_boolean(kind))


def _decode(
    column: Column, values: pa.Array, nulls: tuple[str, ...], place: str
) -> tuple[pa.Array, pa.Array]:
    """Return the values of codes, and their texts; a number that is not a code has no text."""
    coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    published = coded.dictionary.to_pylist()
    known = [None if text.strip() in (*NULLS, *nulls) else text for text in published]
    decoded = [None if text is None else _code(column, text, place) for text in known]
    pairs = zip(known, decoded)
    texts = [None if text and _is_itself(text, code) else text for text, code in pairs]
    return (
        _ARRAYS[column.kind](decoded).take(coded.indices),
        strings(texts).take(coded.indices),
    )


_ARRAYS: Mapping[str, Any] = {"int64": int64s, "string": strings, "boolean": booleans}


def _is_itself(text: str, code: Code) -> bool:
    """Return whether a text is a whole number that means itself, not a code."""
    return type(code) is int and _whole(text.strip()) == code


def _whole(text: str) -> int | None:
    """Return the value of a text that is a whole number of 64 bits, None for any other."""
    match = _WHOLE.fullmatch(text)
    number = int(match[1]) if match else _END
    return number if -_END <= number < _END else None


def _code(column: Column, text: str, place: str) -> Code:
    """Return the value of a text: of a code, of a number among codes, or the value itself."""
    codes, code = column.codes or {}, text.strip().upper()
    if code in codes:
        return codes[code]
    values = {str(value).upper(): value for value in codes.values() if value is not None}
    if column.kind == "int64":
        if (number := _whole(code)) is not None:
            return codes.get(str(number), number)
    elif code in values:
        return values[code]
    elif not values and column.kind == "string":
        return text  # only some texts are named, which mean no value
    elif not values and (truth := TRUTHS.get(code.lower())):
        return truth == "true"
    raise Unreadable(f"{column.name}: {text!r} is not a known code; declare it in {place}")
