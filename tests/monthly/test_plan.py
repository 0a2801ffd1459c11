"""A plan says what there is to do for a month and why, and changes nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.download.remote_file import Download
from core.errors import Remedy, StorageError, UsageError
from core.scratch import this_user
from core.storage.bucket import FolderBucket
from fakes.entries import converted_of, entry_of
from fakes.web import Page, Web
from monthly.datasets import DATASETS
from monthly.ledger import Entry, entry_key, keep, object_key, read_entry, report_key, write_entry
from monthly.month import Month
from monthly.plan import (
    Plan,
    Status,
    due_for_report,
    due_in_warehouse,
    plan_against,
    plan_month,
)
from monthly.planned import needs_run
from monthly.warehouses import LoadedMonth
from orchestration.wording import on_command_line

MONTH = Month("yellow", 2021, 1)
NAME = "yellow_tripdata_2021-01.csv.gz"
BODY = b"VendorID\n1\n"
DATE, LATER = "Tue, 05 Jan 2021 10:00:00 GMT", "Wed, 06 Jan 2021 10:00:00 GMT"
PAGE = Page(BODY, etag='"one"', last_modified=DATE)
#: The published bytes' checksum in the entries of this file.
SHA256 = "5" * 64


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Web() as server:
        yield server


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "bucket")


def keep_as(bucket: FolderBucket, tmp_path: Path, url: str, page: Page, **fields: Any) -> Entry:
    """Keep the month in the bucket as of when `page` was published, then change `fields`."""
    download = Download(
        MONTH, tmp_path / NAME, url, len(page.body), SHA256, page.etag, page.last_modified
    )
    entry = keep(bucket, MONTH, download, converted_of(MONTH, tmp_path / "scratch"), None)
    if fields:
        entry = replace(entry, **fields)
        write_entry(bucket, MONTH, entry, read_entry(bucket, MONTH)[1])
    return entry


def said(plan: Plan) -> tuple[str, str, bool]:
    return plan.status.value, plan.reason, plan.settled_by_content


# ---- what is published, compared with the ledger


def test_month_that_the_ledger_lacks_is_new(web: Web, bucket: FolderBucket) -> None:
    plan = plan_month(MONTH, web.serve(f"/{NAME}", PAGE), bucket)
    assert said(plan) == ("NEW", "not in the ledger", False)
    assert plan.has_work
    assert plan.published
    assert (plan.entry, plan.entry_version) == (None, None)


def test_month_that_nobody_has_published_is_not_yet_published(
    web: Web, bucket: FolderBucket
) -> None:
    plan = plan_month(MONTH, web.url(f"/{NAME}"), bucket)
    assert plan.status.value == "NOT YET PUBLISHED"
    assert "404" in plan.reason
    assert "there is no such file (yet)" in plan.reason
    assert not plan.has_work
    assert plan.published is None


def test_month_that_is_withdrawn_keeps_its_entry(
    web: Web, bucket: FolderBucket, tmp_path: Path
) -> None:
    entry = keep_as(bucket, tmp_path, web.url(f"/{NAME}"), PAGE)
    plan = plan_month(MONTH, web.url(f"/{NAME}"), bucket)
    assert plan.status is Status.NOT_YET_PUBLISHED
    assert plan.entry == entry


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        (PAGE, PAGE, ("UNCHANGED", "same ETag", True)),
        (PAGE, replace(PAGE, last_modified=LATER), ("UNCHANGED", "same ETag", True)),
        (PAGE, replace(PAGE, last_modified=None), ("UNCHANGED", "same ETag", True)),
        (PAGE, replace(PAGE, etag='"two"'), ("CHANGED", 'ETag "one" -> "two"', True)),
        (
            PAGE,
            replace(PAGE, body=BODY + b"2\n", conditions=False),
            ("CHANGED", f"size {len(BODY)} -> {len(BODY) + 2} bytes", True),
        ),
        (
            replace(PAGE, etag=None),
            replace(PAGE, etag=None),
            ("UNCHANGED", "same size and modification time", True),
        ),
        (PAGE, replace(PAGE, etag=None), ("UNCHANGED", "same size and modification time", True)),
        (replace(PAGE, etag=None), PAGE, ("UNCHANGED", "same size and modification time", True)),
        (
            replace(PAGE, etag=None),
            replace(PAGE, etag=None, last_modified=LATER),
            ("CHANGED", "new modification time, no ETag; the content will be compared", True),
        ),
        (
            Page(BODY),
            Page(BODY),
            ("CHANGED", "new modification time, no ETag; the content will be compared", True),
        ),
    ],
)
def test_published_file_is_compared_by_size_then_etag_then_time(
    web: Web,
    bucket: FolderBucket,
    tmp_path: Path,
    was: Page,
    now: Page,
    expected: tuple[str, str, bool],
) -> None:
    keep_as(bucket, tmp_path, web.url(f"/{NAME}"), was)
    plan = plan_month(MONTH, web.serve(f"/{NAME}", now), bucket)
    assert said(plan) == expected
    assert plan.has_work == (plan.status is Status.CHANGED)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_generated_month_takes_the_place_of_a_published_one_only_by_force(
    bucket: FolderBucket, tmp_path: Path, damaged: bool
) -> None:
    """Neither `make run` nor an example in the docs replaces a real month."""
    url = "https://elsewhere/file.csv.gz"
    key = keep_as(bucket, tmp_path, url, PAGE).object_key
    if damaged:
        (tmp_path / "bucket" / key).unlink()
    plan = plan_month(MONTH, "sample:10", bucket)
    assert said(plan)[0] == "UNCHANGED"
    assert plan.reason == f"was published at {url}"
    assert [(r.parameter, r.value) for r in plan.remedies if isinstance(r, Remedy)] == [
        ("force", True)
    ]
    assert not plan.has_work
    assert plan_month(MONTH, "sample:10", bucket, force=True).has_work


def test_a_published_month_takes_the_place_of_a_generated_one(
    web: Web, bucket: FolderBucket, tmp_path: Path
) -> None:
    keep_as(bucket, tmp_path, "sample:///10/green", PAGE)
    assert plan_month(MONTH, web.serve(f"/{NAME}", PAGE), bucket).has_work


def test_month_of_another_address_is_compared_by_its_content(
    web: Web, bucket: FolderBucket, tmp_path: Path
) -> None:
    keep_as(bucket, tmp_path, "https://elsewhere/file.csv.gz", PAGE)
    url = web.serve(f"/{NAME}", PAGE)
    reason = f"published at {url}, was https://elsewhere/file.csv.gz"
    assert said(plan_month(MONTH, url, bucket)) == ("CHANGED", reason, True)


def test_content_settles_a_change_of_its_label_alone(
    web: Web, bucket: FolderBucket, tmp_path: Path
) -> None:
    keep_as(bucket, tmp_path, web.url(f"/{NAME}"), PAGE)
    plan = plan_month(MONTH, web.serve(f"/{NAME}", replace(PAGE, etag='"two"')), bucket)
    assert plan.proves_unchanged(SHA256)
    assert not plan.proves_unchanged("6" * 64)


def test_content_never_settles_a_new_month(web: Web, bucket: FolderBucket) -> None:
    assert not plan_month(MONTH, web.serve(f"/{NAME}", PAGE), bucket).proves_unchanged(SHA256)


def test_older_schema_is_converted_again_whatever_the_content(
    web: Web, bucket: FolderBucket, tmp_path: Path
) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    keep_as(bucket, tmp_path, url, PAGE, schema_version=0, signatures={})
    plan = plan_month(MONTH, url, bucket)
    assert said(plan) == (
        "CHANGED",
        f"schema version 0 -> {DATASETS[MONTH.dataset].schema_version}",
        False,
    )
    assert not plan.proves_unchanged(SHA256)


@pytest.mark.parametrize(
    ("renamed", "status"),
    [
        (["Dispatching_base_number -> Affiliated_base_number"], "CHANGED"),
        (["Pickup_DateTime -> pickup_datetime"], "UNCHANGED"),
    ],
)
def test_of_the_first_schema_only_the_for_hire_files_of_2018_are_converted_again(
    renamed: list[str], status: str, web: Web
) -> None:
    month, url = Month("fhv", 2018, 1), web.serve(f"/{NAME}", PAGE)
    drift = {"renamed": renamed, "unknown": [], "missing": []}
    old = {"schema_version": 1, "signatures": {}, "drift": drift}
    entry = entry_of(month, url=url, etag=PAGE.etag, source_size=len(PAGE.body), **old)
    assert plan_against(month, url, entry).status.value == status


def test_forced_month_is_run_whatever_the_content(
    web: Web, bucket: FolderBucket, tmp_path: Path
) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    assert said(plan_month(MONTH, url, bucket, force=True))[0] == "NEW"
    keep_as(bucket, tmp_path, url, PAGE)
    plan = plan_month(MONTH, url, bucket, force=True)
    assert said(plan) == ("CHANGED", "forced", False)
    assert not plan.proves_unchanged(SHA256)


def test_force_publishes_nothing(web: Web, bucket: FolderBucket) -> None:
    plan = plan_month(MONTH, web.url(f"/{NAME}"), bucket, force=True)
    assert plan.status is Status.NOT_YET_PUBLISHED


# ---- the object, compared with the ledger


def test_month_whose_object_is_gone_is_run_again(
    web: Web, bucket: FolderBucket, tmp_path: Path
) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    keep_as(bucket, tmp_path, url, PAGE)
    where = bucket.uri(object_key(MONTH))
    bucket.delete(object_key(MONTH))
    plan = plan_month(MONTH, url, bucket)
    assert said(plan) == ("CHANGED", f"in the ledger, but {where} is gone", False)
    assert not plan.proves_unchanged(SHA256)


@pytest.mark.parametrize("content", [b"contenT", b"longer content", b""])
def test_month_whose_object_was_altered_is_run_again(
    web: Web, bucket: FolderBucket, tmp_path: Path, content: bytes
) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    keep_as(bucket, tmp_path, url, PAGE)
    path = Path(bucket.uri(object_key(MONTH)))
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))  # any other time counts, even an earlier one
    reason = "the object in the bucket is not the one in the ledger"
    assert said(plan_month(MONTH, url, bucket)) == ("CHANGED", reason, False)


def test_bucket_that_was_copied_has_nothing_to_do(
    web: Web, bucket: FolderBucket, tmp_path: Path
) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    entry = keep_as(bucket, tmp_path, url, PAGE)
    copy = FolderBucket(tmp_path / "copy")
    shutil.copytree(bucket.folder, copy.folder)
    os.utime(copy.uri(object_key(MONTH)), ns=(1, 1))
    info = copy.info(object_key(MONTH))
    assert info
    assert info.version != entry.object_version
    assert said(plan_month(MONTH, url, copy)) == ("UNCHANGED", "same ETag", True)


def test_an_object_whose_version_is_the_one_in_the_ledger_is_not_read(
    web: Web, bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan of many months would download them all."""
    url = web.serve(f"/{NAME}", PAGE)
    keep_as(bucket, tmp_path, url, PAGE)
    for read in ("download", "sha256"):
        monkeypatch.setattr(FolderBucket, read, lambda *_: pytest.fail("the object was read"))
    assert plan_month(MONTH, url, bucket).status is Status.UNCHANGED


