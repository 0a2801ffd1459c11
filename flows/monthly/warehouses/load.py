"""Loads from the bucket into a warehouse: exactly the object in the ledger."""

from __future__ import annotations

from pathlib import Path

from core.checksums import sha256_of
from core.errors import Conflict
from core.storage.bucket import Bucket
from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.month import Month
from monthly.replacement import known_entry
from monthly.warehouses import AGAIN, InPlace, ReadsInPlace, Warehouse
from monthly.warehouses.table_columns import refuse_outdated


def kept_entry(bucket: Bucket, month: Month) -> Entry:
    """Return the ledger entry of a month, which must exist.

    Raises:
        StorageError: the month is not in the bucket.
    """
    return known_entry(bucket, month)[0]


def fetch_object(bucket: Bucket, month: Month, entry: Entry, folder: Path) -> Path:
    """Download the month's Parquet object into a folder and compare its checksum with the ledger.

    Raises:
        Conflict: the object is not the one in the ledger.
    """
    path = folder / f"{month.stem}.parquet"
    bucket.download(entry.object_key, path)
    if sha256_of(path) != entry.object_sha256:
        raise Conflict(
            f"{month}: {bucket.uri(entry.object_key)} is not the object that the ledger names",
            AGAIN,
        )
    return path


def object_for(
    warehouse: Warehouse, bucket: Bucket, month: Month, entry: Entry, folder: Path
) -> Path | InPlace:
    """Return the object in place if the warehouse can read it there, else a local copy.

    An object whose version differs from the ledger's, as in a copied bucket, is downloaded:
    only its checksum can identify it.

    Raises:
        Conflict: the object is not the one in the ledger.
    """
    kept = InPlace(bucket, entry.object_key, entry.object_version)
    if isinstance(warehouse, ReadsInPlace) and warehouse.reads(kept.uri) and kept.is_there():
        return kept
    return fetch_object(bucket, month, entry, folder)


def load_object(warehouse: Warehouse, month: Month, entry: Entry, found: Path | InPlace) -> int:
    """Replace the month with what `object_for` returned; return the row count.

    Raises:
        SchemaError: a column of the object, or of the table, has another type than is declared.
    """
    refuse_outdated(month, DATASETS[month.dataset], entry)
    if isinstance(found, Path):
        return warehouse.load(month, entry, found)
    assert isinstance(warehouse, ReadsInPlace)  # noqa: S101 - no other is given an object in place
    return warehouse.load_in_place(month, entry, found)
