"""Rows in PostgreSQL's binary COPY format."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder

from monthly.convert.arrays import valid

#: The stream's header: its signature, no flags, no extension; and its trailer, a row of -1 fields.
HEADER, END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
#: Rows of a chunk: few enough to be still in the processor's cache when they are sent.
CHUNK_ROWS = 1024
#: Mean length of runs from which numpy encodes them faster than pgpq.
_LONG_RUN = 2048
#: PostgreSQL counts days and microseconds from 2000.
_DAYS = (dt.date(2000, 1, 1) - dt.date(1970, 1, 1)).days
_SINCE = {pa.date32(): _DAYS, pa.timestamp("us"): _DAYS * 86_400_000_000}
_NUMBERS = (pa.int64(), pa.float64(), *_SINCE)


def encoded(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Encode a batch, which must not be empty; yield it in chunks.

    Rows with nulls in the same columns and texts of the same lengths have the same layout. numpy
    encodes a run of them in a third of the time of pgpq, which encodes rows of any layout.
    """
    cuts = _cuts(batch)
    if _is_plain(batch.schema) and len(cuts) * _LONG_RUN <= len(batch):
        for start, end in pairwise([0, *cuts, len(batch)]):
            yield from _run(batch.slice(start, end - start))
    else:
        yield from _of_any_layout(batch)


def _is_plain(schema: pa.Schema) -> bool:
    return all(field.type in _NUMBERS or pa.types.is_string(field.type) for field in schema)


def _cuts(batch: pa.RecordBatch) -> list[int]:
    """Return the positions of the rows whose layout differs from that of the row before."""
    differs = np.zeros(max(len(batch) - 1, 0), bool)
    for column in batch.columns:
        if 0 < column.null_count < len(batch):
            differs |= np.diff(valid(column)) != 0
        if pa.types.is_string(column.type) and column.null_count < len(batch):
            differs |= np.diff(np.diff(_ends(column))) != 0
    return [int(row) + 1 for row in np.flatnonzero(differs)]


@dataclass(frozen=True)
class _Field:
    """A column in a run of rows.

    Attributes:
        size: bytes of each value, -1 for null.
        values: the values; None if they have no bytes.
    """

    size: int
    values: npt.NDArray[Any] | None


def _run(rows: pa.RecordBatch) -> Iterator[bytes]:
    """Encode rows of one layout as records; yield them in chunks."""
    fields = [_field(column) for column in rows.columns]
    record: list[tuple[str, Any]] = [("fields", ">i2")]
    for number, field in enumerate(fields):
        record.append((f"size {number}", ">i4"))
        if field.values is not None:
            record.append((f"value {number}", field.values.dtype.newbyteorder(">")))
    chunk: npt.NDArray[Any] = np.empty(min(len(rows), CHUNK_ROWS), record)
    chunk["fields"] = len(fields)
    for number, field in enumerate(fields):
        chunk[f"size {number}"] = field.size
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = chunk[: len(rows) - start]
        for number, field in enumerate(fields):
            if field.values is not None:
                chunk[f"value {number}"] = field.values[start : start + CHUNK_ROWS]
        yield chunk.tobytes()


def _field(column: pa.Array) -> _Field:
    if column.null_count:
        return _Field(-1, None)
    values = _texts(column) if pa.types.is_string(column.type) else _numbers(column)
    return _Field(values.itemsize, values) if values.itemsize else _Field(0, None)


def _numbers(column: pa.Array) -> npt.NDArray[Any]:
    """Return the bits of numbers; return times and days as PostgreSQL counts them."""
    kind: Any = np.int32 if pa.types.is_date32(column.type) else np.int64
    numbers = np.frombuffer(column.buffers()[1], kind)[column.offset :][: len(column)]
    since = _SINCE.get(column.type)
    return numbers - kind(since) if since else numbers


def _texts(column: pa.Array) -> npt.NDArray[Any]:
    """Return the bytes of texts of equal length."""
    start, end = (int(place) for place in _ends(column)[:2])
    kind = np.dtype((np.void, end - start))
    if not kind.itemsize:
        return np.empty(len(column), kind)
    return np.frombuffer(column.buffers()[2], kind, len(column), start)


def _ends(column: pa.Array) -> npt.NDArray[np.int32]:
    """Return the offsets of the texts of a column."""
    return np.frombuffer(column.buffers()[1], np.int32)[column.offset :][: len(column) + 1]


def _of_any_layout(batch: pa.RecordBatch) -> Iterator[bytes]:
    encoder = ArrowToPostgresBinaryEncoder(batch.schema)
    encoder.write_header()
    yield encoder.write_batch(batch)
    yield encoder.finish().removesuffix(END)
