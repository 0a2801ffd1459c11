"""Opens months of the bucket in notebooks and scripts."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

import pyarrow.parquet as pq

from core.errors import UsageError
from core.parquet import open_file
from monthly.month import Month, months_of
from monthly.warehouses.load import fetch_object, kept_entry
from orchestration.block_registry import BUCKET, open_bucket


def open_month(color: str, month: str, bucket: str = BUCKET) -> pq.ParquetFile:
    """Open a month of the bucket, after comparing its checksum with the ledger.

    `read()` returns an Arrow table, `iter_batches()` streams the rows in constant memory.

    Args:
        color: the dataset, such as `yellow`.
        month: the month, such as `2021-01`.
        bucket: the block of the bucket, as TYPE/NAME, or a folder.

    Raises:
        UsageError: the dataset, the month or the bucket does not exist.
        StorageError: the month is not in the bucket.
        Conflict: the object is not the one in the ledger.
    """
    named = _one(color, month)
    # A notebook runs an event loop, in which Prefect would return a coroutine.
    with ThreadPoolExecutor(1) as thread:
        store = thread.submit(open_bucket, bucket).result()
    # Where an open file cannot be deleted, the system's clean-up removes the copy.
    with tempfile.TemporaryDirectory(prefix="trips-open-", ignore_cleanup_errors=True) as folder:
        return open_file(fetch_object(store, named, kept_entry(store, named), Path(folder)))


def _one(color: str, month: str) -> Month:
    months = months_of(color, month, 0)
    if len(months) > 1:
        raise UsageError(f"{color}: {month!r} is more than one month; open them one by one")
    return months[0]
