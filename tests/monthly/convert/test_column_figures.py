"""The figures of a column are those that DuckDB counts, for any division into batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monthly.convert.column_figures import ColumnFigures, measure
from monthly.figures import Figures

BIGGEST = 2**63 - 1
TIMES = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))
VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int64": (pa.int64(), st.integers(-BIGGEST, BIGGEST) | st.integers(-9, 9)),
    "boolean": (pa.bool_(), st.booleans()),
    "string": (pa.string(), st.text(st.characters(codec="utf-8", exclude_characters="\0"))),
    "date": (pa.date32(), st.dates()),
    "timestamp": (pa.timestamp("us"), TIMES),
    "decimal": (
        pa.decimal128(38, 2),
        st.decimals(-(10**36) + 1, 10**36 - 1, allow_nan=False, places=2),
    ),
}
TOTALS = {
    "string": "sum(strlen(v))",
    "date": "sum(v - DATE '1970-01-01')",
    "timestamp": "sum(epoch_us(v))",
    "boolean": "sum(v::BIGINT)",
}


def figures_of(values: pa.Array, cut: int) -> Figures:
    """Return the figures of a column in two batches, slices of one array."""
    found = ColumnFigures()
    for part in (values[:cut], values[cut:]):
        found.merge(measure(pa.record_batch([part], ["v"])))
    return found.report()["v"]


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield one DuckDB for all columns, because opening one costs more than a query."""
    with duckdb.connect() as connection:
        yield connection


def counted(oracle: duckdb.DuckDBPyConnection, column: pa.Array, what: str) -> tuple[Any, ...]:
    """Return DuckDB's counts of the column `v`."""
    db = oracle.register("drawn", pa.table({"v": column}))
    row: tuple[Any, ...]
    (row,) = db.execute(f"SELECT {what} FROM drawn").fetchall()
    return row


def as_json(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.strftime("%4Y-%m-%d %H:%M:%S.%f").rjust(26, "0")
    return str(value) if isinstance(value, dt.date | Decimal) else value


@pytest.mark.parametrize("kind", VALUES)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_figures_equal_those_of_sql(
    kind: str, data: st.DataObject, oracle: duckdb.DuckDBPyConnection
) -> None:
    type_, values = VALUES[kind]
    column = pa.array(data.draw(st.lists(values | st.none(), max_size=40)), type_)
    cut = data.draw(st.integers(0, len(column)))
    total = TOTALS.get(kind, "sum(v)") if kind != "decimal" else "NULL"
    expected = list(map(as_json, counted(oracle, column, f"count(v), min(v), max(v), {total}")))
    if kind == "decimal":  # DuckDB's sum of such decimals overflows
        there = [int(str(v).replace(".", "")) for v in column.drop_null().to_pylist()]
        expected[3] = sum(there) if there else None
    found = figures_of(column, cut)
    total_found = found.total
    if kind == "decimal" and isinstance(total_found, str):
        total_found = int(total_found.replace(".", ""))
    assert [found.count, found.least, found.most, total_found] == expected


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats() | st.none(), max_size=30),
    st.integers(0, 30),
)
def test_only_finite_floats_have_extremes_and_a_sum(
    oracle: duckdb.DuckDBPyConnection, values: list[float | None], cut: int
) -> None:
    column = pa.array(values, pa.float64())
    found = figures_of(column, min(cut, len(values)))
    finite = "FILTER (WHERE isfinite(v))"
    expected = counted(oracle, column, f"count(v), min(v) {finite}, max(v) {finite}")
    assert (found.count, found.least, found.most) == expected


def test_sum_of_floats_is_that_of_the_finite_ones() -> None:
    column = pa.array([1.5, None, float("nan"), float("inf"), 2.25, -0.5])
    for cut in range(len(column)):
        assert figures_of(column, cut).total == 3.25
    assert figures_of(pa.array([float("nan")]), 1) == Figures(1)
    for halves in ([1.5, float("nan")], [float("inf"), 1.5]):  # a batch without any
        assert figures_of(pa.array(halves), 1) == Figures(2, 1.5, 1.5, 1.5)


def test_column_without_values_has_no_figures() -> None:
    assert figures_of(pa.array([None, None], pa.int64()), 1) == Figures(0)


def test_sum_beyond_the_largest_float_is_not_recorded() -> None:
    assert figures_of(pa.array([1.7e308, 1.7e308]), 1) == Figures(2, 1.7e308, 1.7e308)
    assert figures_of(pa.array([1.7e308, 1.7e308]), 0) == Figures(2, 1.7e308, 1.7e308)
