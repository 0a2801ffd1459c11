"""A dropped month is gone everywhere, nothing else is, and a killed removal can be completed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from core.storage.bucket import Bucket, FolderBucket
from core.storage.s3 import S3Store
from fakes.entries import entry_of
from fakes.google import Google
from fakes.google.places import open_bigquery, open_store
from fakes.postgres import Database
from fakes.s3 import S3, block
from monthly.convert.to_parquet import convert
from monthly.dropping import drop_month, find_remains
from monthly.ledger import entry_key, object_key, rejects_key, report_key, write_entry
from monthly.month import Month
from monthly.sample import write_sample
from monthly.warehouses import Warehouse
from monthly.warehouses.duckdb import DuckDBFile

OCTOBER, NOVEMBER = Month("green", 2020, 10), Month("green", 2020, 11)
TESTS = Path(__file__).absolute().parents[1]


@dataclass(frozen=True)
class Place:
    """A bucket and a warehouse with two months.

    Attributes:
        bucket: the bucket.
        warehouse: the warehouse.
        keys: lists the objects of the bucket, with its own client.
        address: the place in the format of `fakes/killed_while_dropping.py`.
        effects: the number of effects of a removal there.
    """

    bucket: Bucket
    warehouse: Warehouse
    keys: Callable[[], set[str]]
    address: dict[str, str]
    effects: int


def folder_and_duckdb(request: pytest.FixtureRequest, folder: Path) -> Place:
    """Return a folder and a DuckDB file: one transaction, four files."""
    bucket, warehouse = FolderBucket(folder / "bucket"), DuckDBFile(folder / "trips.duckdb")

    def keys() -> set[str]:
        return {*bucket.keys("data"), *bucket.keys("ledger")}

    return Place(bucket, warehouse, keys, {"folder": str(folder)}, 5)


def s3_and_postgres(request: pytest.FixtureRequest, folder: Path) -> Place:
    """Return S3 and Postgres: a partition detached and dropped, rows, a commit; four objects."""
    s3: S3 = request.getfixturevalue("s3")
    database: Database = request.getfixturevalue("database")
    objects = s3.new_bucket("dropping")
    bucket = S3Store.of(block(s3.url, objects.name))
    url = database.url.render_as_string(hide_password=False)
    address = {"s3": s3.url, "bucket": objects.name, "database": url}
    return Place(bucket, database.warehouse(), lambda: set(objects.listing()), address, 9)


def cloud_storage_and_bigquery(request: pytest.FixtureRequest, folder: Path) -> Place:
    """Return Cloud Storage and BigQuery: a partition deleted, and a ledger row; four objects."""
    google: Google = request.getfixturevalue("google")

    def keys() -> set[str]:
        return {name.removeprefix("zoom/") for name in google.storage.objects("taxi")}

    address = {"gcs": "taxi", "folder": "zoom"}
    return Place(open_store("taxi", "zoom"), open_bigquery(), keys, address, 6)


@pytest.fixture(params=[folder_and_duckdb, s3_and_postgres, cloud_storage_and_bigquery])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    opened: Place = request.param(request, tmp_path)
    for month in (OCTOBER, NOVEMBER):
        bring(month, tmp_path, opened)
    return opened


def bring(month: Month, folder: Path, place: Place) -> None:
    """Bring a month of ten trips with every kind of object that it can have."""
    source = folder / f"{month.stem}.csv.gz"
    write_sample(month, source, 10)
    path = convert(month, source, folder).path
    info = place.bucket.upload(path, object_key(month))
    for key in (rejects_key(month), report_key(month)):
        place.bucket.write(key, b"x", None)
    entry = entry_of(month, rows_written=10, object_size=info.size, object_version=info.version)
    write_entry(place.bucket, month, entry, None)
    place.warehouse.load(month, entry, path)


def keys_of(month: Month) -> tuple[str, ...]:
    return entry_key(month), object_key(month), rejects_key(month), report_key(month)


def check_dropped(place: Place) -> None:
    """Check that October is gone, and that November and nothing else is there."""
    assert not find_remains(OCTOBER, place.bucket, place.warehouse).is_there
    assert place.keys() == set(keys_of(NOVEMBER))
    assert (place.warehouse.rows(OCTOBER), place.warehouse.rows(NOVEMBER)) == (0, 10)
    assert place.warehouse.loaded_month(OCTOBER) is None
    assert place.warehouse.loaded("green").keys() == {NOVEMBER}


def test_a_month_is_dropped_once_and_can_be_loaded_again(place: Place, tmp_path: Path) -> None:
    found = find_remains(OCTOBER, place.bucket, place.warehouse)
    assert (found.keys, found.rows, found.is_remembered) == (keys_of(OCTOBER), 10, True)
    for _ in range(2):
        drop_month(
            find_remains(OCTOBER, place.bucket, place.warehouse), place.bucket, place.warehouse
        )
        check_dropped(place)
    bring(OCTOBER, tmp_path, place)
    assert place.warehouse.rows(OCTOBER) == 10


@pytest.mark.slow
def test_a_removal_that_is_killed_before_any_effect_is_completed_by_the_next(
    place: Place, tmp_path: Path
) -> None:
    """The rows go first, then the entry, then the other objects."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent / "flows")])
    with subprocess.Popen(
        [sys.executable, "-m", "fakes.killed_while_dropping", json.dumps(place.address)],
        env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as killer:
        for step in count(1):
            if not killed_at(step, killer):
                break
            found = find_remains(OCTOBER, place.bucket, place.warehouse)
            objects = min(4, place.effects + 1 - step)
            assert found.keys == keys_of(OCTOBER)[4 - objects :]
            assert found.rows == 0 or objects == 4
            drop_month(found, place.bucket, place.warehouse)
            check_dropped(place)
            bring(OCTOBER, tmp_path, place)
    assert step == place.effects + 1
    check_dropped(place)


def killed_at(step: int, killer: subprocess.Popen[str]) -> bool:
    """Return whether a removal had this effect, and was killed before it."""
    assert killer.stdin
    assert killer.stdout
    print(step, file=killer.stdin, flush=True)
    code = int(killer.stdout.readline())
    assert code in (0, -signal.SIGKILL)
    return code != 0


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "bucket")


