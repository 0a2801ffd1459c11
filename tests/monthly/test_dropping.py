"""A dropped month is gone everywhere, nothing else is, and a killed removal can be completed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.storage.bucket import FolderBucket
from fakes.entries import entry_of
from fakes.google import Google
from fakes.google.places import open_bigquery
from fakes.postgres import Database
from monthly.convert.to_parquet import convert
from monthly.dropping import drop_month, find_remains
from monthly.ledger import entry_key, object_key, rejects_key, report_key, write_entry
from monthly.month import Month
from monthly.sample import write_sample
from monthly.warehouses import Warehouse
from monthly.warehouses.duckdb import DuckDBFile

OCTOBER, NOVEMBER = Month("green", 2020, 10), Month("green", 2020, 11)
ROOT = Path(__file__).absolute().parents[2]
#: A removal that is killed before its n-th effect.
KILLED = """
import os, signal, sys
from pathlib import Path
from core.storage.bucket import FolderBucket
from monthly.dropping import drop_month, find_remains
from monthly.month import Month
from monthly.warehouses.duckdb import DuckDBFile
left = int(sys.argv[2])
def counted(effect):
    def run(*args):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return effect(*args)
    return run
FolderBucket.delete = counted(FolderBucket.delete)
DuckDBFile.drop = counted(DuckDBFile.drop)
root = Path(sys.argv[1])
bucket, warehouse = FolderBucket(root / "bucket"), DuckDBFile(root / "trips.duckdb")
drop_month(find_remains(Month("green", 2020, 10), bucket, warehouse), bucket, warehouse)
"""


def bring(month: Month, folder: Path, bucket: FolderBucket, warehouse: Warehouse) -> None:
    """A month of ten trips with all that there can be of it."""
    source = folder / f"{month.stem}.csv.gz"
    write_sample(month, source, 10)
    path = convert(month, source, folder).path
    info = bucket.upload(path, object_key(month))
    for key in (rejects_key(month), report_key(month)):
        bucket.write(key, b"x", None)
    entry = entry_of(month, rows_written=10, object_size=info.size, object_version=info.version)
    write_entry(bucket, month, entry, None)
    warehouse.load(month, entry, path)


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "bucket")


def check_drop(tmp_path: Path, bucket: FolderBucket, warehouse: Warehouse) -> None:
    """Two months are there; one is dropped, then once more."""
    bring(OCTOBER, tmp_path, bucket, warehouse)
    bring(NOVEMBER, tmp_path, bucket, warehouse)
    kept = [key for key in bucket.keys("data") + bucket.keys("ledger") if "2020-11" in key]
    found = find_remains(OCTOBER, bucket, warehouse)
    assert found.keys == (
        entry_key(OCTOBER),
        object_key(OCTOBER),
        rejects_key(OCTOBER),
        report_key(OCTOBER),
    )
    assert (found.rows, found.is_remembered) == (10, True)
    for _ in range(2):
        drop_month(find_remains(OCTOBER, bucket, warehouse), bucket, warehouse)
        assert not find_remains(OCTOBER, bucket, warehouse).is_there
        assert bucket.keys("data") + bucket.keys("ledger") == kept
        assert (warehouse.rows(OCTOBER), warehouse.rows(NOVEMBER)) == (0, 10)
        assert warehouse.held(OCTOBER) is None
        assert warehouse.loaded("green").keys() == {NOVEMBER}
    entry = entry_of(OCTOBER, rows_written=10)
    assert warehouse.load(OCTOBER, entry, tmp_path / f"{OCTOBER.stem}.parquet") == 10
    assert warehouse.rows(OCTOBER) == 10


def test_a_month_is_dropped_from_duckdb(tmp_path: Path, bucket: FolderBucket) -> None:
    check_drop(tmp_path, bucket, DuckDBFile(tmp_path / "trips.duckdb"))


def test_a_month_is_dropped_from_postgres(
    tmp_path: Path, bucket: FolderBucket, database: Database
) -> None:
    """Its partition, and what is remembered of it."""
    check_drop(tmp_path, bucket, database.warehouse())
    database.query("ALTER TABLE green_trips DETACH PARTITION green_trips_2020_10")
    drop_month(find_remains(OCTOBER, bucket, database.warehouse()), bucket, database.warehouse())
    assert database.query("SELECT count(*) FROM green_trips_2020_10") == [(10,)]
    assert database.query("SELECT count(*) FROM loaded_months") == [(1,)]


def test_a_month_is_dropped_from_bigquery(
    tmp_path: Path, bucket: FolderBucket, google: Google
) -> None:
    check_drop(tmp_path, bucket, open_bigquery())


def test_nothing_is_dropped_where_nothing_is(
    tmp_path: Path, bucket: FolderBucket, database: Database, google: Google
) -> None:
    """No table, no file, no dataset is made for it."""
    file = DuckDBFile(tmp_path / "trips.duckdb")
    for warehouse in (file, database.warehouse(), open_bigquery(), None):
        remains = find_remains(OCTOBER, bucket, warehouse)
        assert not remains.is_there
        drop_month(remains, bucket, warehouse)
    assert not file.path.exists()
    assert database.tables() == set()
    assert not bucket.folder.exists()


@pytest.mark.parametrize("step", range(1, 6))
def test_a_killed_removal_is_completed_by_the_next(
    step: int, tmp_path: Path, bucket: FolderBucket
) -> None:
    """Before the warehouse, and before each object."""
    warehouse = DuckDBFile(tmp_path / "trips.duckdb")
    bring(OCTOBER, tmp_path, bucket, warehouse)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "flows")}
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(step)]
    killed = subprocess.run(command, env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    found = find_remains(OCTOBER, bucket, warehouse)
    assert found.is_there
    assert len(found.keys) == min(4, 6 - step)
    drop_month(found, bucket, warehouse)
    assert not find_remains(OCTOBER, bucket, warehouse).is_there
