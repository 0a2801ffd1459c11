"""Months opened from a notebook, which runs an event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import Conflict, StorageError, UsageError
from core.storage.bucket import FolderBucket
from fakes.entries import entry_of
from monthly.ledger import object_key, write_entry
from monthly.month import Month
from orchestration.notebooks import open_month

JANUARY = Month("yellow", 2021, 1)


@pytest.fixture
def bucket(place: Path) -> FolderBucket:
    """Return the default bucket, with a month of three rows."""
    store = FolderBucket(place / "bucket")
    upload(store, place / "month.parquet", [1.0, 2.0, 3.0])
    sha256 = store.sha256(object_key(JANUARY))
    entry = entry_of(JANUARY, object_key=object_key(JANUARY), object_sha256=sha256)
    write_entry(store, JANUARY, entry, None)
    return store


def upload(store: FolderBucket, path: Path, totals: list[float]) -> None:
    """Upload an object for the month that has only totals."""
    pq.write_table(pa.table({"total_amount": totals}), path)
    store.upload(path, object_key(JANUARY))


def test_a_month_is_read_whole_or_in_batches(bucket: FolderBucket, place: Path) -> None:
    with open_month("yellow", "2021-01", str(place / "bucket")) as month:
        assert month.read()["total_amount"].to_pylist() == [1.0, 2.0, 3.0]
        assert [len(batch) for batch in month.iter_batches(batch_size=2)] == [2, 1]


def test_a_block_is_loaded_under_the_event_loop_of_a_notebook(
    bucket: FolderBucket, prefect_server: None
) -> None:
    async def cell() -> int:
        with open_month("yellow", "2021-01", "local-bucket/zoom") as month:
            return int(month.metadata.num_rows)

    assert asyncio.run(cell()) == 3


def test_an_object_that_the_ledger_does_not_name_is_refused(
    bucket: FolderBucket, place: Path
) -> None:
    upload(bucket, place / "other.parquet", [4.0])
    with pytest.raises(Conflict, match="is not the object that the ledger names"):
        open_month("yellow", "2021-01", str(place / "bucket"))


@pytest.mark.parametrize(
    ("color", "month", "error", "said"),
    [
        ("yellow", "2021-02", StorageError, "yellow 2021-02 is not in the bucket"),
        ("yellow", "2021-01:2021-02", UsageError, "is more than one month"),
        ("yelow", "2021-01", UsageError, "yelow"),
    ],
)
def test_a_month_that_cannot_be_opened_is_named(
    color: str, month: str, error: type[Exception], said: str, bucket: FolderBucket, place: Path
) -> None:
    with pytest.raises(error, match=said):
        open_month(color, month, str(place / "bucket"))
