"""An entry is written after the objects that it names, and read back unchanged."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import Conflict, Remedy, StorageError
from core.storage.bucket import FolderBucket, ObjectInfo
from fakes.entries import converted_of, download_of, entry_of, revision_of
from monthly.figures import Figures
from monthly.ledger import (
    confirmed,
    entry_key,
    keep,
    object_key,
    read_entry,
    rejects_key,
    write_entry,
)
from monthly.month import Month

MONTH = Month("green", 2020, 10)
OBJECT = "data/green/green_tripdata_2020-10.parquet"
REJECTS = "data/green/green_tripdata_2020-10.rejects.csv"
ENTRY = "ledger/green/green_tripdata_2020-10.json"


class Noted(FolderBucket):
    """Notes each change in its order."""

    done: list[tuple[str, str]] = []  # noqa: RUF012 - emptied by the fixture

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Note the upload, then do it."""
        self.done.append(("upload", key))
        return super().upload(path, key)

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Note the write, then do it."""
        self.done.append(("write", key))
        super().write(key, data, replacing)

    def delete(self, key: str) -> None:
        """Note the removal, then do it."""
        self.done.append(("delete", key))
        super().delete(key)


@pytest.fixture
def bucket(tmp_path: Path) -> Noted:
    Noted.done.clear()
    return Noted(tmp_path / "bucket")


def kept(bucket: FolderBucket, folder: Path, replacing: str | None = None, **what: Any) -> Any:
    return keep(
        bucket, MONTH, download_of(MONTH, folder), converted_of(MONTH, folder, **what), replacing
    )


def test_month_lies_where_the_zoomcamp_looks_for_it() -> None:
    assert object_key(MONTH) == OBJECT
    assert rejects_key(MONTH) == REJECTS
    assert entry_key(MONTH) == ENTRY


def test_entry_is_read_as_it_was_written(bucket: FolderBucket) -> None:
    entry = entry_of(MONTH)
    write_entry(bucket, MONTH, entry, None)
    found, version = read_entry(bucket, MONTH)
    assert found == entry
    assert version is not None
    write_entry(bucket, MONTH, entry_of(MONTH, etag=None), version)
    changed, later = read_entry(bucket, MONTH)
    assert changed
    assert changed.etag is None
    assert later != version


def test_entry_has_the_seconds_of_each_stage_that_are_known(bucket: Noted, tmp_path: Path) -> None:
    """A resumed download has none; how long the upload took is measured here."""
    download = replace(download_of(MONTH, tmp_path), seconds=1.23456)
    converted = replace(converted_of(MONTH, tmp_path), seconds=2.5)
    seconds = keep(bucket, MONTH, download, converted, None).seconds
    assert {**seconds, "upload": 0} == {"download": 1.235, "conversion": 2.5, "upload": 0}
    resumed = replace(download, seconds=0.0)
    version = read_entry(bucket, MONTH)[1]
    assert "download" not in keep(bucket, MONTH, resumed, converted, version).seconds


def test_month_without_an_entry_has_none(bucket: FolderBucket) -> None:
    assert read_entry(bucket, MONTH) == (None, None)


def test_entry_over_one_that_another_run_wrote_is_a_conflict(bucket: FolderBucket) -> None:
    write_entry(bucket, MONTH, entry_of(MONTH), None)
    with pytest.raises(Conflict, match="changed by another run"):
        write_entry(bucket, MONTH, entry_of(MONTH, etag=None), None)
    assert read_entry(bucket, MONTH)[0] == entry_of(MONTH)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"dataset": "green"}',
        json.dumps(asdict(entry_of(MONTH, dataset="rides"))).encode(),
    ],
)
def test_unreadable_entry_is_named_with_the_way_out(bucket: FolderBucket, data: bytes) -> None:
    bucket.write(ENTRY, data, None)
    with pytest.raises(StorageError) as caught:
        read_entry(bucket, MONTH)
    said = str(caught.value)
    assert said.startswith("green 2020-10: ")
    assert bucket.uri(ENTRY) in said
    assert caught.value.remedies == (Remedy("repair", True, "to rebuild it", flow="verify"),)


@pytest.mark.parametrize(
    "more",
    [{"later": 1}, {"later": 1, "pinned": 5}, {"history": [asdict(revision_of()) | {"later": 1}]}],
    ids=str,
)
def test_entry_of_a_newer_version_is_not_to_be_rebuilt(
    bucket: FolderBucket, more: dict[str, Any]
) -> None:
    bucket.write(ENTRY, json.dumps(asdict(entry_of(MONTH)) | more).encode(), None)
    with pytest.raises(StorageError, match=r"newer version \(.*'later'.*; update this") as caught:
        read_entry(bucket, MONTH)
    assert caught.value.remedies == ()


def test_entry_comes_last(bucket: Noted, tmp_path: Path) -> None:
    kept(bucket, tmp_path / "scratch", rejects=b"line\n")
    assert bucket.done == [("upload", OBJECT), ("upload", REJECTS), ("write", ENTRY)]


def test_entry_describes_what_is_in_the_bucket(bucket: FolderBucket, tmp_path: Path) -> None:
    entry = kept(bucket, tmp_path / "scratch", rejects=b"one\ntwo\n")
    assert read_entry(bucket, MONTH)[0] == entry
    info = bucket.info(OBJECT)
    assert info == ObjectInfo(entry.object_size, entry.object_version)
    assert Path(bucket.uri(entry.object_key)).read_bytes() == b"content"
    assert Path(bucket.uri(entry.rejects_key)).read_bytes() == b"one\ntwo\n"
    assert (entry.rows_read, entry.rows_written, entry.rows_rejected) == (5, 3, 2)
    assert entry.drift["missing"] == ["airport_fee"]
    assert entry.quality["nulls"] == {"airport_fee": 2}


def test_corrected_month_without_rejects_leaves_none_of_the_old(
    bucket: Noted, tmp_path: Path
) -> None:
    kept(bucket, tmp_path / "scratch", rejects=b"line\n")
    _, version = read_entry(bucket, MONTH)
    bucket.done.clear()
    entry = kept(bucket, tmp_path / "scratch", version, content=b"corrected")
    assert bucket.done == [("upload", OBJECT), ("delete", REJECTS), ("write", ENTRY)]
    assert entry.rejects_key is None
    assert bucket.keys("data") == [OBJECT]


def test_month_that_another_run_kept_meanwhile_is_a_conflict(
    bucket: FolderBucket, tmp_path: Path
) -> None:
    first = kept(bucket, tmp_path / "scratch")
    with pytest.raises(Conflict):
        kept(bucket, tmp_path / "scratch", content=b"of the other run")
    assert read_entry(bucket, MONTH)[0] == first


def test_warehouse_records_the_object_it_loaded() -> None:
    entry = entry_of(MONTH, source_size=100, object_size=7)
    assert (entry.loaded_sha256, entry.loaded_size) == (entry.object_sha256, 7)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param({"object_sha256": "", "object_size": 0}, id="today"),
        pytest.param({"object_sha256": "5" * 64, "object_size": 100}, id="before 1.2"),
    ],
)
def test_warehouse_without_an_object_records_the_published_file(stored: dict[str, Any]) -> None:
    """The entry may repeat it in the fields of the object."""
    published = {"source_size": 100, "source_sha256": "5" * 64, "object_key": ""}
    entry = entry_of(MONTH, **published, **stored)
    assert (entry.loaded_sha256, entry.loaded_size) == ("5" * 64, 100)


def test_kept_columns_are_known_by_their_published_names() -> None:
    """This holds if other columns were renamed, or a name contains an arrow."""
    drift = {
        "kept": ["Temp___C_", "extra", "a____b"],
        "renamed": ["Temp (°C) -> Temp___C_", "Extra Fee -> extra_fee", "a -> b -> a____b"],
    }
    assert dict(entry_of(MONTH, drift=drift).kept) == {
        "Temp___C_": "Temp (°C)",
        "extra": "extra",
        "a____b": "a -> b",
    }
    assert entry_of(MONTH).kept == {}


def test_entry_is_read_back_with_its_figures_and_its_history(tmp_path: Path) -> None:
    entry = entry_of(
        MONTH,
        columns={"fare": Figures(3, -0.5, 12.25, 20.0), "flag": Figures(0)},
        history=(revision_of(),),
        pinned="2021-03-01T00:00:00+00:00",
    )
    bucket = FolderBucket(tmp_path)
    write_entry(bucket, MONTH, entry, None)
    assert read_entry(bucket, MONTH)[0] == entry


def test_confirmed_entry_has_the_address_and_validators_of_today(tmp_path: Path) -> None:
    """The address loses its signature; everything else stays."""
    entry = entry_of(MONTH, url="https://h/old", etag='"old"', last_modified="then")
    download = replace(download_of(MONTH, tmp_path), url="https://h/new?sig=secret")
    expected = replace(entry, url="https://h/new", etag='"one"', last_modified=None)
    assert confirmed(entry, download) == expected
