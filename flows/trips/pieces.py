"""Pieces of a published file: runs of rows that convert, or are halved until a bad row is alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from trips.arrays import day, int64s, strings
from trips.columns import FILE_MONTH, Column
from trips.datasets import ARROW_TYPES, DATASETS
from trips.months import Month

#: Up to here every whole number has a float of its own.
LARGEST_WHOLE_FLOAT = 2.0**53


class Unreadable(ValueError):
    """A piece holds a row that is not what its dataset declares; the text is the reason."""


@dataclass(frozen=True)
class Reject:
    """A row that could not be converted.

    Attributes:
        line: line of a text file (the header is line 1), or row of a Parquet file (from 1).
        reason: why, with the column and the value.
        text: the row as it was published.
    """

    line: int
    reason: str
    text: str


class Piece(Protocol):
    """A run of rows of one published file, not yet converted."""

    @property
    def rows(self) -> int:
        """How many rows there are; each is either converted or rejected."""

    def convert(self) -> pa.RecordBatch:
        """All rows in the canonical schema.

        Raises:
            ValueError: some row cannot be converted (Unreadable, or Arrow's own).
        """

    def halves(self) -> tuple[Piece, Piece]:
        """The first and the second half of the rows."""

    def reject(self, reason: str) -> Reject:
        """The only row, as one that could not be converted."""


@dataclass
class Salvage:
    """What became of a piece: converted batches in the order of the file, and rejects."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows read: those of a batch were counted in the file before they were parsed."""
        return sum(len(batch) for batch in self.batches) + len(self.rejects)


def salvage(piece: Piece) -> Salvage:
    """Convert all rows of a piece that can be converted and reject exactly the others.

    Halving asks the same conversion again for fewer rows, so there is one meaning of a
    good row, whatever stands beside it.
    """
    found = Salvage()
    waiting = [piece]
    while waiting:
        piece = waiting.pop()
        try:
            found.batches.append(piece.convert())
        except ValueError as error:
            if piece.rows == 1:
                found.rejects.append(piece.reject(str(error)))
            else:
                waiting += reversed(piece.halves())
    return found


def conform(month: Month, found: Mapping[str, pa.Array], rows: int) -> pa.RecordBatch:
    """Bring the columns of a piece into the one schema of the dataset.

    Args:
        month: whose rows they are.
        found: the columns that the file has, by canonical name, of any type.
        rows: how many rows each column has.

    Raises:
        Unreadable: a value does not fit its declared type.
    """
    dataset = DATASETS[month.dataset]
    arrays: dict[str, pa.Array] = {}
    for column in dataset.columns:
        if column.name in found:
            arrays.update(_declared(column, found[column.name]))
    arrays[FILE_MONTH.name] = day(month.first_day, rows)
    columns = [
        arrays[c.name] if c.name in arrays else pa.nulls(rows, ARROW_TYPES[c.kind])
        for c in dataset.columns
    ]
    return pa.record_batch(columns, schema=dataset.schema)


def _declared(column: Column, values: pa.Array) -> dict[str, pa.Array]:
    """The column in its declared type, and the column that keeps its text, if it has one."""
    if column.codes is not None and _is_text(values.type):
        numbers, texts = _decode(column, values)
        return {column.name: numbers} | (
            {column.keeps_text_in: texts} if column.keeps_text_in else {}
        )
    return {column.name: _cast(column, values)}


def _cast(column: Column, values: pa.Array) -> pa.Array:
    if pa.types.is_floating(values.type):
        values = _known_numbers(column, values)
        if column.kind == "int64" and (pc.max(pc.abs(values)).as_py() or 0) > LARGEST_WHOLE_FLOAT:
            raise Unreadable(f"{column.name}: too large to be read exactly")
    target = ARROW_TYPES[column.kind]
    if values.type == target:
        return values
    try:
        return values.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Unreadable(f"{column.name}: {error}") from error


def _known_numbers(column: Column, values: pa.Array) -> pa.Array:
    """Floats without NaN (a null, as pandas writes it); infinity is refused."""
    finite = pc.is_finite(values)
    if pc.all(finite).as_py() is not False:
        return values
    if pc.any(pc.is_inf(values)).as_py():
        raise Unreadable(f"{column.name}: an infinite number is no {column.kind}")
    return pc.if_else(finite, values, None)


def _is_text(kind: pa.DataType) -> bool:
    value_type = kind.value_type if pa.types.is_dictionary(kind) else kind
    return value_type in (pa.string(), pa.large_string())


def _decode(column: Column, values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Numbers for text codes, and the texts of those that were published as text."""
    coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    published = coded.dictionary.to_pylist()
    numbers = [_number(column, text) for text in published]
    texts = [None if _is_number(text) else text for text in published]
    return (
        int64s(numbers).take(coded.indices),
        strings(texts).take(coded.indices),
    )


def _number(column: Column, text: str) -> int | None:
    codes: Mapping[str, int | None] = column.codes or {}
    code = text.strip().upper()
    if code in codes:
        return codes[code]
    if _is_number(text) and float(text).is_integer():
        return int(float(text))
    raise Unreadable(
        f"{column.name}: {text!r} is no known code; declare it in flows/trips/columns.py"
    )


def _is_number(text: str) -> bool:
    return text.strip().replace(".", "", 1).lstrip("-").isdecimal()
