"""A generated month, read back with the csv module, DuckDB and Arrow, but not the project."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from core.errors import StorageError, UsageError
from fakes.tlc_facts import Facts, write_sample
from monthly.header import map_header
from monthly.month import Month
from monthly.sample import tlc as sample

#: Enough rows for each of the oddities.
ROWS = 5_020
#: Every change of a header, a line end or a spelling, by dataset.
ERAS = {
    "yellow": "2009-01 2010-01 2010-02 2010-04 2011-01 2014-01 2015-01 2015-07 2016-07 2017-01 "
    "2019-01 2021-07 2021-08 2023-02 2025-01",
    "green": "2013-08 2014-01 2015-01 2015-07 2016-01 2016-07 2017-01 2019-01 2021-08 2025-01",
    "fhv": "2015-01 2017-01 2017-07 2018-01 2019-01 2020-01 2021-08",
    "fhvhv": "2019-02 2021-08 2025-01",
}
MONTHS = [
    Month(dataset, int(text[:4]), int(text[5:]))
    for dataset, texts in ERAS.items()
    for text in texts.split()
]
#: Columns in which the csv module finds what Facts count; folded, as eras differ in case.
PICKUPS = (
    "trip_pickup_datetime tpep_pickup_datetime lpep_pickup_datetime pickup_datetime pickup_date"
)
DROPOFFS = "trip_dropoff_datetime tpep_dropoff_datetime lpep_dropoff_datetime dropoff_datetime"
MILES = "trip_distance trip_miles"
TOTALS = "total_amt total_amount base_passenger_fare"


class Read:
    """A CSV file as the csv module reads it: folded names over rows of text."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        self.header, *lines = csv.reader(io.StringIO(text, newline=""))
        self.blank = sum(not line for line in lines)
        self.rows = [line for line in lines if line]
        self.names = [name.strip().lower() for name in self.header]

    def column(self, names: str) -> list[str] | None:
        """Return the column that has one of the names."""
        for place, name in enumerate(self.names):
            if name in names.split():
                return [row[place] for row in self.rows]
        return None

    def known(self, names: str) -> list[str]:
        """Return the column that has one of the names, which must exist."""
        column = self.column(names)
        assert column is not None, f"none of {names} in {self.names}"
        return column


def payments(facts: Facts) -> dict[str, int] | None:
    """Return the counts by payment, as the csv module reads them."""
    counts = facts.payment_types
    if counts is None:
        return None
    return {"" if code is None else str(code): count for code, count in counts.items()}


def cents(amounts: list[str]) -> list[Decimal]:
    """Return amounts in cents, with 17-digit floats rounded to what they stand for."""
    return [round(Decimal(amount or 0) * 100, 8) for amount in amounts]


@pytest.mark.parametrize("month", MONTHS, ids=str)
def test_facts_are_what_the_csv_module_counts(month: Month, tmp_path: Path) -> None:
    path = tmp_path / "month.csv"
    facts = write_sample(month, path, ROWS)
    read = Read(path)
    pickups, dropoffs = read.known(PICKUPS), read.column(DROPOFFS)
    start, end = str(month.first_day), str(month.next.first_day)
    assert facts.rows == len(read.rows) == ROWS
    assert facts.out_of_month == sum(not start <= at < end for at in pickups)
    assert facts.dropoff_before_pickup == sum(b < a for a, b in zip(pickups, dropoffs or pickups))
    assert facts.duplicates == len(read.rows) - len({tuple(row) for row in read.rows})
    assert facts.zero_distance == sum(float(d) == 0 for d in read.column(MILES) or [])
    totals = read.column(TOTALS)
    assert facts.negative_totals == sum(amount.startswith("-") for amount in totals or [])
    assert facts.total_cents == (None if totals is None else sum(cents(totals)))
    assert min(pickups) < "2009"
    assert facts.duplicates > 0
    assert (facts.dropoff_before_pickup > 0) == (dropoffs is not None)
    assert (facts.zero_distance > 0) == (read.column(MILES) is not None)
    assert (facts.negative_totals > 0) == (facts.total_cents is not None)
    assert payments(facts) == (Counter(paid) if (paid := read.column("payment_type")) else None)
    assert dict(facts.nulls) == {
        name: sum(not row[place] for row in read.rows) for place, name in enumerate(read.header)
    }