def test_an_object_of_another_version_is_read_without_room_for_a_copy(
    web: Web, bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan writes nothing, not even into a temporary folder."""
    url = web.serve(f"/{NAME}", PAGE)
    keep_as(bucket, tmp_path, url, PAGE)
    os.utime(bucket.uri(object_key(MONTH)), ns=(1, 1))
    monkeypatch.setattr(FolderBucket, "download", lambda *_: pytest.fail("it was copied"))
    assert plan_month(MONTH, url, bucket).status is Status.UNCHANGED


# ---- errors, and what stays


def test_unreadable_entry_stops_the_plan(web: Web, bucket: FolderBucket) -> None:
    bucket.write("ledger/yellow/yellow_tripdata_2021-01.json", b"{", None)
    with pytest.raises(StorageError, match="not a ledger entry"):
        plan_month(MONTH, web.serve(f"/{NAME}", PAGE), bucket)


@pytest.mark.parametrize("pinned", ["", "2021-02-01", {"at": "2021-02-01"}], ids=str)
def test_force_does_not_replace_the_entry_of_a_newer_version(
    web: Web, bucket: FolderBucket, tmp_path: Path, pinned: object
) -> None:
    """That entry can still be read, by the newer version, and has the month's history."""
    url = web.serve(f"/{NAME}", PAGE)
    keep_as(bucket, tmp_path, url, PAGE)
    entry = bucket.folder / entry_key(MONTH)
    record = json.loads(entry.read_text()) | {"newer": 1, "pinned": pinned}
    entry.write_text(json.dumps(record))
    with pytest.raises(StorageError) as caught:
        plan_month(MONTH, url, bucket, force=True)
    assert on_command_line(caught.value.message, caught.value.remedies) == (
        f"{MONTH}: {entry} was written by a newer version; update this project, or remove that "
        "object to load the month again, without its history and pin"
    )
    entry.unlink()
    assert plan_month(MONTH, url, bucket, force=True).status is Status.NEW


@pytest.mark.parametrize("pinned", ["", "2021-02-01", {"at": "2021-02-01"}], ids=str)
def test_force_replaces_a_damaged_entry_unless_that_is_pinned(
    web: Web, bucket: FolderBucket, tmp_path: Path, pinned: object
) -> None:
    """An entry that cannot be read makes no edition, so the pinned object would be lost."""
    url = web.serve(f"/{NAME}", PAGE)
    keep_as(bucket, tmp_path, url, PAGE)
    entry = bucket.folder / entry_key(MONTH)
    record = json.loads(entry.read_text()) | {"rows_read": None, "pinned": pinned}
    entry.write_text(json.dumps(record))
    if not pinned:
        assert plan_month(MONTH, url, bucket, force=True).status is Status.NEW
        return
    with pytest.raises(StorageError) as caught:
        plan_month(MONTH, url, bucket, force=True)
    assert caught.value.message == f"{MONTH}: {entry} is pinned, but damaged"
    assert caught.value.remedies == (
        Remedy("repair", True, "to rebuild it", flow="verify"),
        "remove that object to load the month again, without its history and pin",
    )


@pytest.mark.parametrize("status", [401, 503, 404])
def test_a_pinned_month_needs_no_publisher(
    web: Web, bucket: FolderBucket, tmp_path: Path, status: int
) -> None:
    """It may be pinned because its publisher is gone; nothing would be fetched anyway."""
    url = web.serve(f"/{NAME}", PAGE)
    keep_as(bucket, tmp_path, url, PAGE, pinned="2021-02-01T00:00:00+00:00")
    web.serve(f"/{NAME}", Page(b"", status=status))
    plan = plan_month(MONTH, url, bucket)
    assert (plan.status, plan.has_work, plan.published) == (Status.PINNED, False, None)
    said = "no longer has it" if status == 404 else "gave no usable answer"
    assert plan.reason.startswith(f"pinned on 2021-02-01; the publisher {said} ({url} answered ")
    due = due_in_warehouse(plan, None, "w")
    assert (due.status, due.in_bucket) == (Status.NEW, True)


def test_invalid_source_stops_the_plan(bucket: FolderBucket) -> None:
    with pytest.raises(UsageError, match="tcl"):
        plan_month(MONTH, "tcl", bucket)


def test_plan_writes_nothing(web: Web, bucket: FolderBucket, tmp_path: Path) -> None:
    """This holds for a new month and for one whose content is compared."""
    url = web.serve(f"/{NAME}", PAGE)
    plan_month(MONTH, url, bucket)
    assert not bucket.folder.exists()
    keep_as(bucket, tmp_path, url, PAGE)
    os.utime(bucket.uri(object_key(MONTH)), ns=(1, 1))
    before = listing(tmp_path)
    for force in (False, True):
        plan_month(MONTH, url, bucket, force)
    plan_month(Month("yellow", 2021, 2), web.url("/nothing.csv"), bucket)
    assert listing(tmp_path) == before


#: The folder of request slots, next to those of months.
SLOTS = {f"hosts-{this_user()}.lock"}


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and modification time of every file under a folder, except request slots."""
    paths = (path for path in folder.rglob("*") if SLOTS.isdisjoint(path.parts))
    found = ((path, path.stat()) for path in paths)
    return {str(path): (status.st_size, status.st_mtime_ns) for path, status in found}


# ---- the warehouse

UNCHANGED = Plan(MONTH, Status.UNCHANGED, "same ETag", None, entry_of(MONTH), "1")


def test_month_that_the_warehouse_has_stays_unchanged() -> None:
    held = LoadedMonth(entry_of(MONTH).object_sha256, 5, 5)
    assert due_in_warehouse(UNCHANGED, held, "w") == UNCHANGED


@pytest.mark.parametrize(
    ("held", "status", "reason"),
    [
        (None, Status.NEW, "kept in the bucket, not yet in w"),
        (LoadedMonth("another", 5, 5), Status.CHANGED, "corrected in the bucket, not yet in w"),
        (
            LoadedMonth(entry_of(MONTH).object_sha256, 95_120, 0),
            Status.CHANGED,
            "w has 0 rows of it where its load left 95,120",
        ),
        (
            LoadedMonth(entry_of(MONTH).object_sha256, 5, 5, touched=True),
            Status.CHANGED,
            "something other than a load changed it in w",
        ),
        (
            LoadedMonth(entry_of(MONTH).object_sha256, 5, 5, elsewhere="old_trips"),
            Status.CHANGED,
            "w has it in the table old_trips, not in the one that is declared now",
        ),
    ],
)
def test_month_that_the_warehouse_lacks_or_has_otherwise_is_due(
    held: LoadedMonth | None, status: Status, reason: str
) -> None:
    plan = due_in_warehouse(UNCHANGED, held, "w")
    assert (plan.status, plan.reason) == (status, reason)
    assert plan.has_work
    assert plan.entry == UNCHANGED.entry


@pytest.mark.parametrize("status", [Status.NEW, Status.CHANGED, Status.NOT_YET_PUBLISHED])
def test_warehouse_changes_nothing_about_a_month_that_is_to_be_run_or_cannot_be(
    status: Status,
) -> None:
    plan = replace(UNCHANGED, status=status)
    assert due_in_warehouse(plan, None, "w") == plan


# ---- the report


@pytest.mark.parametrize("status", [Status.UNCHANGED, Status.PINNED])
def test_month_that_lacks_only_its_report_is_due_for_it(
    bucket: FolderBucket, status: Status
) -> None:
    """It has no work: nothing of it is loaded again."""
    plan = due_for_report(replace(UNCHANGED, status=status), bucket)
    assert (plan.status, plan.lacks_report, plan.has_work) == (status, True, False)
    assert plan.reason == "same ETag, but its report is missing"
    assert needs_run(plan)


def test_month_that_has_its_report_stays_unchanged(bucket: FolderBucket) -> None:
    bucket.write(report_key(MONTH), b"<p>report</p>", None)
    plan = due_for_report(UNCHANGED, bucket)
    assert plan == UNCHANGED
    assert not needs_run(plan)


@pytest.mark.parametrize(
    "status", [Status.NEW, Status.CHANGED, Status.HELD, Status.NOT_YET_PUBLISHED]
)
def test_report_changes_nothing_about_a_month_that_is_to_be_run_or_cannot_be(
    bucket: FolderBucket, status: Status
) -> None:
    plan = replace(UNCHANGED, status=status)
    assert due_for_report(plan, bucket) == plan


@pytest.mark.parametrize(("elsewhere", "asked"), [(False, '"one"'), (True, None)])
def test_a_month_is_asked_for_by_the_etag_that_its_address_had(
    web: Web, bucket: FolderBucket, tmp_path: Path, elsewhere: bool, asked: str | None
) -> None:
    """A publisher that takes conditional requests answers that it is the same, and no more."""
    keep_as(bucket, tmp_path, web.url("/other" if elsewhere else f"/{NAME}"), PAGE)
    plan = plan_month(MONTH, web.serve(f"/{NAME}", PAGE), bucket)
    assert web.requests[-1].headers.get("if-none-match") == asked
    assert plan.published is not None
    assert (plan.published.size, plan.published.etag) == (len(BODY), '"one"')