def test_a_partition_that_somebody_detached_stays(
    tmp_path: Path, bucket: FolderBucket, database: Database
) -> None:
    warehouse = database.warehouse()
    bring(OCTOBER, tmp_path, Place(bucket, warehouse, set, {}, 0))
    database.query("ALTER TABLE green_trips DETACH PARTITION green_trips_2020_10")
    drop_month(find_remains(OCTOBER, bucket, warehouse), bucket, warehouse)
    assert database.query("SELECT count(*) FROM green_trips_2020_10") == [(10,)]
    assert database.query("SELECT count(*) FROM loaded_months") == [(0,)]


def test_a_month_is_shown_by_its_object(bucket: FolderBucket) -> None:
    """Its report is removed after it; without an object, anything that is left is shown."""
    for key in (entry_key(OCTOBER), object_key(OCTOBER), report_key(OCTOBER)):
        bucket.write(key, b"x", None)
    assert find_remains(OCTOBER, bucket, None).shown_key == object_key(OCTOBER)
    bucket.delete(object_key(OCTOBER))
    assert find_remains(OCTOBER, bucket, None).shown_key == report_key(OCTOBER)
    assert find_remains(NOVEMBER, bucket, None).shown_key is None


def test_nothing_is_dropped_where_nothing_is(
    tmp_path: Path, bucket: FolderBucket, database: Database, google: Google
) -> None:
    """It creates no table, file or dataset."""
    file = DuckDBFile(tmp_path / "trips.duckdb")
    for warehouse in (file, database.warehouse(), open_bigquery(), None):
        remains = find_remains(OCTOBER, bucket, warehouse)
        assert not remains.is_there
        drop_month(remains, bucket, warehouse)
    assert not file.path.exists()
    assert database.tables() == set()
    assert not bucket.folder.exists()
