"""The object that the ledger names goes from the bucket into a warehouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Conflict, StorageError
from core.storage.bucket import FolderBucket
from fakes.entries import converted_of, download_of
from monthly.ledger import Entry, keep, object_key
from monthly.month import Month
from monthly.warehouses.load import fetch_object, kept_entry

MONTH = Month("yellow", 2021, 1)


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "bucket")


@pytest.fixture
def entry(bucket: FolderBucket, tmp_path: Path) -> Entry:
    converted = converted_of(MONTH, tmp_path / "scratch", b"content")
    return keep(bucket, MONTH, download_of(MONTH, tmp_path), converted, None)


def test_object_is_fetched_whole(bucket: FolderBucket, entry: Entry, tmp_path: Path) -> None:
    assert kept_entry(bucket, MONTH) == entry
    path = fetch_object(bucket, MONTH, entry, tmp_path)
    assert path == tmp_path / "yellow_tripdata_2021-01.parquet"
    assert path.read_bytes() == b"content"


def test_month_that_is_not_in_the_bucket_names_the_flow_that_brings_it(
    bucket: FolderBucket,
) -> None:
    with pytest.raises(
        StorageError, match=r"yellow 2021-01 is not in the bucket; run flows/etl_web_to_gcs\.py"
    ):
        kept_entry(bucket, MONTH)


def test_object_of_another_run_is_not_handed_on(
    bucket: FolderBucket, entry: Entry, tmp_path: Path
) -> None:
    (tmp_path / "other").write_bytes(b"contenT")
    bucket.upload(tmp_path / "other", object_key(MONTH))
    with pytest.raises(Conflict, match=r"\.parquet is not the object that the ledger names"):
        fetch_object(bucket, MONTH, entry, tmp_path)


def test_object_that_is_gone_is_named(bucket: FolderBucket, entry: Entry, tmp_path: Path) -> None:
    bucket.delete(object_key(MONTH))
    with pytest.raises(StorageError, match=r"yellow_tripdata_2021-01\.parquet is gone; run flows"):
        fetch_object(bucket, MONTH, entry, tmp_path)
