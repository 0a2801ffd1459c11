"""The edition of a day is fetched once, and an incomplete one counts as absent."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from core.checksums import sha256_of
from core.download.remote_file import Download, RemoteFile
from core.storage.bucket import FolderBucket
from covid.cache import cached, keep, unchanged
from fakes.editions import SMALL
from fakes.web import Page, Web

URL = "http://here/json/?token=secret"
DAY = dt.date(2020, 9, 7)


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    """Return a bucket with the edition of a day."""
    path = tmp_path / "published.json"
    path.write_bytes(SMALL)
    found = FolderBucket(tmp_path / "bucket")
    keep(found, fetched(path), DAY)
    return found


def fetched(path: Path, url: str = URL, etag: str | None = None) -> Download[str]:
    return Download("covid", path, url, path.stat().st_size, sha256_of(path), etag, None)


def objects(bucket: FolderBucket) -> list[Path]:
    return [bucket.folder / key for key in bucket.keys("covid")]


def test_edition_of_the_day_is_there_with_its_bytes(bucket: FolderBucket, tmp_path: Path) -> None:
    assert cached(bucket, URL, DAY, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == SMALL


def test_edition_of_another_day_or_address_is_not(bucket: FolderBucket, tmp_path: Path) -> None:
    assert not cached(bucket, URL, DAY + dt.timedelta(1), tmp_path / "got")
    assert not cached(bucket, "http://elsewhere/json/", DAY, tmp_path / "got")


def test_next_day_takes_the_place_of_the_day_before(bucket: FolderBucket, tmp_path: Path) -> None:
    """The bucket does not grow from day to day."""
    before = objects(bucket)
    (tmp_path / "next.json").write_bytes(SMALL + b" ")
    keep(bucket, fetched(tmp_path / "next.json"), DAY + dt.timedelta(1))
    assert objects(bucket) == before
    assert not cached(bucket, URL, DAY, tmp_path / "got")
    assert cached(bucket, URL, DAY + dt.timedelta(1), tmp_path / "got")


@pytest.mark.parametrize("keep_bytes", [0, 10, len(SMALL) - 1])
def test_edition_that_is_not_whole_counts_as_absent(
    bucket: FolderBucket, tmp_path: Path, keep_bytes: int
) -> None:
    """This holds however much of it is left."""
    edition = max(objects(bucket), key=lambda path: path.stat().st_size)
    edition.write_bytes(SMALL[:keep_bytes])
    assert not cached(bucket, URL, DAY, tmp_path / "got")


@pytest.mark.parametrize("number", [0, 1])
def test_half_of_the_pair_counts_as_absent(
    bucket: FolderBucket, tmp_path: Path, number: int
) -> None:
    """A kill between the two writes leaves such a half."""
    objects(bucket)[number].unlink()
    assert not cached(bucket, URL, DAY, tmp_path / "got")


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b"{}", b"null", b"\xff"])
def test_damaged_note_counts_as_absent(bucket: FolderBucket, tmp_path: Path, note: bytes) -> None:
    next(p for p in objects(bucket) if "note" in p.name).write_bytes(note)
    assert not cached(bucket, URL, DAY, tmp_path / "got")


def test_note_holds_no_secret(bucket: FolderBucket) -> None:
    """The query of an address may be a secret."""
    note = json.loads(next(p for p in objects(bucket) if "note" in p.name).read_text())
    assert note["url"] == "http://here/json/"
    assert note["day"] == "2020-09-07"


@pytest.mark.parametrize("takes", [True, False])
def test_an_edition_that_the_publisher_still_has_is_not_downloaded_again(
    bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: bool
) -> None:
    """It then counts as the day's edition, with or without conditional requests."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Web() as web:
        url = web.serve("/json/", Page(SMALL, etag='"one"', conditions=takes))
        keep(bucket, fetched(tmp_path / "published.json", url, '"one"'), DAY)
        later = DAY + dt.timedelta(1)
        assert unchanged(bucket, RemoteFile("covid", url), later, tmp_path / "got")
        asked = [(each.method, each.headers["if-none-match"]) for each in web.requests]
    assert asked == [("HEAD", '"one"')]
    assert (tmp_path / "got").read_bytes() == SMALL
    assert cached(bucket, url, later, tmp_path / "got")


@pytest.mark.parametrize("etag", [None, '"one"'])
def test_an_edition_that_may_have_changed_is_downloaded_again(
    bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, etag: str | None
) -> None:
    """An edition without an ETag cannot be compared."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Web() as web:
        url = web.serve("/json/", Page(SMALL, etag='"two"'))
        keep(bucket, fetched(tmp_path / "published.json", url, etag), DAY)
        assert not unchanged(bucket, RemoteFile("covid", url), DAY, tmp_path / "got")
        assert len(web.requests) == (1 if etag else 0)


def test_an_edition_of_a_damaged_object_is_downloaded_again(
    bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Web() as web:
        url = web.serve("/json/", Page(SMALL, etag='"one"'))
        keep(bucket, fetched(tmp_path / "published.json", url, '"one"'), DAY)
        for path in objects(bucket):
            if "note" not in path.name:
                path.write_bytes(SMALL[:10])
        assert not unchanged(bucket, RemoteFile("covid", url), DAY, tmp_path / "got")
