"""One month into every bucket and every warehouse: the same rows everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from fakes.duckdb_files import attached
from fakes.google import Google
from fakes.postgres import Database
from fakes.real_data import answers, real_file
from fakes.s3 import S3, block
from fakes.tlc_facts import write_sample
from monthly.month import Month

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

MONTH = Month("green", 2020, 10)
BUCKETS = ("local-bucket/zoom", "s3-bucket/everywhere", "gcs-bucket/everywhere")
WAREHOUSES = (
    "duckdb-warehouse/zoom",
    "bigquery-warehouse/everywhere",
    "sqlalchemy-connector/everywhere",
)
QUERY = (
    "SELECT count(*), sum(cast(total_amount as decimal(18, 2))), "
    "count(payment_type), sum(case when payment_type = 1 then 1 else 0 end) FROM {}"
)

Found = tuple[int, float, int, int]
Ask = Callable[[], Found]


@pytest.fixture
def everywhere(place: Path, s3: S3, google: Google, database: Database) -> dict[str, Ask]:
    """Save every block; return each warehouse's own query of green's rows."""
    from prefect_gcp import GcpCredentials
    from prefect_gcp.bigquery import BigQueryWarehouse
    from prefect_gcp.cloud_storage import GcsBucket

    s3_block = block(s3.url, s3.new_bucket("everywhere").name, "trips")
    s3_block.credentials.save("everywhere", overwrite=True)
    account = GcpCredentials()
    blocks: list[Any] = [
        s3_block,
        GcsBucket(bucket="taxi", gcp_credentials=account),
        BigQueryWarehouse(gcp_credentials=account),
        database.block(),
    ]
    for each in blocks:
        each.save("everywhere", overwrite=True)
    of_google = QUERY.format("trips_data_all.green_trips")
    asks: list[Ask] = [
        lambda: in_duckdb(place / "trips.duckdb"),
        lambda: as_numbers(google.bigquery.rows(of_google)),
        lambda: as_numbers(database.query(QUERY.format("green_trips"))),
    ]
    return dict(zip(WAREHOUSES, asks))


def in_duckdb(path: Path) -> Found:
    with attached(path, read_only=True) as db:
        return as_numbers(db.execute(QUERY.format("green_trips")).fetchall())


def as_numbers(rows: Any) -> Found:
    ((count, total, paid, by_card),) = rows
    return int(count), float(total), int(paid), int(by_card)


def go(pairs: Sequence[tuple[str, str]], everywhere: dict[str, Ask], source: Path) -> set[Found]:
    """Load the month into each pair; check that a second run loads nothing; return the rows."""
    template = str(source).replace("2020-10", "{year}-{month:02}").replace("green", "{color}")
    states = [run(*pair, template) for pair in pairs]
    found = {everywhere[warehouse]() for warehouse in WAREHOUSES}
    assert {state.name for state in states} <= {"Completed", "Skipped"}
    assert {run(*pair, template).name for pair in pairs} == {"Skipped"}
    assert {everywhere[warehouse]() for warehouse in WAREHOUSES} == found
    return found


def run(bucket: str, warehouse: str, template: str) -> Any:
    from parameterized_flow import etl_parent_flow

    call: Any = etl_parent_flow
    options = {"source": template, "bucket": bucket, "warehouse": warehouse, "report": False}
    return call("green", 2020, "10", **options, return_state=True)


@pytest.mark.slow
def test_a_generated_month_is_the_same_everywhere(
    everywhere: dict[str, Ask], tmp_path: Path
) -> None:
    """Rows and sum are as generated, with one warehouse for each bucket."""
    folder = tmp_path / "published"
    folder.mkdir()
    source = folder / f"{MONTH.stem}.csv.gz"
    facts = write_sample(MONTH, source, 5_000)
    assert facts.total_cents is not None
    ((count, total, *_),) = go([*zip(BUCKETS, WAREHOUSES)], everywhere, source)
    assert (count, total) == (5_000, facts.total_cents / 100)


@pytest.mark.slow
@pytest.mark.real
def test_a_real_month_is_the_same_everywhere(everywhere: dict[str, Ask]) -> None:
    """Rows, sum and payments are as an independent tool found them, for every pair."""
    known = answers("tlc/green/green_tripdata_2020-10.csv.gz")
    real = real_file("tlc/green/green_tripdata_2020-10.csv.gz")
    found = go([*product(BUCKETS, WAREHOUSES)], everywhere, real)
    by_type = known["count_by_payment_type"]
    paid = known["rows"] - by_type["None"]
    assert found == {(known["rows"], float(known["sum_total_amount"]), paid, by_type["1"])}
