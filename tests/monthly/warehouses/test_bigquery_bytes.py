"""The bytes that queries in BigQuery would bill, and the limit of what they may bill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.cloud.bigquery import Client

from core.errors import StorageError, UsageError
from fakes.google import Google
from fakes.google.months import bring
from fakes.google.places import open_bigquery, open_store
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.sample.tlc import write_sample
from monthly.warehouses.bigquery import BigQuery
from monthly.warehouses.bigquery_bytes import Billed, billed, row_bytes
from monthly.warehouses.bigquery_limit import limit_queries
from monthly.warehouses.bigquery_tables import bytes_of
from monthly.warehouses.load import load_object, object_for
from monthly.warehouses.space import Space, space_of
from orchestration.retries import PASSING

OCTOBER, NOVEMBER = Month("green", 2020, 10), Month("green", 2020, 11)
MEGABYTE = 1_048_576
LEAST = 10 * MEGABYTE


def load(tmp_path: Path, month: Month, rows: int) -> BigQuery:
    """Load a generated month; return the warehouse."""
    path, store, warehouse = tmp_path / f"{month.stem}.csv.gz", open_store(), open_bigquery()
    write_sample(month, path, rows)
    entry = bring(store, month, path, tmp_path)
    load_object(warehouse, month, entry, object_for(warehouse, store, month, entry, tmp_path))
    return warehouse


def test_a_loaded_month_is_tried_and_another_is_computed(google: Google, tmp_path: Path) -> None:
    warehouse = load(tmp_path, OCTOBER, 50)
    jobs = len(google.bigquery.jobs)
    assert billed(warehouse, [OCTOBER], {}, {}) == Billed(LEAST, LEAST, 1, 0)
    assert len(google.bigquery.jobs) == jobs  # nothing was run
    # 10 million rows: their report reads a time, an amount, a distance and the month, of 8 each.
    found = billed(warehouse, [OCTOBER], {NOVEMBER: 1e7}, {})
    tried, of_report = google.bigquery.tried[-2:]
    assert found.reports == LEAST + -(-320_000_000 // MEGABYTE) * MEGABYTE
    assert found.verify > 1e7 * 8 * 15
    assert found.verify % MEGABYTE == 0
    assert (found.tried, found.computed) == (1, 1)
    # In the dry runs: 50 rows of three columns of 8 bytes and the month; more columns for verify.
    assert {min(tried, of_report)} == {50 * 4 * 8}
    assert max(tried, of_report) > 50 * 8 * 10


def test_texts_take_their_bytes_and_two_more(google: Google) -> None:
    (name,) = [c.name for c in DATASETS["green"].columns if c.kind == "string"][:1]
    plain = billed(open_bigquery(), [], {OCTOBER: 1e8}, {}).verify
    longer = billed(open_bigquery(), [], {OCTOBER: 1e8}, {name: 10.0, "trip_distance": 10.0}).verify
    assert longer - plain == pytest.approx(1e9, abs=MEGABYTE)


def test_without_a_table_everything_is_computed(google: Google) -> None:
    warehouse = open_bigquery()
    assert billed(warehouse, [OCTOBER], {NOVEMBER: 10.0}, {}) == Billed(LEAST, LEAST, 1, 1)
    assert google.bigquery.tried == []
    assert space_of(warehouse, "green") == Space()


def test_a_row_takes_what_the_table_takes(google: Google, tmp_path: Path) -> None:
    warehouse = load(tmp_path, OCTOBER, 50)
    found = row_bytes(warehouse, DATASETS["green"])
    sql = "SELECT * FROM `taxi-project.trips_data_all.green_trips`"
    assert found == bytes_of(warehouse.client, sql) / 50
    assert space_of(warehouse, "green") == Space(found)


# ---- maximum_bytes_billed


def limited(most: int) -> BigQuery:
    warehouse = open_bigquery()
    limit_queries(warehouse.client, str(most))
    return warehouse


def test_every_query_job_has_the_limit(google: Google, tmp_path: Path) -> None:
    load(tmp_path, OCTOBER, 50)
    google.bigquery.jobs.clear()
    warehouse = limited(LEAST)
    warehouse.loaded_month(OCTOBER)
    warehouse.recorded("green")
    warehouse.figures("green", DATASETS["green"].columns)
    warehouse.drop(OCTOBER)
    queries: list[dict[str, Any]] = [
        job["configuration"]["query"] for job in google.bigquery.jobs.values()
    ]
    assert len(queries) >= 4
    assert {query["maximumBytesBilled"] for query in queries} == {str(LEAST)}


def test_a_query_over_the_limit_fails_at_once_and_says_what_to_do(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path, OCTOBER, 50)
    monkeypatch.setattr(google.bigquery.tables, "size_of", lambda sql: 3 * LEAST + 1)
    wanted = f"Query exceeded limit for bytes billed: {LEAST}. {31 * MEGABYTE} or higher required"
    with pytest.raises(StorageError, match=wanted) as caught:
        limited(LEAST).figures("green", DATASETS["green"].columns)
    assert "raise TRIPS_BQ_MAX_BYTES" in str(caught.value)
    assert not isinstance(caught.value, PASSING)
    assert limited(31 * MEGABYTE).figures("green", DATASETS["green"].columns)


def test_the_query_of_the_report_has_the_limit_too(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pandas sends this query."""
    from orchestration.month_summary import month_summary

    load(tmp_path, OCTOBER, 50)
    monkeypatch.setattr(google.bigquery.tables, "size_of", lambda sql: 3 * LEAST)
    with pytest.raises(StorageError, match="exceeded limit for bytes billed"):
        month_summary.fn(OCTOBER, limited(LEAST))
    assert len(month_summary.fn(OCTOBER, limited(30 * MEGABYTE)))


def test_without_a_setting_there_is_no_limit(google: Google) -> None:
    client = Client()
    before = client.default_query_job_config
    limit_queries(client, "")
    assert client.default_query_job_config is before


@pytest.mark.parametrize("value", ["0", "-1", "10485759", "10 GB", "1e9"])
def test_a_limit_that_no_query_meets_is_refused(google: Google, value: str) -> None:
    with pytest.raises(UsageError, match=f"TRIPS_BQ_MAX_BYTES '{value}' would fail every query"):
        limit_queries(Client(), value)
