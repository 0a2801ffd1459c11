"""Files with people's own oddities, run through the command line and read by DuckDB."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.in_process import Commands, Said
from fakes.trip_files import YELLOW_HEADER
from monthly.ledger import entry_key
from monthly.month import Month

pytestmark = pytest.mark.flow


@pytest.fixture
def bring(place: Path, command: Commands) -> Callable[..., Said]:
    """Return a function that brings a file into the place's bucket."""
    from etl_web_to_gcs import etl_web_to_gcs

    def bring(name: str, *options: str) -> Said:
        color, _, year_month = Path(name).stem.split("_")
        year, month = year_month.split("-")
        which = ("--color", color, "--year", year, "--month", month)
        return command(etl_web_to_gcs, *which, "--source", str(place / name), *options)

    return bring


def values(place: Path, name: str, columns: str) -> list[tuple[Any, ...]]:
    """Return what DuckDB reads from the bucket's object."""
    color = name.split("_")[0]
    path = place / "bucket" / "data" / color / f"{Path(name).stem}.parquet"
    query = f"SELECT {columns} FROM read_parquet(?)"
    return duckdb.execute(query, [str(path)]).fetchall()


def yellow(pickup: str, dropoff: str) -> str:
    return f"1,{pickup},{dropoff},1,2.1,1,N,142,43,2,8,3,0.5,0,0,0.3,11.8,2.5"


def test_the_base_of_2018_stands_in_the_column_that_is_not_empty(
    place: Path, bring: Callable[..., Said]
) -> None:
    name = "fhv_tripdata_2018-01.csv"
    header = (
        '"Pickup_DateTime","DropOff_datetime","PUlocationID","DOlocationID","SR_Flag",'
        '"Dispatching_base_number","Dispatching_base_num"'
    )
    at = "2018-01-30 21:{:02}:50"
    rows = [f'"{at.format(m)}","{at.format(m)}","56","129","","B02884",""' for m in range(50)]
    (place / name).write_text("\n".join([header, *rows, ""]))
    said = bring(name)
    assert said.code == 0, said
    found = values(place, name, "dispatching_base_num, Affiliated_base_number")
    assert found == [("B02884", None)] * 50


def test_years_of_two_digits_are_those_of_the_month_and_said(
    place: Path, bring: Callable[..., Said]
) -> None:
    name = "yellow_tripdata_2021-02.csv"
    rows = [
        yellow(f"2/{d}/21 0:{m:02}", f"2/{d}/21 0:{m + 5:02}")
        for d in range(1, 11)
        for m in range(50)
    ]
    (place / name).write_text("\n".join([YELLOW_HEADER, *rows, ""]))
    said = bring(name)
    assert said.code == 0, said
    ends = "min(tpep_pickup_datetime), max(tpep_dropoff_datetime), count(*)"
    first, last = dt.datetime(2021, 2, 1), dt.datetime(2021, 2, 10, 0, 54)
    assert values(place, name, ends) == [(first, last, 500)]
    assert "dates like '2/1/21 0:00' as month/day/year" in said.log
    entry = place / "bucket" / entry_key(Month("yellow", 2021, 2))
    assert "month/day/year" in entry.read_text()


def test_the_file_of_another_year_is_refused_before_the_bucket_changes_unless_allowed(
    place: Path, bring: Callable[..., Said]
) -> None:
    name = "yellow_tripdata_2018-01.csv"
    rows = [yellow("01/01/2019 12:00:05 AM", "01/01/2019 12:22:32 AM")] * 3
    (place / name).write_text("\n".join([YELLOW_HEADER, *rows, ""]))
    said = bring(name)
    last = said.err.strip().splitlines()[-2]
    assert said.code == 1
    assert last.startswith("Error: yellow 2018-01: 3 of 3 pickups (100.0%) are not in the month")
    assert "from 2019-01-01 00:00:05 to 2019-01-01 00:00:05" in last
    assert not [*place.glob("bucket/**/*tripdata*")]
    said = bring(name, "--max-outside-share", "1")
    assert said.code == 0, said
    at = dt.datetime(2019, 1, 1, 0, 0, 5)
    assert values(place, name, "tpep_pickup_datetime") == [(at,)] * 3