@pytest.mark.parametrize("month", [m for m in MONTHS if m.dataset in ("yellow", "green")], ids=str)
def test_a_taxi_total_is_the_sum_of_its_parts_to_the_cent(month: Month, tmp_path: Path) -> None:
    write_sample(month, tmp_path / "month.csv", 500)
    read = Read(tmp_path / "month.csv")
    parts = (
        "fare_amt fare_amount,extra surcharge,mta_tax,tip_amt tip_amount,tolls_amt tolls_amount,"
        "improvement_surcharge,congestion_surcharge,airport_fee,cbd_congestion_fee"
    )
    columns = [cents(c) for names in parts.split(",") if (c := read.column(names))]
    assert [sum(row) for row in zip(*columns)] == cents(read.known(TOTALS))


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("month", MONTHS, ids=str)
def test_every_name_of_every_era_is_known_to_the_schema(
    month: Month, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"month{ending}"
    write_sample(month, path, 0)
    names = Read(path).header if ending == ".csv" else pq.read_schema(path).names
    assert map_header(month, names, strict=True).unknown in ((), ("__index_level_0__",))


@pytest.mark.parametrize("rows", [0, 1, 2, 10])
@pytest.mark.parametrize("ending", [".csv.gz", ".parquet"])
@pytest.mark.parametrize("dataset", ["fhv", "fhvhv", "green", "yellow"])
def test_a_handful_of_rows_can_be_generated(
    dataset: str, ending: str, rows: int, tmp_path: Path
) -> None:
    path = tmp_path / f"month{ending}"
    facts = write_sample(Month(dataset, 2020, 6), path, rows)
    found = pq.read_table(path).num_rows if ending == ".parquet" else len(Read(path).rows)
    assert found == facts.rows == rows


@pytest.mark.parametrize(
    ("month", "blank", "fields", "ends"),
    [
        # published head, by month: blank lines, fields of a row, how header and row end
        (Month("green", 2013, 9), 1, 22, ("\n", "\r\n")),
        (Month("green", 2014, 7), 2, 22, ("\n", "\r\n")),
        (Month("green", 2015, 3), 0, 23, ("\r\n", "\r\n")),
        (Month("green", 2016, 9), 1, 21, ("\n", "\r\n")),
        (Month("yellow", 2009, 1), 1, 18, ("\n", "\r\n")),
        (Month("yellow", 2016, 8), 0, 19, ("\r\n", "\r\n")),
        (Month("yellow", 2017, 3), 1, 17, ("\n", "\r\n")),
        (Month("fhv", 2019, 1), 0, 6, ("\n", "\n")),
    ],
    ids=str,
)
def test_blank_lines_nameless_fields_and_line_ends_are_those_of_the_era(
    month: Month, blank: int, fields: int, ends: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "month.csv"
    write_sample(month, path, 50)
    lines = path.read_bytes().decode().splitlines(keepends=True)
    rows = lines[1 + blank :]
    assert (Read(path).blank, {len(row.split(",")) for row in rows}) == (blank, {fields})
    assert {line[len(line.rstrip("\r\n")) :] for line in rows} == {ends[1]}
    assert lines[0][len(lines[0].rstrip("\r\n")) :] == ends[0]


def test_names_after_the_first_begin_with_a_space_in_2014(tmp_path: Path) -> None:
    write_sample(Month("yellow", 2014, 5), tmp_path / "month.csv", 0)
    first, *others = Read(tmp_path / "month.csv").header
    assert first == "vendor_id"
    assert all(name.startswith(" ") for name in others)


def test_old_floats_have_17_digits_that_stand_for_whole_cents(tmp_path: Path) -> None:
    write_sample(Month("yellow", 2012, 6), tmp_path / "month.csv", 500)
    fares = Read(tmp_path / "month.csv").known("total_amount")
    assert any(len(fare) > 15 for fare in fares)
    assert all(float(fare) == round(float(fare), 2) for fare in fares)


def test_rows_without_a_meter_record_come_last(tmp_path: Path) -> None:
    facts = write_sample(Month("green", 2020, 10), tmp_path / "month.csv", 1_000)
    vendors = Read(tmp_path / "month.csv").known("vendorid")
    assert facts.nulls["VendorID"] == 400
    assert all(vendors[:600])
    assert not any(vendors[600:])


def test_strays_are_of_2008_and_of_the_hours_around_the_month(tmp_path: Path) -> None:
    facts = write_sample(Month("fhv", 2019, 2), tmp_path / "month.csv", 10_020)
    pickups = Read(tmp_path / "month.csv").known(PICKUPS)
    strays = [at[:13] for at in pickups if not at.startswith("2019-02")]
    assert strays == ["2008-12-31 23", "2019-01-31 23", "2019-03-01 00"]
    assert facts.out_of_month == 3


def test_fhv_zones_are_often_empty(tmp_path: Path) -> None:
    nulls = write_sample(Month("fhv", 2020, 4), tmp_path / "month.csv", 1_000).nulls
    assert 250 < nulls["PUlocationID"] < 400
    assert 20 < nulls["DOlocationID"] < 90


def test_the_base_of_2018_is_under_the_longer_of_its_two_names(tmp_path: Path) -> None:
    """In the published files of that year, Dispatching_base_num is empty."""
    nulls = write_sample(Month("fhv", 2018, 12), tmp_path / "month.csv", 300).nulls
    read = Read(tmp_path / "month.csv")
    assert read.names[-2:] == ["dispatching_base_number", "dispatching_base_num"]
    assert len(set(read.known("dispatching_base_number")) - {""}) > 100
    assert set(read.known("dispatching_base_num")) == {""}
    assert (nulls["Dispatching_base_number"], nulls["Dispatching_base_num"]) == (0, 300)


def test_only_one_company_names_the_requester_and_leaves_a_blank_flag(tmp_path: Path) -> None:
    write_sample(Month("fhvhv", 2023, 1), tmp_path / "month.csv", 1_000)
    read = Read(tmp_path / "month.csv")
    names = ("hvfhs_license_num", "originating_base_num", "on_scene_datetime", "access_a_ride_flag")
    found = {
        (company == "HV0003", bool(base), bool(arrived), flag)
        for company, base, arrived, flag in zip(*map(read.known, names))
    }
    assert found == {(True, True, True, " "), (False, False, False, "N")}
    assert 600 < read.known(names[0]).count("HV0003") < 800


def test_arrow_and_duckdb_agree_with_the_facts(tmp_path: Path) -> None:
    path = tmp_path / "month.csv.gz"
    facts = write_sample(Month("yellow", 2021, 1), path, 20_000)
    arrow = pa_csv.read_csv(path)
    assert arrow.num_rows == facts.rows
    assert arrow.schema.field("total_amount").type == pa.float64()
    query = "select sum(total_amount::decimal(9, 2)) * 100, count(*) - count(passenger_count)"
    found = duckdb.execute(f"{query} from '{path}'").fetchone()
    assert found == (facts.total_cents, facts.nulls["passenger_count"])


@pytest.mark.parametrize("dataset", ["fhv", "fhvhv", "green", "yellow"])
def test_parquet_holds_what_the_facts_say(dataset: str, tmp_path: Path) -> None:
    path = tmp_path / "month.parquet"
    facts = write_sample(Month(dataset, 2025, 2), path, ROWS)
    table = pq.read_table(path)
    nulls = {name: table[name].null_count for name in table.column_names}
    assert (table.num_rows, nulls) == (facts.rows, dict(facts.nulls))
    total = next((n for n in ("total_amount", "base_passenger_fare") if n in nulls), None)
    cents = sum(round(amount * 100) for amount in table[total].to_pylist()) if total else None
    assert cents == facts.total_cents


def test_parquet_has_the_types_of_the_published_files(tmp_path: Path) -> None:
    write_sample(Month("green", 2024, 1), tmp_path / "month.parquet", 10)
    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "month.parquet")}
    assert types["VendorID"] == types["PULocationID"] == "int32"
    assert types["lpep_pickup_datetime"] == "timestamp[us]"
    assert types["store_and_fwd_flag"] == "large_string"
    assert types["total_amount"] == types["ehail_fee"] == "double"


