"""Pieces of a published file: runs of rows that convert, or are halved until a bad row is alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from trips.arrays import day, int64s, strings
from trips.columns import FILE_MONTH, Column
from trips.datasets import ARROW_TYPES, DATASETS
from trips.months import Month

#: Below this every whole number has a float of its own.
WHOLE_FLOATS_END = 2.0**53
#: Microseconds since 1970 at the ends of the years 1 and 9999, which all warehouses share.
TIMES = (-62_135_596_800_000_000, 253_402_300_799_999_999)
#: A month in which this many rows, and a tenth of those read, are rejected will not recover.
HOPELESS_REJECTS, HOPELESS_SHARE = 1_000, 0.1
_NUMBER = re.compile(r"\s*-?[0-9]+(\.[0-9]*)?\s*")


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
    def first(self) -> int:
        """Number of the first line or row; no more rows than this end with the first one."""

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


def hopeless(rejects: int, rows: int, max_share: float) -> bool:
    """Whether so many rejects among so many rows say that the month will fail."""
    return rejects > max(HOPELESS_REJECTS, HOPELESS_SHARE * rows, max_share * rows)


def salvage(piece: Piece, max_reject_share: float = 1.0) -> Salvage:
    """Convert all rows of a piece that can be converted and reject exactly the others.

    Halving asks the same conversion again for fewer rows, so there is one meaning of a
    good row, whatever stands beside it. A hopeless piece is given up: what was found by
    then says so to whoever asks `hopeless`.
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
                if hopeless(len(found.rejects), piece.first, max_reject_share):
                    break
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
    return {column.name: cast(column, values)}


def cast(column: Column, values: pa.Array) -> pa.Array:
    """The values in the declared type of their column; NaN, which is how pandas writes it, as null.

    Raises:
        Unreadable: a value does not fit.
    """
    if pa.types.is_floating(values.type):
        values = _known_numbers(column, values)
        if column.kind == "int64" and (pc.max(pc.abs(values)).as_py() or 0) >= WHOLE_FLOATS_END:
            raise Unreadable(f"{column.name}: too large to be read exactly")
    target = ARROW_TYPES[column.kind]
    if values.type != target:
        _refuse_number_as_time(column, values.type)
        try:
            values = values.cast(target)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise Unreadable(f"{column.name}: {error}") from error
    if column.kind == "timestamp":
        _refuse_far_times(column, values)
    return values


def _refuse_number_as_time(column: Column, kind: pa.DataType) -> None:
    """Arrow would take 7 passengers for 7 microseconds, and the other way round."""
    either = _is_text(kind) or pa.types.is_null(kind)
    if not either and pa.types.is_temporal(kind) != (column.kind == "timestamp"):
        raise Unreadable(f"{column.name}: {kind} is no {column.kind}")


def _refuse_far_times(column: Column, values: pa.Array) -> None:
    ends = [end for end in pc.min_max(values.view(pa.int64())).as_py().values() if end is not None]
    if any(not TIMES[0] <= end <= TIMES[1] for end in ends):
        raise Unreadable(f"{column.name}: a year before 1 or after 9999")


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
    texts = [None if _NUMBER.fullmatch(text) or not text.strip() else text for text in published]
    return (
        int64s(numbers).take(coded.indices),
        strings(texts).take(coded.indices),
    )


def _number(column: Column, text: str) -> int | None:
    codes: Mapping[str, int | None] = column.codes or {}
    code = text.strip().upper()
    if not code or code in codes:
        return codes.get(code)
    number = float(code) if _NUMBER.fullmatch(code) else 0.5
    if number.is_integer() and abs(number) < WHOLE_FLOATS_END:
        return int(number)
    raise Unreadable(
        f"{column.name}: {text!r} is no known code; declare it in flows/trips/columns.py"
    )