@pytest.mark.parametrize(("mark", "name_of_it"), [("\t", "tabs"), (";", "semicolons")])
def test_another_separator_is_found_and_said(
    mark: str, name_of_it: str, place: Path, bring: Callable[..., Said]
) -> None:
    name = "yellow_tripdata_2010-01.csv"
    row = yellow("2010-01-26 07:41:00", "2010-01-26 07:45:00")
    text = "\n".join([YELLOW_HEADER, *[row] * 3, ""]).replace(",", mark)
    (place / name).write_text(f"sep={mark}\n{text}" if mark == ";" else text)
    said = bring(name)
    assert said.code == 0, said
    assert f"fields separated by {name_of_it}" in said.log
    found = values(place, name, "tpep_pickup_datetime, total_amount")
    assert found == [(dt.datetime(2010, 1, 26, 7, 41), 11.8)] * 3


def green(zone: str) -> pa.Table:
    at = dt.datetime(2023, 2, 1, 4, 0)  # UTC; 23:00 on 31 January in New York
    whole = ("VendorID", "RatecodeID", "PULocationID", "DOLocationID", "passenger_count")
    money = ("trip_distance", "fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount")
    times = pa.array([at] * 100, pa.timestamp("us", zone))
    return pa.table(
        {
            "lpep_pickup_datetime": times,
            "lpep_dropoff_datetime": times,
            "store_and_fwd_flag": ["N"] * 100,
            "payment_type": [1] * 100,
            **{name: [1] * 100 for name in whole},
            **{name: [1.0] * 100 for name in (*money, "total_amount")},
        }
    )


def test_times_with_a_zone_are_new_yorks_clock(place: Path, bring: Callable[..., Said]) -> None:
    name = "green_tripdata_2023-01.parquet"
    pq.write_table(green("America/New_York"), place / name)
    said = bring(name)
    assert said.code == 0, said
    at = dt.datetime(2023, 1, 31, 23)
    assert values(place, name, "lpep_pickup_datetime") == [(at,)] * 100
    assert "times of America/New_York" in said.log


def test_a_time_of_spark_may_lie_beyond_what_nanoseconds_hold(
    place: Path, bring: Callable[..., Said]
) -> None:
    name = "fhv_tripdata_2019-02.parquet"
    pickups = [dt.datetime(2019, 2, 1) + dt.timedelta(minutes=n) for n in range(3_000)]
    dropoffs = [at + dt.timedelta(minutes=10) for at in pickups]
    dropoffs[1234] = dt.datetime(3019, 2, 3, 17, 30)
    table = pa.table(
        {
            "dispatching_base_num": ["B00001"] * 3_000,
            "pickup_datetime": pa.array(pickups, pa.timestamp("us")),
            "dropOff_datetime": pa.array(dropoffs, pa.timestamp("us")),
            "PUlocationID": [264] * 3_000,
        }
    )
    pq.write_table(table, place / name, use_deprecated_int96_timestamps=True)
    said = bring(name)
    assert said.code == 0, said
    assert "3,000" in said.out
    found = values(place, name, "pickup_datetime, dropOff_datetime")
    assert found == [*zip(pickups, dropoffs)]


def test_a_zone_that_is_utc_in_name_only_is_settled_by_the_option_that_the_error_names(
    place: Path, bring: Callable[..., Said]
) -> None:
    name = "fhv_tripdata_2019-02.csv"
    header = "dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID"
    (place / name).write_text(f"{header}\n" + "B1,2019-02-15T10:00:00Z,,5\n" * 4)
    said = bring(name)
    assert said.code == 1
    error = said.err.strip().splitlines()[-2]
    assert error.endswith("; run again with --utc-times local, or with --utc-times utc")
    said = bring(name, "--utc-times", "local")
    assert said.code == 0, said
    at = dt.datetime(2019, 2, 15, 10)
    assert values(place, name, "pickup_datetime") == [(at,)] * 4
