"""Parquet files of every vintage and type, whole or damaged."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import BadFile, SchemaError, TooManyRejects
from fakes.trip_files import FHV, converted, converted_table
from monthly.convert import parquet_file
from monthly.month import Month

AT, TO = dt.datetime(2017, 1, 5, 10, 0), dt.datetime(2017, 1, 5, 10, 10, 0, 5)
ANY: dict[str, Any] = {"max_reject_share": 1.0}
FEBRUARY_2010 = Month("yellow", 2010, 2)


def fhv_table(rows: int = 3, **columns: Any) -> pa.Table:
    """Return a for-hire table with some columns replaced or added."""
    names = {
        "dispatching_base_num": [f"B{n}" for n in range(rows)],
        "pickup_datetime": [AT] * rows,
        "dropOff_datetime": [TO] * rows,
        "PUlocationID": [*range(rows)],
        "DOlocationID": [7] * rows,
    }
    return pa.table({**names, **columns})


def yellow_table(**columns: Any) -> pa.Table:
    """Return two trips as published in yellow 2009 and 2010, some columns replaced or added."""
    return pa.table(
        {
            "vendor_name": ["VTS", "CMT"],
            "Trip_Pickup_DateTime": ["2010-02-01 00:00:01", "2010-02-28 23:59:59"],
            "Trip_Dropoff_DateTime": ["2010-02-01 00:10:01", "2010-03-01 00:09:59"],
            "Passenger_Count": [1, 2],
            "Trip_Distance": [2.63, 4.55],
            "Start_Lon": [-73.991957, 0.0],
            "Start_Lat": [40.721567, 0.0],
            "Rate_Code": [None, float("nan")],
            "store_and_forward": [None, 0.0],
            "End_Lon": [-73.99, 0.0],
            "End_Lat": [40.72, 0.0],
            "Payment_Type": ["CASH", "Credit"],
            "Fare_Amt": [8.9, 12.1],
            "surcharge": [0.5, 0.5],
            "mta_tax": [float("nan"), None],
            "Tip_Amt": [0.0, 2.0],
            "Tolls_Amt": [0.0, 0.0],
            "Total_Amt": [9.4, 14.6],
            **columns,
        }
    )


# ---- vintages and types


def test_yellow_2009_has_texts_for_times_and_codes_and_doubles_for_flags(tmp_path: Path) -> None:
    outcome = converted_table(tmp_path, yellow_table(), FEBRUARY_2010)
    first, second = outcome.table.to_pylist()
    assert first["tpep_pickup_datetime"] == dt.datetime(2010, 2, 1, 0, 0, 1)
    assert second["tpep_dropoff_datetime"] == dt.datetime(2010, 3, 1, 0, 9, 59)
    assert (first["VendorID"], first["vendor_name"]) == (2, "VTS")
    assert (second["payment_type"], second["payment_type_name"]) == (1, "Credit")
    assert (first["RatecodeID"], second["RatecodeID"]) == (None, None)
    assert (first["store_and_fwd_flag"], second["store_and_fwd_flag"]) == (None, "0")
    assert (first["mta_tax"], second["mta_tax"]) == (None, None)
    assert (first["pickup_longitude"], second["total_amount"]) == (-73.991957, 14.6)


def test_row_numbers_that_pandas_left_are_left_out(tmp_path: Path) -> None:
    table = yellow_table(__index_level_0__=pa.array([5, 6]))
    result = converted_table(tmp_path, table, FEBRUARY_2010).result
    assert result.rows_written == 2
    assert result.drift["unknown"] == ()


@pytest.mark.parametrize("code", ["", " "])
def test_an_empty_code_is_null_as_in_a_csv_file(code: str, tmp_path: Path) -> None:
    outcome = converted_table(tmp_path, yellow_table(Payment_Type=[code, "Cash"]), FEBRUARY_2010)
    assert outcome.rows("payment_type", "payment_type_name") == [(None, None), (2, "Cash")]


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int8(), pa.string()),
    ],
    ids=str,
)
def test_texts_of_any_kind_are_the_same_texts(kind: pa.DataType, tmp_path: Path) -> None:
    texts = yellow_table()
    for place, field in enumerate(texts.schema):
        if field.type == pa.string():
            texts = texts.set_column(place, field.name, texts[field.name].cast(kind))
    outcome = converted_table(tmp_path, texts, FEBRUARY_2010)
    assert outcome.table.equals(converted_table(tmp_path, yellow_table(), FEBRUARY_2010).table)
    assert outcome.column("vendor_name") == ["VTS", "CMT"]


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint16(), pa.int32(), pa.int64(), pa.float32(), pa.float64()], ids=str
)
def test_numbers_of_any_width_are_the_same_numbers(kind: pa.DataType, tmp_path: Path) -> None:
    table = fhv_table(PUlocationID=pa.array([1, None, 99], kind))
    outcome = converted_table(tmp_path, table, FHV)
    assert outcome.column("PUlocationID") == [1, None, 99]
    assert outcome.table.schema.field("PUlocationID").type == pa.int64()


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_times_are_kept_to_the_microsecond(unit: str, tmp_path: Path) -> None:
    table = fhv_table(dropOff_datetime=pa.array([TO, None, AT], pa.timestamp(unit)))
    assert converted_table(tmp_path, table, FHV).column("dropOff_datetime") == [TO, None, AT]


def test_a_column_without_a_type_is_a_column_of_nulls(tmp_path: Path) -> None:
    table = fhv_table(SR_Flag=pa.nulls(3), DOlocationID=pa.nulls(3))
    outcome = converted_table(tmp_path, table, FHV)
    assert outcome.rows("SR_Flag", "DOlocationID") == [(None, None)] * 3
    assert outcome.result.quality.nulls["SR_Flag"] == 3


def test_a_flag_may_be_a_boolean(tmp_path: Path) -> None:
    """It means the same as its text."""
    table = yellow_table(store_and_forward=[True, False])
    outcome = converted_table(tmp_path, table, FEBRUARY_2010, **ANY)
    assert outcome.column("store_and_fwd_flag") == ["Y", "N"]


def test_shared_rides_may_be_flagged_with_letters_or_numbers(tmp_path: Path) -> None:
    letters = fhv_table(SR_Flag=["Y", "N", None])
    numbers = fhv_table(SR_Flag=pa.array([1.0, 0.0, float("nan")]))
    for table in (letters, numbers):
        assert converted_table(tmp_path, table, FHV).column("SR_Flag") == [1, 0, None]


def test_a_month_of_many_row_groups_and_batches_keeps_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_file, "BATCH_ROWS", 64)
    pq.write_table(fhv_table(1_000), tmp_path / "groups", row_group_size=150)
    outcome = converted(tmp_path, (tmp_path / "groups").read_bytes())
    assert outcome.column("PUlocationID") == [*range(1_000)]


# ---- rows that cannot be converted


@pytest.mark.parametrize(
    ("column", "bad", "reason"),
    [
        ("PUlocationID", pa.array([1.0, 2.5, 3.0]), "PUlocationID: Float value 2.5"),
        ("PUlocationID", pa.array([1.0, float("inf"), 3.0]), "PUlocationID: an infinite number"),
        ("PUlocationID", pa.array([1.0, 2.0**53, 3.0]), "PUlocationID: too large"),
        ("PUlocationID", pa.array(["1", "north", "3"]), "PUlocationID: .*'north'"),
        ("pickup_datetime", pa.array(["2017-01-01", "soon", "2017-01-02"]), "pickup_.*'soon'"),
        ("SR_Flag", pa.array(["Y", "maybe", "N"]), "SR_Flag: 'maybe' is not a known code"),
        ("SR_Flag", pa.array(["Y", "maybe", "N"]).dictionary_encode(), "SR_Flag: 'maybe' is no"),
        ("Affiliated_base_number", pa.array(["B", "B\0", "B"]), "base_number: a NUL byte"),
        ("Affiliated_base_number", pa.array([b"B", b"\0B", b"B"]), "base_number: a NUL byte"),
    ],
)
def test_a_bad_value_rejects_its_row_alone_with_its_number(
    column: str, bad: pa.Array, reason: str, tmp_path: Path
) -> None:
    outcome = converted_table(tmp_path, fhv_table(**{column: bad}), FHV, **ANY)
    assert outcome.column("dispatching_base_num") == ["B0", "B2"]
    ((row, why, text),) = outcome.rejects
    assert row == 2
    assert re.search(reason, why)
    assert json.loads(text)["dispatching_base_num"] == "B1"


def test_a_time_that_python_cannot_hold_is_a_reject_that_shows_it(tmp_path: Path) -> None:
    far = pa.array([0, 253_402_300_800_000_000, 0]).cast(pa.timestamp("us"))
    outcome = converted_table(
        tmp_path, fhv_table(pickup_datetime=far), FHV, **ANY, max_outside_share=1.0
    )
    ((row, why, text),) = outcome.rejects
    assert (row, why) == (2, "pickup_datetime: a year before 1 or after 9999")
    assert json.loads(text)["pickup_datetime"].startswith("10000-01-01")


def test_a_nanosecond_is_refused_not_rounded(tmp_path: Path) -> None:
    odd = pa.array([0, 1, 2_000]).cast(pa.timestamp("ns"))
    outcome = converted_table(tmp_path, fhv_table(dropOff_datetime=odd), FHV, **ANY)
    assert outcome.rejected_lines == [2]
    assert json.loads(outcome.rejects[0][2])["dropOff_datetime"].endswith(".000000001")


def test_invalid_text_is_a_reject_that_shows_its_bytes(tmp_path: Path) -> None:
    raw = pa.array([b"B0", b"B\xa0", b"B2"], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    outcome = converted_table(tmp_path, fhv_table(dispatching_base_num=texts), FHV, **ANY)
    assert outcome.column("dispatching_base_num") == ["B0", "B2"]
    ((row, why, text),) = outcome.rejects
    assert (row, why.split(":")[0]) == (2, "dispatching_base_num")
    assert json.loads(text)["dispatching_base_num"] == "B\\xa0"


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("PUlocationID", pa.array([AT] * 3), r"PUlocationID: timestamp\[us\] is not int64"),
        ("pickup_datetime", pa.array([1, 2, 3]), "pickup_datetime: int64 is not a timestamp"),
        (
            "pickup_datetime",
            pa.array([1.0, 2.0, 3.0]),
            "pickup_datetime: double is not a timestamp",
        ),
        ("dispatching_base_num", pa.array([AT] * 3), r"timestamp\[us\] is not text"),
        ("PUlocationID", pa.array([[1], [2], [3]]), "PUlocationID: "),
    ],
    ids=["time as zone", "number as time", "double as time", "time as text", "list as zone"],
)
def test_a_column_of_the_wrong_type_fails_the_month(
    column: str, values: pa.Array, said: str, tmp_path: Path
) -> None:
    with pytest.raises(TooManyRejects, match=rf"fhv 2017-01: 3 of 3 rows in all.*line 1: .*{said}"):
        converted_table(tmp_path, fhv_table(**{column: values}), FHV)


# ---- files without a month


def parquet_bytes(tmp_path: Path, rows: int = 5_000) -> bytes:
    bases = [f"B{n * 7919 % 100_003}" for n in range(rows)]
    table = fhv_table(rows, dispatching_base_num=bases)
    pq.write_table(table, tmp_path / "whole", use_dictionary=False, write_page_checksum=True)
    return (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("end", [4, 8, 1_000, -1_000, -8, -4, -1])
def test_a_file_that_was_cut_is_named(end: int, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"fhv 2017-01: published is damaged Parquet.*get it again"):
        converted(tmp_path, parquet_bytes(tmp_path)[:end])


@pytest.mark.parametrize("place", [4, 200, 5_000, 20_000])
def test_a_file_that_is_damaged_inside_is_named_and_nothing_of_it_is_kept(
    place: int, tmp_path: Path
) -> None:
    data = bytearray(parquet_bytes(tmp_path))
    data[place : place + 60] = b"\xff" * 60
    with pytest.raises(BadFile, match=r"fhv 2017-01: published is damaged Parquet.*get it again"):
        converted(tmp_path, bytes(data), **ANY)
    assert not [*tmp_path.glob("*/out/*")]


def test_a_file_without_rows_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"fhv 2017-01: published has no rows; the month stays"):
        converted_table(tmp_path, fhv_table(0), FHV)


def test_a_file_without_columns_is_not_a_month(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2]}).select([])
    with pytest.raises((SchemaError, BadFile), match="fhv 2017-01"):
        converted_table(tmp_path, table, FHV)


def test_fewer_rows_than_the_footer_says_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = pq.ParquetFile.iter_batches

    def short(file: pq.ParquetFile, **options: Any) -> Any:
        return iter([*batches(file, **options)][:-1])

    monkeypatch.setattr(parquet_file, "BATCH_ROWS", 10)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", short)
    with pytest.raises(BadFile, match="has 20 rows where its footer says 25"):
        converted_table(tmp_path, fhv_table(25), FHV)