def test_an_always_empty_column_has_no_type_in_older_parquet(tmp_path: Path) -> None:
    write_sample(Month("green", 2022, 1), tmp_path / "month.parquet", 10)
    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "month.parquet")}
    assert (types["ehail_fee"], types["passenger_count"]) == ("null", "double")


@pytest.mark.parametrize("ending", [".csv.gz", ".csv", ".parquet"])
def test_the_same_month_and_size_are_the_same_bytes(ending: str, tmp_path: Path) -> None:
    month, paths = Month("fhvhv", 2020, 4), [tmp_path / f"{n}{ending}" for n in (1, 2)]
    first, second = (write_sample(month, path, 3_000) for path in paths)
    assert first == second
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_neighboring_months_are_not_alike(tmp_path: Path) -> None:
    found = [
        write_sample(Month("yellow", 2019, month), tmp_path / "month.csv", 500).total_cents
        for month in range(1, 7)
    ]
    assert len(set(found)) == len(found)


def test_gzip_tells_neither_a_time_nor_a_name(tmp_path: Path) -> None:
    write_sample(Month("fhv", 2019, 1), tmp_path / "month.csv.gz", 5)
    flags, time = (tmp_path / "month.csv.gz").read_bytes()[3], slice(4, 8)
    assert flags == 0
    assert (tmp_path / "month.csv.gz").read_bytes()[time] == bytes(4)


