"""Odd rows are kept and counted, with the same counts as an independent reader's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.real_data import real_file
from fakes.trip_files import FHV, FHV_HEADER, converted
from monthly.convert import csv_file, duplicates, hash_file
from monthly.convert.duplicates import DuplicateCounter, row_hashes
from monthly.convert.to_parquet import convert
from monthly.datasets import DATASETS
from monthly.month import Month

GREEN = Month("green", 2024, 12)
HEADER = (
    "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,"
    "passenger_count,trip_distance,fare_amount,extra,mta_tax,tip_amount,tolls_amount,"
    "total_amount,payment_type"
)


def green_line(pickup: str, dropoff: str, miles: str = "1", total: str = "5") -> str:
    return f"2,{pickup},{dropoff},N,1,1,{miles},3,0,0,0,0,{total},1"


DAY = "2024-12-24"
ODD = {
    "pickup_outside_month": green_line("2024-11-30 23:59:59.999999", "2024-12-01 00:10:00"),
    "dropoff_before_pickup": green_line(f"{DAY} 10:00:00", f"{DAY} 09:59:59"),
    "zero_distance": green_line(f"{DAY} 10:00:00", f"{DAY} 10:00:00", miles="0.00"),
    "negative_total": green_line(f"{DAY} 10:00:00", f"{DAY} 10:00:01", total="-.01"),
}
ORDINARY = [
    green_line("2024-12-01 00:00:00", "2024-12-01 00:00:00"),
    green_line("2024-12-31 23:59:59.999999", "2025-01-01 00:00:00", total="0"),
    green_line(f"{DAY} 10:00:00", "", miles="", total=""),
]


NO_GATE: dict[str, Any] = {"strict": False, "max_outside_share": 1.0}


@pytest.mark.parametrize("what", ODD)
def test_an_odd_row_is_counted_under_its_oddity_alone_and_kept(what: str, tmp_path: Path) -> None:
    quality = converted(tmp_path, "\n".join([HEADER, *ORDINARY, ODD[what]]), GREEN).result.quality
    figures = quality.figures(DATASETS["green"])
    assert {name: figures[name] for name in ODD} == {name: int(name == what) for name in ODD}
    assert quality.rows == 4


NOON, LATER = f"{DAY} 12:00:00", f"{DAY} 13:00:00"
BEYOND = {
    "implausible_distance": green_line(NOON, NOON, miles="200.01"),
    "implausible_duration": green_line(NOON, "2024-12-25 00:00:00.000001"),
    "implausible_speed": green_line(NOON, LATER, miles="100.01"),
    "implausible_amount": green_line(NOON, NOON, total="1000.01"),
}
AT_THE_BOUND = [
    green_line(NOON, NOON, miles="200"),
    green_line(NOON, "2024-12-25 00:00:00"),
    green_line(NOON, LATER, miles="100"),
    green_line(NOON, NOON, total="1000"),
    green_line(LATER, NOON, miles="150"),
    green_line(NOON, "", miles="", total=""),
]


@pytest.mark.parametrize("what", BEYOND)
def test_an_implausible_row_is_counted_under_its_bound_alone_and_kept(
    what: str, tmp_path: Path
) -> None:
    """Values at the bound are not counted, nor is the speed of a trip without duration."""
    data = "\n".join([HEADER, *AT_THE_BOUND, BEYOND[what]])
    quality = converted(tmp_path, data, GREEN).result.quality
    assert {name: getattr(quality, name) for name in BEYOND} == {
        name: int(name == what) for name in BEYOND
    }
    assert quality.rows == len(AT_THE_BOUND) + 1


@pytest.mark.real
def test_a_real_month_has_the_implausible_trips_that_duckdb_counts(tmp_path: Path) -> None:
    source = real_file("tlc/green/green_tripdata_2020-10.csv.gz")
    quality = convert(Month("green", 2020, 10), source, tmp_path).quality
    took = "date_diff('second', lpep_pickup_datetime, lpep_dropoff_datetime)"
    query = (
        "SELECT count(*) FILTER (trip_distance > 200), "
        f"count(*) FILTER ({took} > 12 * 3600), "
        f"count(*) FILTER ({took} > 0 AND trip_distance / ({took} / 3600) > 100), "
        "count(*) FILTER (total_amount > 1000) FROM read_csv(?)"
    )
    with duckdb.connect() as db:
        (counted,) = db.execute(query, [str(source)]).fetchall()
    assert counted == tuple(getattr(quality, name) for name in BEYOND)
    assert counted[:2] == (31, 257)


def test_the_first_moment_of_the_next_month_is_outside(tmp_path: Path) -> None:
    data = "\n".join([HEADER, green_line("2025-01-01 00:00:00", "2025-01-01 00:00:00")])
    assert converted(tmp_path, data, GREEN, max_outside_share=1.0).result.quality.outside_month == 1


def test_nulls_total_and_ends_are_those_of_all_blocks(tmp_path: Path) -> None:
    with mock.patch.object(csv_file, "BLOCK_BYTES", 100):
        outcome = converted(tmp_path, "\n".join([HEADER, *ODD.values(), *ORDINARY]), GREEN)
    quality = outcome.result.quality
    assert quality.amount == 19.99
    assert quality.nulls["total_amount"] == quality.nulls["lpep_dropoff_datetime"] == 1
    assert quality.nulls["ehail_fee"] == 7
    assert "VendorID" not in quality.nulls
    assert quality.first_time == "2024-11-30 23:59:59.999999"
    assert quality.last_time == "2024-12-31 23:59:59.999999"


def test_a_month_without_pickups_distances_or_amounts_has_none_to_report(tmp_path: Path) -> None:
    quality = converted(tmp_path, f"{FHV_HEADER}\nB1,,,1,2\n", **NO_GATE).result.quality
    assert (quality.first_time, quality.last_time) == (None, None)
    assert (quality.zero_distance, quality.negative_amount, quality.amount) == (0, 0, 0.0)
    assert (quality.outside_month, quality.nulls["pickup_datetime"]) == (0, 1)


def test_cents_of_a_hundred_thousand_rows_add_up_exactly(tmp_path: Path) -> None:
    lines = [
        green_line(f"{DAY} 10:00:00", f"{DAY} 10:09:00", total=f"{n % 1000}.{n % 100:02}")
        for n in range(30_000)
    ]
    cents = sum(n % 1000 * 100 + n % 100 for n in range(30_000))
    quality = converted(tmp_path, "\n".join([HEADER, *lines]), GREEN).result.quality
    assert round(quality.amount * 100) == cents
    assert quality.duplicates == 30_000 - 1_000


# ---- duplicates

CELLS = {
    pa.int64(): st.none() | st.integers(-2, 2),
    pa.float64(): st.none() | st.sampled_from([0.0, -0.0, 1.5, -1.5, 1e300]),
    pa.string(): st.none() | st.sampled_from(["", "a", "b", "é", "ab"]),
}
TABLES = st.lists(st.tuples(*CELLS.values()), max_size=40)


def counted(path: Path, batches: list[pa.RecordBatch]) -> int:
    with DuplicateCounter(path / "hashes") as counter:
        for batch in batches:
            counter.add(row_hashes(batch))
        found = sum(count() for count in counter.parts())
    assert not (path / "hashes").exists()
    return found


def batch_of(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = [*zip(*rows)] or [()] * len(CELLS)
    return pa.record_batch(
        [pa.array(c, kind) for c, kind in zip(columns, CELLS)], names=["int", "float", "text"]
    )


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=TABLES, cut=st.integers(1, 12), at_a_time=st.integers(1, 50), sliced=st.booleans())
def test_duplicates_are_what_a_counter_of_rows_counts(
    tmp_path: Path, rows: list[tuple[Any, ...]], cut: int, at_a_time: int, sliced: bool
) -> None:
    parts = [rows[n : n + cut] for n in range(0, len(rows), cut)]
    whole = batch_of(rows)
    batches = [
        whole.slice(n * cut, len(part)) if sliced else batch_of(part)
        for n, part in enumerate(parts)
    ]
    with mock.patch.object(duplicates, "HASHES_AT_A_TIME", at_a_time):
        found = counted(tmp_path, batches)
    assert found == sum(count - 1 for count in Counter(rows).values())


def test_equal_rows_are_found_where_a_column_is_empty_in_one_block_only(tmp_path: Path) -> None:
    full, empty = "B1,2017-01-01 00:00:00,,5,6", "B1,2017-01-01 00:00:00,,,6"
    with mock.patch.object(csv_file, "BLOCK_BYTES", len(full) + len(empty) + 2):
        outcome = converted(tmp_path, "\n".join([FHV_HEADER, full, empty, empty, empty]), FHV)
    assert outcome.result.quality.duplicates == 2


def test_rows_that_differ_only_in_where_a_value_stands_are_different(tmp_path: Path) -> None:
    rows: list[tuple[Any, ...]] = [(1, 1.0, "a"), (1, None, "a"), (None, 1.0, "a"), (1, 1.0, None)]
    columns = pa.record_batch([pa.array([1, 2]), pa.array([2, 1])], names=["a", "b"])
    assert counted(tmp_path, [batch_of(rows)]) == 0
    assert counted(tmp_path, [columns]) == 0


def test_more_hashes_than_are_sorted_at_a_time_are_counted_in_parts(tmp_path: Path) -> None:
    rows = [n * 7919 % 4_001 for n in range(10_000)]
    batch = pa.record_batch([pa.array(rows)], names=["n"])
    with (
        mock.patch.object(duplicates, "HASHES_AT_A_TIME", 1_000),
        mock.patch.object(hash_file, "_READ_BYTES", 800),
    ):
        assert counted(tmp_path, [batch]) == 10_000 - 4_001
