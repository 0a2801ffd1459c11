"""Arrays laid out by hand equal those that pyarrow makes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monthly.convert.arrays import day, floats_of, int64s, midnight, nulls, strings

INTS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=40)
TEXTS = st.lists(st.none() | st.text(max_size=8), max_size=40)
quick = settings(max_examples=60, deadline=None, derandomize=True)


def same(ours: pa.Array, theirs: pa.Array) -> None:
    ours.validate(full=True)
    assert ours.type == theirs.type
    assert ours.equals(theirs)
    assert ours.null_count == theirs.null_count


@quick
@given(INTS)
def test_whole_numbers(values: list[int | None]) -> None:
    same(int64s(values), pa.array(values, pa.int64()))


@quick
@given(TEXTS)
def test_texts(values: list[str | None]) -> None:
    same(strings(values), pa.array(values, pa.string()))


@quick
@given(st.dates(), st.integers(0, 100))
def test_one_day_many_times(value: dt.date, rows: int) -> None:
    same(day(value, rows), pa.array([value] * rows, pa.date32()))


@pytest.mark.parametrize("digits", [5, 15, 30])
@pytest.mark.parametrize("scale", [0, 2, 9, 22, 23])
@pytest.mark.parametrize("of", [pa.decimal128, pa.decimal256])
@quick
@given(data=st.data())
def test_floats_of_decimals(
    of: Callable[[int, int], pa.DataType], scale: int, digits: int, data: st.DataObject
) -> None:
    whole = st.integers(-(10**digits) + 1, 10**digits - 1)
    drawn = data.draw(st.lists(st.none() | whole, min_size=1, max_size=40))
    values = [None if v is None else Decimal(v).scaleb(-scale) for v in drawn]
    found = floats_of(pa.array(values, of(38, scale)).slice(1))
    same(found, pa.array([None if v is None else float(v) for v in values[1:]], pa.float64()))


@pytest.mark.parametrize(
    "kind", [pa.float64(), pa.string(), pa.date32(), pa.dictionary(pa.int32(), pa.string())]
)
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 8, 1000])
def test_nulls(kind: pa.DataType, rows: int) -> None:
    same(nulls(kind, rows), pa.nulls(rows, kind))


def test_nulls_of_pieces_of_similar_size_share_memory() -> None:
    one, other = nulls(pa.float64(), 1000), nulls(pa.float64(), 1020)
    assert one.buffers()[1].address == other.buffers()[1].address


@quick
@given(st.dates())
def test_midnight_is_the_first_microsecond_of_the_day(value: dt.date) -> None:
    begin = dt.datetime(value.year, value.month, value.day)
    assert midnight(value).equals(pa.scalar(begin, pa.timestamp("us")))


def test_each_number_of_nulls_around_whole_bytes() -> None:
    for size in range(1, 26):
        for null in range(size):
            values = [None if n == null else n for n in range(size)]
            same(int64s(values), pa.array(values, pa.int64()))
            texts = [None if value is None else "é" * value for value in values]
            same(strings(texts), pa.array(texts, pa.string()))
