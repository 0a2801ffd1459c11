"""Real published files, checked against an independent tool and the csv module."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from core.errors import BadFile, SchemaError, TripsError
from fakes.real_data import answers, real_file
from fakes.trip_files import (
    PAYMENT_CODES,
    VENDOR_CODES,
    Outcome,
    canonical,
    converted_file,
)
from monthly.datasets import DATASETS
from monthly.month import Month

pytestmark = pytest.mark.real

WHOLE = {
    "tlc/green/green_tripdata_2013-08.csv": Month("green", 2013, 8),
    "tlc/green/green_tripdata_2020-10.csv.gz": Month("green", 2020, 10),
    "tlc/green/green_tripdata_2023-12.parquet": Month("green", 2023, 12),
    "tlc/green/green_tripdata_2024-01.parquet": Month("green", 2024, 1),
    "tlc/green/green_tripdata_2025-01.parquet": Month("green", 2025, 1),
    "tlc/yellow/yellow_tripdata_2019-06.first1000.csv": Month("yellow", 2019, 6),
    "tlc/yellow/yellow_tripdata_2025-01.first10000.parquet": Month("yellow", 2025, 1),
    "tlc/samples/fhv_tripdatasample_2020-04.csv": Month("fhv", 2020, 4),
    "tlc/samples/fhvhv_tripdatasample_2020-04.csv": Month("fhvhv", 2020, 4),
    "tlc/samples/green_tripdatasample_2020-04.csv": Month("green", 2020, 4),
    "tlc/samples/yellow_tripdatasample_2020-04.csv": Month("yellow", 2020, 4),
}
HEADS = {
    f"tlc/heads/{dataset}_tripdata_{text}.csv": Month(dataset, int(text[:4]), int(text[5:]))
    for dataset, texts in {
        "green": "2013-09 2014-07 2015-03 2015-08 2016-02 2016-09 2017-01",
        "yellow": "2009-01 2010-03 2012-06 2014-05 2015-01 2016-03 2016-08 2017-03",
    }.items()
    for text in texts.split()
}
CODES = {"VendorID": VENDOR_CODES, "payment_type": PAYMENT_CODES}
TEXTS = {"store_and_fwd_flag"}
FARES = {"fhvhv": "base_passenger_fare"}
MILES = {"fhvhv": "trip_miles"}

Convert = Callable[[str], Outcome]


@pytest.fixture(scope="module")
def convert_real(tmp_path_factory: pytest.TempPathFactory) -> Convert:
    """Return a function that converts each real file once."""
    done: dict[str, Outcome] = {}

    def convert_once(name: str) -> Outcome:
        if name not in done:
            out = tmp_path_factory.mktemp("real") / "out"
            done[name] = converted_file(real_file(name), out, {**WHOLE, **HEADS}[name])
        return done[name]

    return convert_once


def exact_sum(outcome: Outcome, column: str) -> Decimal:
    return sum((Decimal(repr(x)) for x in outcome.column(column) if x is not None), Decimal(0))


@pytest.mark.parametrize("name", WHOLE)
def test_no_row_of_a_real_file_is_lost_or_rejected(name: str, convert_real: Convert) -> None:
    expected = answers(name)
    result = convert_real(name).result
    assert (
        result.rows_read == result.rows_written == expected.get("rows", expected.get("data_rows"))
    )
    assert result.rejects is None


@pytest.mark.parametrize("name", WHOLE)
def test_sums_of_a_real_file_are_exact(name: str, convert_real: Convert) -> None:
    expected, outcome = answers(name), convert_real(name)
    dataset = outcome.result.month.dataset
    columns = {
        "sum_total_amount": "total_amount",
        "sum_fare": FARES.get(dataset, "fare_amount"),
        "sum_distance": MILES.get(dataset, "trip_distance"),
    }
    wanted = {key: Decimal(expected[key]) for key in columns if key in expected}
    assert {key: exact_sum(outcome, columns[key]) for key in wanted} == wanted
    assert wanted or dataset == "fhv"


@pytest.mark.parametrize("name", WHOLE)
def test_the_quality_report_of_a_real_file_is_right(name: str, convert_real: Convert) -> None:
    expected, quality = answers(name), convert_real(name).result.quality
    is_fhvhv = WHOLE[name].dataset == "fhvhv"
    negative = expected.get("negative_fare" if is_fhvhv else "negative_total_amount")
    total = expected.get("sum_fare" if is_fhvhv else "sum_total_amount", "0")
    wanted = {
        "pickup_outside_month": expected["outside_month"],
        "duplicates": expected["full_row_dup_extra"],
        "first_pickup": expected["pickup_min"],
        "last_pickup": expected["pickup_max"],
        "total": float(total),
        "zero_distance": expected.get("zero_distance"),
        "negative_total": negative,
        "dropoff_before_pickup": expected.get("dropoff_before_pickup"),
    }
    figures = quality.figures(DATASETS[WHOLE[name].dataset])
    assert ("total" in figures) is (WHOLE[name].dataset != "fhv")  # for-hire trips have no amount
    known = {key: wanted[key] for key in wanted if wanted[key] is not None and key in figures}
    assert {key: figures[key] for key in known} == known


@pytest.mark.parametrize("name", WHOLE)
def test_nulls_and_payments_of_a_real_file_are_right(name: str, convert_real: Convert) -> None:
    expected, outcome = answers(name), convert_real(name)
    published = expected.get("columns", expected.get("header"))
    names = {n: canonical(WHOLE[name].dataset, n, outcome.table.schema) for n in published}
    if "null_counts" in expected:
        found = {n: outcome.result.quality.nulls.get(column, 0) for n, column in names.items()}
        assert {n: count for n, count in found.items() if count} == expected["null_counts"]
    if "count_by_payment_type" in expected:
        found = Counter(map(str, outcome.column("payment_type")))
        assert found == expected["count_by_payment_type"]
    absent = set(outcome.table.schema.names) - set(names.values()) - {"file_month"}
    assert all(outcome.table[column].null_count == outcome.table.num_rows for column in absent)


@pytest.mark.parametrize("name", [name for name in WHOLE if "2013-08" not in name])
def test_duckdb_reads_the_same_rows_from_the_published_and_the_converted_file(
    name: str, convert_real: Convert
) -> None:
    outcome = convert_real(name)
    path = outcome.result.path
    types = {f.name: duck_type(f.type) for f in outcome.table.schema}
    columns = [
        f'cast("{n}" as {types[column]}) as "{column}"'
        for n in answers(name)["columns"]
        for column in [canonical(WHOLE[name].dataset, n, outcome.table.schema)]
    ]
    reader = "read_parquet" if name.endswith("parquet") else "read_csv"
    published = f"select {', '.join(columns)} from {reader}('{real_file(name)}')"
    names = ", ".join(f'"{c.split(" as ")[-1][1:-1]}"' for c in columns)
    ours = f"select {names} from read_parquet('{path}')"
    for query in (f"{published} except all {ours}", f"{ours} except all {published}"):
        assert duckdb.execute(f"select count(*) from ({query})").fetchone() == (0,)


def duck_type(kind: pa.DataType) -> str:
    names = {pa.int64(): "bigint", pa.float64(): "double", pa.string(): "varchar"}
    return names.get(kind, "timestamp")


@pytest.mark.parametrize("dataset", ["green", "yellow"])
def test_every_vintage_has_the_same_schema(dataset: str, convert_real: Convert) -> None:
    vintages = [name for name, month in {**WHOLE, **HEADS}.items() if month.dataset == dataset]
    first, *others = [convert_real(name).table.schema for name in vintages]
    assert len(others) >= 8
    assert all(schema.equals(first, check_metadata=True) for schema in others)


@pytest.mark.parametrize("name", HEADS)
def test_each_cell_of_an_old_file_is_what_the_csv_module_reads(
    name: str, convert_real: Convert
) -> None:
    outcome, dataset = convert_real(name), HEADS[name].dataset
    header, rows = csv_rows(real_file(name))
    assert outcome.table.num_rows == len(rows) > 90
    for place, published in enumerate(header):
        column = canonical(dataset, published, outcome.table.schema)
        texts = [row[place] for row in rows]
        assert outcome.column(column) == [value(column, text) for text in texts], column
        if (kept := {"VendorID": "vendor_name"}.get(column, f"{column}_name")) in (
            outcome.table.schema.names
        ):
            assert outcome.column(kept) == [None if t.isdecimal() else t for t in texts]


def csv_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    rows = [row for row in rows if row]
    assert not any(text for row in rows for text in row[len(header) :])
    return header, rows


def value(column: str, text: str) -> Any:
    """Return the value of a published text in its column, in plain Python."""
    codes = CODES.get(column, {})
    if not text:
        return None
    if text in codes:
        return codes[text]
    if column.endswith("datetime"):
        return dt.datetime.fromisoformat(text)
    if column in TEXTS:
        return text
    whole = column in ("passenger_count", "payment_type", "trip_type") or column.endswith("ID")
    return int(text) if whole else float(text)


def test_text_codes_of_2009_become_numbers_beside_the_text(convert_real: Convert) -> None:
    outcome = convert_real("tlc/heads/yellow_tripdata_2009-01.csv")
    pairs = set(outcome.rows("payment_type", "payment_type_name"))
    assert pairs >= {(1, "Credit"), (2, "CASH")}
    assert set(outcome.rows("VendorID", "vendor_name")) >= {(2, "VTS")}


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("yellow_tripdata_2021-01.html-not-gzip.csv.gz", SchemaError, "DOCTYPE html"),
        ("yellow_tripdata_2021-01.lfs-pointer.csv.gz", SchemaError, "git-lfs"),
        ("yellow_tripdata_2021-01.empty.csv.gz", BadFile, "no header"),
    ],
)
def test_a_real_accident_is_a_clear_error(
    name: str, error: type[TripsError], said: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=f"yellow 2021-01.*({said})"):
        converted_file(real_file(f"bad/{name}"), tmp_path / "out", Month("yellow", 2021, 1))
    assert not [*(tmp_path / "out").iterdir()]
