"""Two simultaneous runs of one month leave it exactly once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import Conflict
from core.storage.bucket import FolderBucket, ObjectInfo
from fakes.forks import Forks, Outcome
from fakes.one_month import (
    ENTRY,
    MONTH,
    OBJECT,
    REJECTS,
    bring,
    cents_in_bucket,
    entry_in_bucket,
    files_in,
    in_warehouse,
    load,
    publish,
    sha256_in_bucket,
    warehouse_of,
)
from monthly.plan import Status, plan_month
from monthly.warehouses.load import fetch_object, kept_entry

ROUNDS = 8
OLD = list(range(1_000, 1_300))
NEW = list(range(5_000, 5_400))

Pair = tuple[Forks, Forks]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Forks() as one, Forks() as other:
        yield one, other


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Write a file of 300 trips and a row that is not one."""
    publish(tmp_path / "old" / "yellow.csv.gz", OLD, bad=1)
    return tmp_path / "old" / "yellow.csv.gz"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Write its correction."""
    publish(tmp_path / "new" / "yellow.csv.gz", NEW)
    return tmp_path / "new" / "yellow.csv.gz"


def at_once(
    pair: Pair, root: Path, sources: tuple[Path, Path], scratches: tuple[Path, Path]
) -> tuple[Outcome, Outcome]:
    """Start two processes that are both ready before either is released."""
    for forks, source, scratch in zip(pair, sources, scratches):
        forks.prepare(root, source, scratch)
    for forks in pair:
        forks.go()
    return pair[0].outcome(), pair[1].outcome()


def check_once(root: Path, cents: list[int], rejects: bool) -> None:
    """Check that bucket, ledger and warehouse have the month once, and nothing else."""
    entry = entry_in_bucket(root)
    assert entry is not None
    assert cents_in_bucket(root) == cents
    assert entry["object_sha256"] == sha256_in_bucket(root)
    assert entry["rows_written"] == len(cents)
    assert in_warehouse(root) == (cents, [(entry["object_sha256"], len(cents))])
    files = files_in(root / "bucket")
    editions = {name for name in files if name.startswith("editions/")}
    assert files - editions == {OBJECT, ENTRY} | ({REJECTS} if rejects else set())
    check_editions(root / "bucket", editions, entry["history"])
    assert files_in(root / "warehouse") == {"trips.duckdb"}


def check_editions(bucket: Path, files: set[str], history: list[dict[str, Any]]) -> None:
    """Check that at most the replaced object is kept, whole; an earlier overwrite leaves none."""
    kept = [name for name in files if name.endswith(".parquet")]
    replaced = [revision["edition_before"] for revision in history[-1:]]
    assert [Path(name).stem for name in kept] in (replaced, [])
    for name in kept:
        entry = json.loads((bucket / name).with_suffix(".json").read_bytes())
        sha256 = hashlib.sha256((bucket / name).read_bytes()).hexdigest()
        assert (entry["object_key"], entry["object_sha256"]) == (name, sha256)


def test_second_of_two_runs_waits_and_finds_nothing_to_do(
    pair: Pair, tmp_path: Path, old: Path
) -> None:
    for turn in range(ROUNDS):
        root = tmp_path / f"{turn}"
        outcomes = at_once(pair, root, (old, old), (root / "scratch", root / "scratch"))
        assert [outcome.error for outcome in outcomes] == ["", ""]
        brought = sorted(outcome.result[0] for outcome in outcomes)
        loaded = sorted(outcome.result[1] for outcome in outcomes)
        assert brought == loaded == ["loaded", "unchanged"]
        check_once(root, OLD, rejects=True)
        assert files_in(root / "scratch") == set()


def test_runs_that_share_only_the_bucket_leave_the_month_once(
    pair: Pair, tmp_path: Path, old: Path
) -> None:
    """As on two machines, they share no scratch folder, and so no lock."""
    for turn in range(ROUNDS):
        root = tmp_path / f"{turn}"
        outcomes = at_once(pair, root, (old, old), (root / "scratch-1", root / "scratch-2"))
        assert [outcome.error for outcome in outcomes] == ["", ""]
        assert "loaded" in [outcome.result[0] for outcome in outcomes]
        assert "loaded" in [outcome.result[1] for outcome in outcomes]
        check_once(root, OLD, rejects=True)
        assert files_in(root / "scratch-1") | files_in(root / "scratch-2") == set()


def test_older_file_beside_the_newer_one_is_settled_by_the_next_run(
    pair: Pair, tmp_path: Path, old: Path, new: Path
) -> None:
    for turn in range(ROUNDS):
        root = tmp_path / f"{turn}"
        outcomes = at_once(pair, root, (old, new), (root / "scratch-1", root / "scratch-2"))
        for outcome in outcomes:
            assert outcome.error == "" or outcome.error.startswith("Conflict: ")
        entry = entry_in_bucket(root)
        assert entry is not None
        assert cents_in_bucket(root) in (OLD, NEW)
        if entry["object_sha256"] != sha256_in_bucket(root):
            plan = plan_month(MONTH, str(new), FolderBucket(root / "bucket"))
            assert plan.status is Status.CHANGED
        assert pair[0].run(root, new).error == ""
        check_once(root, NEW, rejects=False)
        assert pair[0].run(root, new).result == ["unchanged", "unchanged"]


class Interrupted(FolderBucket):
    """Another run loads its file between this run's uploads of the object and of its entry."""

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Upload the object, then let the other run finish."""
        info = super().upload(path, key)
        source = self.folder.parent / "other" / "yellow.csv.gz"
        if key == OBJECT and source.exists():
            other = source.rename(source.with_suffix(".taken"))
            bring(other, FolderBucket(self.folder))
        return info


def test_run_that_was_overtaken_between_object_and_entry_plans_again(
    tmp_path: Path, new: Path
) -> None:
    """The other run's file is in the bucket; the run that ends last decides the month."""
    publish(tmp_path / "other" / "yellow.csv.gz", OLD, bad=1)
    bucket = Interrupted(tmp_path / "bucket")
    assert bring(new, bucket) == "loaded"
    assert load(bucket, warehouse_of(tmp_path)) == "loaded"
    check_once(tmp_path, NEW, rejects=False)


class Overwritten(FolderBucket):
    """Puts an object right after another run has put its object and entry, then ends."""

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Let the other run finish, then upload the object and end."""
        if key == OBJECT:
            bring(self.folder.parent / "new" / "yellow.csv.gz", FolderBucket(self.folder))
            super().upload(path, key)
            raise KeyboardInterrupt
        return super().upload(path, key)


def test_object_of_a_run_that_ended_before_its_entry_is_noticed_and_replaced(
    tmp_path: Path, old: Path, new: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        bring(old, Overwritten(tmp_path / "bucket"))
    bucket = FolderBucket(tmp_path / "bucket")
    assert cents_in_bucket(tmp_path) == OLD
    with pytest.raises(Conflict):
        fetch_object(bucket, MONTH, kept_entry(bucket, MONTH), tmp_path)
    plan = plan_month(MONTH, str(new), bucket)
    assert plan.status is Status.CHANGED
    assert plan.reason == "the object in the bucket is not the one in the ledger"
    assert bring(new, bucket) == "loaded"
    assert load(bucket, warehouse_of(tmp_path)) == "loaded"
    check_once(tmp_path, NEW, rejects=False)
