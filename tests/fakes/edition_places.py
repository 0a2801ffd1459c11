"""Set up buckets and warehouses in which a month is corrected, restored and pinned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.storage.bucket import Bucket, FolderBucket
from fakes.google.places import open_bigquery, open_store
from fakes.one_month import MONTH, OBJECT, bring, load, publish
from fakes.postgres import Database
from fakes.s3 import S3, store
from monthly.editions import edition_of
from monthly.ledger import Entry, read_entry
from monthly.replacement import restore
from monthly.warehouses import Warehouse
from monthly.warehouses.duckdb import DuckDBFile


@dataclass(frozen=True)
class Place:
    """A bucket, a warehouse, and a publisher.

    Attributes:
        bucket: the bucket.
        warehouse: the warehouse.
        source: the published file.
        folder: scratch folder for restorations.
    """

    bucket: Bucket
    warehouse: Warehouse
    source: Path
    folder: Path

    def publish(self, cents: list[int], bad: int = 0) -> str:
        """Publish a file, load it, and return its edition."""
        publish(self.source, cents, bad)
        bring(self.source, self.bucket)
        load(self.bucket, self.warehouse)
        return self.current()

    def current(self) -> str:
        """Return the edition in the bucket, from its bytes."""
        return edition_of(self.bucket.sha256(OBJECT))

    def restore(self, edition: str) -> Entry:
        """Restore an edition, in bucket and warehouse."""
        entry = restore(self.bucket, MONTH, edition, self.folder, 1)
        load(self.bucket, self.warehouse)
        return entry

    def entry(self) -> Entry:
        """Return the ledger entry."""
        entry, _ = read_entry(self.bucket, MONTH)
        assert entry
        return entry

    def cents(self, key: str = OBJECT) -> list[int]:
        """Return the totals of an object, read independently, sorted."""
        path = self.folder / "read.parquet"
        self.bucket.download(key, path)
        totals = pq.read_table(path, columns=["total_amount"]).column(0).to_pylist()
        return sorted(round(total * 100) for total in totals)


class Killed(BaseException):
    """The run ends here, as if by SIGKILL."""


class Stopping:
    """A bucket whose run ends before one of its effects."""

    def __init__(self, bucket: Bucket, at: int) -> None:
        self._bucket, self._left = bucket, at

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._bucket, name)
        return self._counted(found) if name in ("upload", "copy", "write", "delete") else found

    def _counted(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self._left -= 1
            if not self._left:
                raise Killed
            return effect(*arguments)

        return counted


Opened = Callable[[pytest.FixtureRequest, Path], tuple[Bucket, Warehouse]]


def folder_and_duckdb(request: pytest.FixtureRequest, folder: Path) -> tuple[Bucket, Warehouse]:
    """Return a folder and a DuckDB file."""
    return FolderBucket(folder / "bucket"), DuckDBFile(folder / "trips.duckdb")


def s3_and_postgres(request: pytest.FixtureRequest, folder: Path) -> tuple[Bucket, Warehouse]:
    """Return a bucket of moto and a database of the test server."""
    s3: S3 = request.getfixturevalue("s3")
    database: Database = request.getfixturevalue("database")
    return store(s3.url, s3.new_bucket("editions").name), database.warehouse()


def cloud_storage_and_bigquery(
    request: pytest.FixtureRequest, folder: Path
) -> tuple[Bucket, Warehouse]:
    """Return a bucket and a warehouse of the stand-in for Google."""
    request.getfixturevalue("google")
    return open_store(), open_bigquery()


PLACES: tuple[Opened, ...] = (folder_and_duckdb, s3_and_postgres, cloud_storage_and_bigquery)


def place_in(request: pytest.FixtureRequest, opened: Opened, folder: Path) -> Place:
    """Return a place without any months."""
    bucket, warehouse = opened(request, folder)
    (folder / "space").mkdir()
    return Place(bucket, warehouse, folder / "published" / "yellow.csv.gz", folder / "space")
