"""The rows that two editions share are those that a counter of rows finds in both."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monthly.convert import hash_file, row_changes
from monthly.convert.row_changes import RowChanges, compare

NAN = float("nan")
DAY = dt.datetime(2021, 1, 31)
CELLS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int64(): st.none() | st.integers(-1, 1),
    pa.float64(): st.none() | st.sampled_from([0.0, -0.0, 1.5, NAN, -NAN, math.inf]),
    pa.string(): st.none() | st.sampled_from(["", "a", "é"]),
    pa.timestamp("us"): st.none() | st.sampled_from([DAY, DAY + dt.timedelta(microseconds=1)]),
    pa.bool_(): st.none() | st.booleans(),
    pa.decimal128(10, 2): st.none() | st.sampled_from([Decimal("0.10"), Decimal("-0.10")]),
    pa.date32(): st.none() | st.just(DAY.date()),
}
NAMES = [f"c{number}" for number in range(len(CELLS))]
ROWS = st.lists(st.tuples(*CELLS.values()), max_size=40)


def written(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    columns = [*zip(*rows)] or [()] * len(CELLS)
    arrays = [pa.array(c, kind, from_pandas=False) for c, kind in zip(columns, CELLS)]
    pq.write_table(pa.table(arrays, names=NAMES), path, row_group_size=7)
    return path


def key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the row with a single NaN object, because Python's NaN differs from itself."""
    return tuple("NaN" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kept=ROWS, removed=ROWS, added=ROWS, at_a_time=st.integers(1, 50), data=st.data())
def test_changes_are_what_counters_of_the_rows_say(
    tmp_path: Path,
    kept: list[tuple[Any, ...]],
    removed: list[tuple[Any, ...]],
    added: list[tuple[Any, ...]],
    at_a_time: int,
    data: st.DataObject,
) -> None:
    before, after = kept + removed, data.draw(st.permutations(kept + added))
    old, new = written(tmp_path / "old", before), written(tmp_path / "new", after)
    with mock.patch.object(row_changes, "HASHES_AT_A_TIME", at_a_time):
        found = compare(old, new, NAMES, tmp_path)
    both = Counter(map(key, before)) & Counter(map(key, after))
    shared = both.total()
    assert found == RowChanges(len(after) - shared, len(before) - shared, shared)
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new"}


def tables(folder: Path, old: pa.Table, new: pa.Table) -> tuple[Path, Path]:
    for name, table in (("old", old), ("new", new)):
        pq.write_table(table, folder / name)
    return folder / "old", folder / "new"


def test_only_the_named_columns_are_compared(tmp_path: Path) -> None:
    old = pa.table({"n": [1, 2], "fee": [None, None]}, pa.schema({"n": "int64", "fee": "double"}))
    new = pa.table({"fee": [1.5, 2.5], "n": [2, 1]})
    files = tables(tmp_path, old, new)
    assert compare(*files, ["n"], tmp_path) == RowChanges(0, 0, 2)
    assert compare(*files, ["n", "fee"], tmp_path) == RowChanges(2, 2, 0)


def test_without_a_common_column_no_row_is_unchanged(tmp_path: Path) -> None:
    files = tables(tmp_path, pa.table({"a": [1, 2]}), pa.table({"b": [1, 2, 3]}))
    assert compare(*files, [], tmp_path) == RowChanges(3, 2, 0)


def test_numbers_of_another_type_are_compared_as_floats_and_others_as_texts(tmp_path: Path) -> None:
    old = pa.table({"n": [1, 2, None], "t": [7, 8, 9]})
    new = pa.table({"n": [1.0, 2.5, None], "t": ["7", "8", "x"]})
    files = tables(tmp_path, old, new)
    assert compare(*files, ["n"], tmp_path) == RowChanges(1, 1, 2)
    assert compare(*files, ["t"], tmp_path) == RowChanges(1, 1, 2)
    assert compare(*files, ["n", "t"], tmp_path) == RowChanges(2, 2, 1)


def test_decimals_equal_the_floats_that_are_written_alike(tmp_path: Path) -> None:
    texts = [f"{cents / 100:.2f}" for cents in range(2_000)]
    old = pa.table({"n": pa.array(map(Decimal, texts), pa.decimal128(10, 2))})
    new = pa.table({"n": [*map(float, texts)]})
    assert compare(*tables(tmp_path, old, new), ["n"], tmp_path) == RowChanges(0, 0, 2_000)


def test_more_hashes_than_are_compared_at_a_time_are_compared_in_parts(tmp_path: Path) -> None:
    old = pa.table({"n": [n % 4_001 for n in range(10_000)]})
    new = pa.table({"n": [n % 4_001 for n in range(500, 10_700)]})
    files = tables(tmp_path, old, new)
    with (
        mock.patch.object(row_changes, "HASHES_AT_A_TIME", 1_000),
        mock.patch.object(hash_file, "_READ_BYTES", 800),
    ):
        found = compare(*files, ["n"], tmp_path)
    assert found == RowChanges(700, 500, 9_500)
