"""The three warehouses behind one interface, for tests of what all of them promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from core.storage.bucket import Bucket, FolderBucket
from fakes.duckdb_files import attached
from fakes.google.months import bring
from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.month import Month
from monthly.warehouses import Warehouse
from monthly.warehouses.duckdb import DuckDBFile
from monthly.warehouses.load import load_object, object_for

if TYPE_CHECKING:
    from fakes.google import Google
    from fakes.postgres import Database

KINDS = ("DuckDB", "Postgres", "BigQuery")

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Place:
    """A bucket and an empty warehouse.

    Attributes:
        warehouse: the warehouse as the flows use it.
        bucket: a bucket that it can read from.
        ask: runs a query in it, independently of the code under test.
        schema: prefix of a table's name in a query, such as `dataset.`.
        comments: returns the comment of a table, and that of each column.
        folder: a folder for files.
    """

    warehouse: Warehouse
    bucket: Bucket
    ask: Callable[[str], Rows]
    schema: str
    comments: Callable[[str], tuple[str, dict[str, str]]]
    folder: Path

    def bring(self, month: Month, text: str) -> Entry:
        """Put a published CSV into the bucket, as the flows do."""
        path = self.folder / f"{month}.csv"
        path.write_text(text, "utf-8")
        return bring(self.bucket, month, path, self.folder)

    def load(self, month: Month, entry: Entry) -> int:
        """Load a month from the bucket, as the flows do."""
        found = object_for(self.warehouse, self.bucket, month, entry, self.folder)
        return load_object(self.warehouse, month, entry, found)

    def publish(self, month: Month, text: str) -> Entry:
        """Bring and load a month."""
        entry = self.bring(month, text)
        assert self.load(month, entry) == entry.rows_written
        return entry

    def table(self, dataset: str) -> str:
        """Return a dataset's table as all three warehouses accept it in a query."""
        return f'{self.schema}"{DATASETS[dataset].table}"'


def place_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    """Return a bucket and an empty warehouse of a kind."""
    if kind == "DuckDB":
        return duckdb_place(folder)
    if kind == "Postgres":
        return postgres_place(request.getfixturevalue("database"), folder)
    return bigquery_place(request.getfixturevalue("google"), folder)


def duckdb_place(folder: Path) -> Place:
    """Return a DuckDB file."""
    path = folder / "warehouse.duckdb"

    def ask(sql: str) -> Rows:
        with attached(path, read_only=True) as db:
            return db.execute(sql).fetchall()

    def comments(table: str) -> tuple[str, dict[str, str]]:
        where = f"WHERE database_name = current_database() AND table_name = '{table}'"
        ((about,),) = ask(f"SELECT comment FROM duckdb_tables() {where}")
        columns = ask(f"SELECT column_name, comment FROM duckdb_columns() {where}")
        return about, dict(columns)

    bucket = FolderBucket(folder / "bucket")
    return Place(DuckDBFile(path), bucket, ask, "", comments, folder)


def postgres_place(database: Database, folder: Path) -> Place:
    """Return a PostgreSQL database."""

    def comments(table: str) -> tuple[str, dict[str, str]]:
        oid = f"""'"{table}"'::regclass"""
        ((about,),) = database.query(f"SELECT obj_description({oid})")
        columns = database.query(
            f"SELECT attname, col_description({oid}, attnum) FROM pg_attribute "
            f"WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped"
        )
        return about, dict(columns)

    bucket = FolderBucket(folder / "bucket")
    return Place(database.warehouse(), bucket, database.query, "", comments, folder)


def bigquery_place(google: Google, folder: Path) -> Place:
    """Return the stand-in for BigQuery, which reads objects of the stand-in for Cloud Storage."""
    from fakes.google.places import open_bigquery, open_store

    def comments(table: str) -> tuple[str, dict[str, str]]:
        found = google.bigquery.tables.tables["trips_data_all", table]
        fields = found["schema"]["fields"]
        return found["description"], {f["name"]: f.get("description", "") for f in fields}

    bigquery = open_bigquery()
    return Place(bigquery, open_store(), google.bigquery.rows, "trips_data_all.", comments, folder)