def test_a_chunk_ends_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "CHUNK", 1_000)
    facts = write_sample(Month("green", 2020, 10), tmp_path / "month.csv", 3_500)
    read = Read(tmp_path / "month.csv")
    metered = read.known(PICKUPS)[: 3_500 * 60 // 100]
    ordinary = [at for at in metered if at.startswith("2020-10")]
    assert (facts.rows, facts.total_cents) == (len(read.rows), sum(cents(read.known(TOTALS))))
    assert ordinary == sorted(ordinary)


def test_rush_hours_are_busier_than_the_small_hours(tmp_path: Path) -> None:
    write_sample(Month("yellow", 2019, 3), tmp_path / "month.csv", 5_000)
    hours = Counter(at[11:13] for at in Read(tmp_path / "month.csv").known(PICKUPS))
    assert hours["18"] > 3 * hours["04"] > 0


def test_a_full_disk_leaves_the_older_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month, path = Month("fhv", 2019, 1), tmp_path / "month.csv.gz"
    write_sample(month, path, 5)
    older, draws = path.read_bytes(), []

    def full(*given: object) -> None:
        draws.append(given)
        assert len([*tmp_path.iterdir()]) == 2, "the failure must come while a file is open"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sample, "published", full)
    with pytest.raises(StorageError, match=r"fhv 2019-01.*No space left"):
        write_sample(month, path, 10)
    assert draws
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == older


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="absent"):
        write_sample(Month("fhv", 2019, 1), tmp_path / "absent" / "month.csv", 5)


@pytest.mark.parametrize(("name", "rows"), [("month.xlsx", 5), ("month.csv", -1)])
def test_an_invalid_parameter_is_refused(name: str, rows: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.csv\.gz, \.csv, \.parquet"):
        write_sample(Month("fhv", 2019, 1), tmp_path / name, rows)
    assert not [*tmp_path.iterdir()]


def test_default_size_is_that_of_the_dataset(tmp_path: Path) -> None:
    facts = write_sample(Month("green", 2020, 10), tmp_path / "month.parquet")
    assert facts.rows == sample.DEFAULT_ROWS["green"] == 50_000
