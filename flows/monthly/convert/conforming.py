"""Conversion of the columns of a piece to the dataset's schema, text codes to TLC's numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa

from monthly.columns import FILE_MONTH, Column
from monthly.convert.arrays import day, int64s, strings
from monthly.convert.casting import NULLS, WHOLE_FLOATS_END, Unreadable, cast, is_text
from monthly.convert.readings import Readings
from monthly.datasets import ARROW_TYPES, DATASETS
from monthly.month import Month

_NUMBER = re.compile(r"\s*-?[0-9]+(\.[0-9]*)?\s*")


def conform(
    month: Month, found: Mapping[str, pa.Array], rows: int, readings: Readings | None = None
) -> pa.RecordBatch:
    """Convert the columns of a piece to the schema of the dataset.

    Args:
        month: the month of the rows.
        found: the columns in the file, of any type, by canonical name.
        rows: number of rows in each column.
        readings: how to read ambiguous values.

    Raises:
        Unreadable: a value does not fit its declared type.
        Unsettled: a value has several readings.
    """
    readings = readings or Readings(near_year=month.year)
    dataset = DATASETS[month.dataset]
    arrays: dict[str, pa.Array] = {}
    for column in dataset.columns:
        if column.name in found:
            arrays.update(_declared(column, found[column.name], readings))
    arrays[FILE_MONTH.name] = day(month.first_day, rows)
    columns = [
        arrays[c.name] if c.name in arrays else pa.nulls(rows, ARROW_TYPES[c.kind])
        for c in dataset.columns
    ]
    return pa.record_batch(columns, schema=dataset.schema)


def _declared(column: Column, values: pa.Array, readings: Readings) -> dict[str, pa.Array]:
    """Return the column in its declared type, and the column that keeps its text, if any."""
    if column.codes is not None and (is_text(values.type) or pa.types.is_boolean(values.type)):
        numbers, texts = _decode(column, values.cast(pa.string()) if _is_flag(values) else values)
        return {column.name: numbers} | (
            {column.keeps_text_in: texts} if column.keeps_text_in else {}
        )
    return {column.name: cast(column, values, readings)}


def _is_flag(values: pa.Array) -> bool:
    return bool(pa.types.is_boolean(values.type))


def _decode(column: Column, values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the numbers of text codes, and the texts of those that were published as text."""
    coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    published = coded.dictionary.to_pylist()
    numbers = [_code(column, text) for text in published]
    texts = [None if _is_no_code(text) else text for text in published]
    return (
        int64s(numbers).take(coded.indices),
        strings(texts).take(coded.indices),
    )


def _is_no_code(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) or not text.strip() or text.strip() in NULLS


def _code(column: Column, text: str) -> int | None:
    codes: Mapping[str, int | None] = column.codes or {}
    code = text.strip().upper()
    if not code or text.strip() in NULLS or code in codes:
        return codes.get(code)
    number = float(code) if _NUMBER.fullmatch(code) else 0.5
    if number.is_integer() and abs(number) < WHOLE_FLOATS_END:
        return int(number)
    raise Unreadable(
        f"{column.name}: {text!r} is not a known code; declare it in flows/monthly/columns.py"
    )
