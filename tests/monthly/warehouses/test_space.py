"""The disk space of a row in a warehouse, and the disk of this machine that it is on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from sqlalchemy.engine import make_url

from core.errors import Unavailable
from core.storage.bucket import FolderBucket
from fakes.duckdb_files import attached
from fakes.google.months import bring
from fakes.postgres import Database
from monthly.month import Month
from monthly.sample.tlc import write_sample
from monthly.warehouses import space
from monthly.warehouses.duckdb import DuckDBFile
from monthly.warehouses.postgres_connection import postgres_at
from monthly.warehouses.space import Space, space_of
from postgres_server import free_port

OCTOBER = Month("green", 2020, 10)
ROWS = 100_000


def published(folder: Path) -> Path:
    """Return a generated file of 500 rows."""
    path = folder / f"{OCTOBER.stem}.csv.gz"
    write_sample(OCTOBER, path, 500)
    return path


def test_a_file_of_duckdb_is_shared_among_the_rows_of_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "trips.duckdb"
    with attached(path) as db:
        db.execute(f"CREATE TABLE green_trips AS SELECT range, random() FROM range({ROWS})")
        db.execute(f"CREATE TABLE yellow_trips AS SELECT range, random() FROM range({ROWS})")
    expected = Space(path.stat().st_size / (2 * ROWS), tmp_path)
    assert space_of(DuckDBFile(path), "green") == expected


def test_a_missing_file_has_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "trips.duckdb"
    assert space_of(DuckDBFile(path), "green") == Space(None, path.parent)
    assert not path.parent.exists()


def test_the_disk_is_that_of_the_file_to_which_a_link_leads(tmp_path: Path) -> None:
    link = tmp_path / "trips.duckdb"
    link.symlink_to(tmp_path / "large" / "real.duckdb")
    assert space_of(DuckDBFile(link), "green") == Space(None, tmp_path / "large")


def test_a_file_without_tables_tells_nothing(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "trips.duckdb")).close()
    assert space_of(DuckDBFile(tmp_path / "trips.duckdb"), "green") == Space(None, tmp_path)


def test_a_table_of_postgres_is_measured_with_its_partitions(
    database: Database, tmp_path: Path
) -> None:
    warehouse = database.warehouse()
    entry = bring(FolderBucket(tmp_path / "bucket"), OCTOBER, published(tmp_path), tmp_path)
    warehouse.load(OCTOBER, entry, tmp_path / "bucket" / entry.object_key)
    size = sum(
        database.query(f"SELECT pg_total_relation_size('{name}')")[0][0]
        for name in ("green_trips", "green_trips_2020_10")
    )
    ((folder,),) = database.query("SHOW data_directory")
    assert space_of(warehouse, "green") == Space(size / 500, Path(folder))


def test_a_locked_table_of_postgres_is_not_waited_for(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VACUUM FULL of another month takes hours, and the estimate is only a warning."""
    warehouse = database.warehouse()
    entry = bring(FolderBucket(tmp_path / "bucket"), OCTOBER, published(tmp_path), tmp_path)
    warehouse.load(OCTOBER, entry, tmp_path / "bucket" / entry.object_key)
    monkeypatch.setattr(space, "_LOCK_SECONDS", 0.1)
    with closing(warehouse.connect()) as other, other.cursor() as sql:
        sql.execute("LOCK TABLE green_trips_2020_10 IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as thread:
            measured = thread.submit(space_of, warehouse, "green")
            wait([measured], timeout=20)
            other.rollback()  # or a measurement that waits would keep the thread
        assert measured.result().row_bytes is None


def test_a_postgres_elsewhere_has_no_folder_on_this_machine(database: Database) -> None:
    elsewhere = replace(database.warehouse(), label="db.example.org:5432/taxi")
    assert space_of(elsewhere, "green") == Space()


def test_a_postgres_that_does_not_answer_is_unavailable() -> None:
    silent = postgres_at(make_url(f"postgresql://u@127.0.0.1:{free_port()}/taxi"), {})
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        space_of(silent, "green")
