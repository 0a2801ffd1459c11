"""A held month is set aside and changes nothing else until it is accepted."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.errors import Remedy, StorageError
from core.storage.bucket import FolderBucket
from fakes import gated_month
from fakes.edition_places import Killed
from fakes.entries import entry_of
from fakes.gated_month import ASIDE, HELD, NEW, OLD, bring, state_of
from fakes.one_month import (
    ENTRY,
    MONTH,
    OBJECT,
    cents_in_bucket,
    entry_in_bucket,
    files_in,
    publish,
)
from monthly.gates.aside import read_aside
from monthly.gates.history import read_history
from monthly.gates.policy import Policy
from monthly.gates.thresholds import Gates
from monthly.ledger import write_entry
from monthly.month import Month
from monthly.plan import Status, plan_month
from monthly.verify.checking import Request, verify
from monthly.verify.repair import planned
from monthly.verify.share import Share

ACCEPT = Policy(accept=True)
WARN = Policy(mode="warn")


def test_a_held_month_changes_only_what_is_set_aside(bucket: FolderBucket, source: Path) -> None:
    before = state_of(bucket)
    assert bring(source, bucket) == "held"
    assert state_of(bucket) == before
    assert files_in(bucket.folder) & HELD == HELD
    totals = pq.read_table(bucket.folder / f"{ASIDE}.parquet")["total_amount"].to_pylist()
    assert sorted(round(total * 100) for total in totals) == NEW


def test_a_held_month_has_no_work_until_its_publisher_has_another_file(
    bucket: FolderBucket, source: Path
) -> None:
    bring(source, bucket)
    plan = plan_month(MONTH, str(source), bucket)
    assert (plan.status, plan.has_work) == (Status.HELD, False)
    assert "a correction that changes 160.5% of the rows (321 rows added" in plan.reason
    assert str(bucket.folder / f"{ASIDE}.report.html") in plan.reason
    assert [str(getattr(remedy, "parameter", remedy)) for remedy in plan.remedies] == ["accept"]
    assert bring(source, bucket) == "still held"
    publish(source, [*OLD, 7])
    assert plan_month(MONTH, str(source), bucket).status is Status.CHANGED
    assert bring(source, bucket) == "loaded"
    assert cents_in_bucket(bucket.folder.parent) == sorted([*OLD, 7])
    assert files_in(bucket.folder) & HELD == set()


def test_a_verification_says_that_all_there_is_of_a_month_is_held(
    bucket: FolderBucket, source: Path
) -> None:
    """Running its flow again would load nothing, unless the month is accepted."""
    bring(source, bucket)
    for key in (ENTRY, OBJECT):
        bucket.delete(key)
    request = Request("yellow", bucket, None, Share(Fraction(0), 0))
    (found,) = verify(request, [MONTH])
    verdict = planned(found, bucket, has_warehouse=False)
    assert [(fault.kind.name, fault.where) for fault in verdict.faults] == [
        ("HELD", bucket.uri(f"{ASIDE}.parquet"))
    ]
    assert verdict.steps == ()
    assert verdict.advice == (Remedy("accept", True, "to load it anyway", flow="etl_web_to_gcs"),)


def test_a_touched_file_of_the_same_content_stays_held(bucket: FolderBucket, source: Path) -> None:
    bring(source, bucket)
    os.utime(source, (0, 0))
    plan = plan_month(MONTH, str(source), bucket)
    assert plan.status is Status.CHANGED
    assert bring(source, bucket) == "still held"
    assert plan_month(MONTH, str(source), bucket).status is Status.HELD  # known by its new time


def test_an_accepted_month_replaces_the_one_before_and_leaves_nothing_aside(
    bucket: FolderBucket, source: Path
) -> None:
    bring(source, bucket)
    assert bring(source, bucket, ACCEPT) == "loaded"
    assert cents_in_bucket(bucket.folder.parent) == NEW
    assert files_in(bucket.folder) & HELD == set()
    assert bring(source, bucket) == "unchanged"


def test_the_record_of_a_held_month_names_its_own_objects(
    bucket: FolderBucket, source: Path
) -> None:
    bring(source, bucket)
    held = read_aside(bucket, MONTH).held
    assert held
    info = bucket.info(held.entry.object_key)
    assert info
    assert held.entry.object_key == f"{ASIDE}.parquet"
    assert (held.entry.object_size, held.entry.object_version) == (info.size, info.version)
    assert held.entry.object_sha256 == bucket.sha256(held.entry.object_key)
    assert (held.entry.rejects_key, held.entry.report_key) == (None, f"{ASIDE}.report.html")


def test_a_month_stays_accepted_if_its_run_is_killed_before_it_is_loaded(
    bucket: FolderBucket, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(source, bucket)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(gated_month, "replace_month", killed)
        with pytest.raises(Killed):
            bring(source, bucket, ACCEPT)
    assert cents_in_bucket(bucket.folder.parent) == OLD
    assert bring(source, bucket) == "loaded"
    assert cents_in_bucket(bucket.folder.parent) == NEW


def test_accepting_lets_in_the_file_that_was_held_and_no_other(
    bucket: FolderBucket, source: Path
) -> None:
    bring(source, bucket)
    other = list(range(9_000, 9_500))
    publish(source, other)
    assert bring(source, bucket, ACCEPT) == "held"
    assert cents_in_bucket(bucket.folder.parent) == OLD
    assert bring(source, bucket, ACCEPT) == "loaded"
    assert cents_in_bucket(bucket.folder.parent) == other


@pytest.mark.parametrize("policy", [ACCEPT, WARN, Policy(mode="off")])
def test_without_a_held_month_these_let_everything_in(
    bucket: FolderBucket, source: Path, policy: Policy
) -> None:
    assert bring(source, bucket, policy) == "loaded"
    assert cents_in_bucket(bucket.folder.parent) == NEW


def test_higher_thresholds_let_a_held_month_in(bucket: FolderBucket, source: Path) -> None:
    bring(source, bucket)
    gates = Gates.model_validate({"changed": {"warn": 1.0, "hold": 2.0}})
    assert bring(source, bucket, Policy(gates=gates)) == "loaded"
    assert files_in(bucket.folder) & HELD == set()


def test_a_file_that_the_publisher_took_back_is_no_longer_held(
    bucket: FolderBucket, source: Path
) -> None:
    bring(source, bucket)
    publish(source, OLD)
    os.utime(source, (0, 0))
    assert bring(source, bucket) == "unchanged"  # known by its content
    assert bring(source, bucket) == "unchanged"  # known by its time
    assert files_in(bucket.folder) & HELD == set()


def test_a_generated_month_says_nothing_of_the_one_that_is_held(
    bucket: FolderBucket, source: Path
) -> None:
    """The publisher was not asked, so the correction stays aside."""
    assert bring(source, bucket) == "held"
    aside = files_in(bucket.folder) & HELD
    assert bring("sample:300", bucket) == "unchanged"
    assert files_in(bucket.folder) & HELD == aside
    assert bring(source, bucket) == "still held"


def test_a_changed_declaration_alone_is_not_a_correction(
    bucket: FolderBucket, source: Path
) -> None:
    """The ledger names the published file, but its rows were converted differently."""
    assert bring(source, bucket, WARN) == "loaded"
    published = json.loads((bucket.folder / ENTRY).read_text())
    publish(source.with_name("other.csv.gz"), OLD)
    assert bring(source.with_name("other.csv.gz"), bucket, WARN) == "loaded"
    named = ("url", "last_modified", "source_size", "source_sha256")
    entry = json.loads((bucket.folder / ENTRY).read_text()) | {n: published[n] for n in named}
    entry |= {"schema_version": 1, "signatures": {"total_amount": "string"}}
    (bucket.folder / ENTRY).write_text(json.dumps(entry))
    assert plan_month(MONTH, str(source), bucket).reason.startswith("the declaration changed")
    assert bring(source, bucket) == "loaded"
    assert cents_in_bucket(bucket.folder.parent) == NEW


def test_a_file_that_was_let_in_is_let_in_again(tmp_path: Path, source: Path) -> None:
    """Its object was lost; judged by the earlier months, it would be held."""
    bucket = FolderBucket(tmp_path / "bucket")
    write_history(bucket)
    publish(source, range(401))
    assert bring(source, bucket, WARN) == "loaded"
    bucket.delete(OBJECT)
    assert plan_month(MONTH, str(source), bucket).status is Status.CHANGED
    assert bring(source, bucket) == "loaded"


def test_a_published_month_replaces_a_generated_one(tmp_path: Path, source: Path) -> None:
    bucket = FolderBucket(tmp_path / "bucket")
    assert bring("sample:300", bucket) == "loaded"
    publish(source, NEW)
    assert bring(source, bucket) == "loaded"


def test_a_damaged_record_is_named(bucket: FolderBucket, source: Path) -> None:
    bring(source, bucket)
    (bucket.folder / f"{ASIDE}.json").write_text("{}")
    with pytest.raises(StorageError, match=r"yellow 2021-01: .*json is not the record of a held"):
        read_aside(bucket, MONTH)


@pytest.mark.parametrize("part", ["entry", "findings"])
def test_a_record_of_a_newer_version_is_not_to_be_removed(
    bucket: FolderBucket, source: Path, part: str
) -> None:
    bring(source, bucket)
    path = bucket.folder / f"{ASIDE}.json"
    record = json.loads(path.read_text())
    within = record[part][0] if part == "findings" else record[part]
    within["later"] = 1
    path.write_text(json.dumps(record))
    with pytest.raises(StorageError, match=r"json was written by a newer version") as caught:
        read_aside(bucket, MONTH)
    assert str(caught.value).endswith("; update this project")


def write_history(bucket: FolderBucket) -> None:
    """Write three months of 100 rows into the ledger."""
    for number in (10, 11, 12):
        month = Month("yellow", 2020, number)
        quality = {"rows": 100, "nulls": {}}
        counts = {"rows_read": 100, "rows_written": 100, "rows_rejected": 0}
        write_entry(bucket, month, entry_of(month, quality=quality, **counts), None)


def test_a_new_month_unlike_those_before_it_is_held(tmp_path: Path, source: Path) -> None:
    bucket = FolderBucket(tmp_path / "bucket")
    write_history(bucket)
    publish(source, range(401))
    assert bring(source, bucket) == "held"
    assert entry_in_bucket(tmp_path) is None
    assert cents_in_bucket(tmp_path) is None
    assert plan_month(MONTH, str(source), bucket).status is Status.HELD
    publish(source, range(400))
    assert bring(source, bucket) == "loaded"


def test_history_is_the_last_twelve_months_and_then_the_next(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path / "bucket")
    months = [Month("yellow", year, number) for year in (2019, 2020) for number in range(1, 13)]
    for month in months:
        write_entry(bucket, month, entry_of(month), None)
    (bucket.folder / "ledger" / "yellow" / "notes.json").write_text("{}")
    names = [entry.year_month for entry in read_history(bucket, Month("yellow", 2020, 6))]
    assert names == [m.year_month for m in reversed(months[5:17])]
    names = [entry.year_month for entry in read_history(bucket, Month("yellow", 2019, 3))]
    assert names == ["2019-02", "2019-01", *(m.year_month for m in months[3:13])]
