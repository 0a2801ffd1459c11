"""Months that 1.0.0 and 1.1.0 loaded are not loaded again, and can be corrected.

`by_1_0_0/` and `by_1_1_0/` hold what those versions wrote for two generated months of green:
`flows/parameterized_flow.py` loaded 2020-10 (three rows, one rejected) into the bucket and DuckDB,
`flows/etl_gcs_to_bq.py` the same month into Postgres, and `flows/ingest_data.py` 2020-11 directly
into Postgres. `duckdb.sql` and `postgres.sql` are dumps of the databases. The months were
published in `file:///published`, which the tests replace with a folder.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import ingest_data
from core.storage.bucket import FolderBucket
from fakes.duckdb_files import attached
from fakes.postgres import Database
from monthly.ledger import Entry, read_entry
from monthly.month import Month
from monthly.plan import Status, due_in_warehouse, plan_month
from monthly.warehouses import LoadedMonth, Warehouse
from monthly.warehouses.duckdb import DuckDBFile
from monthly.warehouses.load import fetch_object, kept_entry

HERE = Path(__file__).parent
OCTOBER, NOVEMBER = Month("green", 2020, 10), Month("green", 2020, 11)
#: The modification time of the published files when they were loaded, 2020-09-13.
MODIFIED = 1_600_000_000


@pytest.fixture(params=["1_0_0", "1_1_0"])
def by(request: pytest.FixtureRequest) -> Path:
    """Return the folder of what a version wrote."""
    return HERE / f"by_{request.param}"


@pytest.fixture
def source(tmp_path: Path) -> str:
    """Return the template of the published files, with their original modification times."""
    folder = shutil.copytree(HERE / "published", tmp_path / "published")
    for file in folder.iterdir():
        os.utime(file, (MODIFIED, MODIFIED))
    return f"{folder}/{{color}}_tripdata_{{year}}-{{month:02}}.csv.gz"


@pytest.fixture
def bucket(by: Path, tmp_path: Path) -> FolderBucket:
    """Return the bucket that the version filled."""
    folder = tmp_path / "bucket"
    shutil.copytree(by / "objects", folder / "data")  # git ignores folders called data
    shutil.copytree(by / "ledger", folder / "ledger")
    for file in folder.rglob("*.json"):
        file.write_text(restored(file, tmp_path))
    return FolderBucket(folder)


def restored(file: Path, tmp_path: Path) -> str:
    """Return the text with the published files where this test has them."""
    return file.read_text().replace("file:///published", (tmp_path / "published").as_uri())


@pytest.fixture
def in_duckdb(by: Path, tmp_path: Path) -> DuckDBFile:
    """Return the DuckDB file that the version filled."""
    path = tmp_path / "trips.duckdb"
    with attached(path) as db:
        db.execute(restored(by / "duckdb.sql", tmp_path))
    return DuckDBFile(path, "256MB")


@pytest.fixture
def in_postgres(by: Path, tmp_path: Path, database: Database) -> Database:
    """Return the database that the version filled."""
    database.query(restored(by / "postgres.sql", tmp_path))
    return database


def entry_of(bucket: FolderBucket) -> Entry:
    """Return the entry of October, which must exist."""
    return kept_entry(bucket, OCTOBER)


def test_month_in_the_bucket_is_unchanged(bucket: FolderBucket, source: str) -> None:
    plan = plan_month(OCTOBER, source, bucket)
    assert (plan.status, plan.reason) == (Status.UNCHANGED, "same size and modification time")


def test_entry_and_object_are_read(bucket: FolderBucket, tmp_path: Path) -> None:
    entry, version = read_entry(bucket, OCTOBER)
    assert entry
    assert version
    assert (entry.rows_read, entry.rows_written, entry.rows_rejected) == (4, 3, 1)
    assert entry.loaded_sha256 == entry.object_sha256
    assert fetch_object(bucket, OCTOBER, entry, tmp_path).stat().st_size == entry.object_size


def test_month_in_duckdb_is_unchanged(
    bucket: FolderBucket, in_duckdb: DuckDBFile, source: str
) -> None:
    assert in_duckdb.loaded("green") == {OCTOBER: entry_of(bucket).object_sha256}
    planned = plan_month(OCTOBER, source, bucket)
    due = due_in_warehouse(planned, in_duckdb.loaded_month(OCTOBER), in_duckdb.name())
    assert due.status is Status.UNCHANGED


def test_month_in_postgres_is_unchanged(
    bucket: FolderBucket, in_postgres: Database, source: str
) -> None:
    warehouse = in_postgres.warehouse()
    assert warehouse.loaded("green")[OCTOBER] == entry_of(bucket).object_sha256
    planned = plan_month(OCTOBER, source, bucket)
    due = due_in_warehouse(planned, warehouse.loaded_month(OCTOBER), warehouse.name())
    assert due.status is Status.UNCHANGED


def test_month_that_was_loaded_directly_is_unchanged(in_postgres: Database, source: str) -> None:
    """Its entry repeats the checksum of the published file as that of the object."""
    warehouse = in_postgres.warehouse()
    entry = warehouse.entry(NOVEMBER)
    assert entry
    assert (entry.object_key, entry.object_sha256) == ("", entry.source_sha256)
    assert warehouse.loaded_month(NOVEMBER) == LoadedMonth(entry.source_sha256, 4, 4)
    plan = ingest_data.plan.fn(NOVEMBER, source, warehouse, False)
    assert (plan.status, plan.reason) == (Status.UNCHANGED, "same size and modification time")


def test_new_modification_time_is_confirmed(in_postgres: Database, source: str) -> None:
    """The same content was published again; the ledger row is found and updated."""
    warehouse = in_postgres.warehouse()
    entry = warehouse.entry(NOVEMBER)
    assert entry
    warehouse.confirm(NOVEMBER, replace(entry, etag='"new"'))
    assert warehouse.entry(NOVEMBER) == replace(entry, etag='"new"')


def test_month_is_loaded_again_into_older_tables(
    bucket: FolderBucket, in_duckdb: DuckDBFile, in_postgres: Database, tmp_path: Path
) -> None:
    """The row has the source, which the ledger of 1.0.0 lacks, and the table, as before 1.10.0."""
    entry = entry_of(bucket)
    path = fetch_object(bucket, OCTOBER, entry, tmp_path)
    warehouses: list[Warehouse] = [in_duckdb, in_postgres.warehouse()]
    for warehouse in warehouses:
        assert warehouse.refusal("green") is None
        assert warehouse.load(OCTOBER, entry, path) == 3
        assert warehouse.loaded_month(OCTOBER) == LoadedMonth(entry.object_sha256, 3, 3)
    query = "SELECT source, table_name FROM loaded_months WHERE file_month = '2020-10-01'"
    with attached(in_duckdb.path) as db:
        assert db.execute(query).fetchall() == [(entry.url, "green_trips")]
    assert in_postgres.query(query) == [(entry.url, "green_trips")]


def test_reading_adds_no_column(in_postgres: Database) -> None:
    """A reader need not be able to change tables."""
    columns = "SELECT * FROM pg_attribute WHERE attrelid = 'loaded_months'::regclass"
    before = in_postgres.query(columns)
    warehouse = in_postgres.warehouse()
    assert warehouse.loaded_month(OCTOBER)
    assert warehouse.loaded("green").keys() == warehouse.recorded("green").keys()
    assert in_postgres.query(columns) == before
