"""Rows in PostgreSQL's binary COPY format, compared with those of pgpq."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest
from pgpq import ArrowToPostgresBinaryEncoder

from monthly.warehouses import postgres_binary
from monthly.warehouses.postgres_binary import CHUNK_ROWS, END, HEADER, encoded

TIME = dt.datetime(1999, 12, 31, 23, 59, 59, 999_999)
KINDS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "whole": (pa.int64(), [-(2**63), 2**63 - 1, 7]),
    "real": (pa.float64(), [-0.0, float("nan"), 5e-324]),
    "time": (pa.timestamp("us"), [TIME, dt.datetime.min, dt.datetime.max]),
    "day": (pa.date32(), [TIME.date(), dt.date.min, dt.date.max]),
    "text": (pa.string(), ["Ж\\", "12\t", "€"]),
    "empty": (pa.string(), ["", "", ""]),
}


@pytest.fixture
def by_numpy() -> Iterator[None]:
    """Fail if pgpq is used."""
    with mock.patch.object(postgres_binary, "_of_any_layout", side_effect=AssertionError):
        yield


def batch_of(rows: int) -> pa.RecordBatch:
    """Return rows with a column of every kind, in one layout."""
    columns = [pa.array((values * rows)[:rows], kind) for kind, values in KINDS.values()]
    return pa.RecordBatch.from_arrays(columns, list(KINDS))


def by_pgpq(batch: pa.RecordBatch) -> bytes:
    """Return the rows as pgpq encodes them."""
    encoder = ArrowToPostgresBinaryEncoder(batch.schema)
    return bytes(encoder.write_header() + encoder.write_batch(batch) + encoder.finish())


def stream(batch: pa.RecordBatch) -> bytes:
    """Return the rows as this project encodes them."""
    return HEADER + b"".join(encoded(batch)) + END


@pytest.mark.usefixtures("by_numpy")
@pytest.mark.parametrize("rows", [1, CHUNK_ROWS, 3 * CHUNK_ROWS + 5])
def test_rows_of_one_layout_are_those_of_pgpq(rows: int) -> None:
    """Each chunk has the bytes that pgpq writes, whatever its number of rows."""
    batch = batch_of(rows)
    expected = by_pgpq(batch)
    assert stream(batch) == expected


@pytest.mark.usefixtures("by_numpy")
def test_a_slice_is_encoded_from_where_it_starts() -> None:
    """Its buffers are those of the whole batch, nulls included."""
    nulls = pa.array([None] * 10 + [3] * 4000 + [None] * 3000, pa.int64())
    whole = batch_of(len(nulls)).append_column("late", nulls)
    batch = whole.slice(13, 6000)
    assert stream(batch) == by_pgpq(batch)


@pytest.mark.usefixtures("by_numpy")
def test_long_runs_of_several_layouts_stay_in_order() -> None:
    """A null begins a run, and so does a text of another length."""
    texts = ["N"] * 3000 + [None] * 2500 + ["", *[""] * 2499] + ["long"] * 3000
    batch = batch_of(len(texts)).append_column("flag", pa.array(texts, pa.string()))
    assert stream(batch) == by_pgpq(batch)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([None, 1] * 2000, pa.int64()),
        pa.array(["one", "three"] * 2000),
        pa.array([True, False] * 2000),
    ],
    ids=["nulls", "lengths", "booleans"],
)
def test_rows_of_many_layouts_or_another_type_are_left_to_pgpq(column: pa.Array) -> None:
    """No row is lost or left in pgpq's encoder."""
    batch = batch_of(len(column)).append_column("other", column)
    with mock.patch.object(postgres_binary, "_run", side_effect=AssertionError):
        assert stream(batch) == by_pgpq(batch)
