"""A month killed at any step is the old or the new one, and is whole after the next run."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.errors import Conflict
from core.storage.bucket import FolderBucket
from fakes.forks import Forks
from fakes.one_month import (
    ENTRY,
    MONTH,
    OBJECT,
    REJECTS,
    cents_in_bucket,
    entry_in_bucket,
    files_in,
    in_warehouse,
    publish,
    run_month,
    sha256_in_bucket,
)
from monthly.plan import Status, plan_month
from monthly.warehouses.load import fetch_object, kept_entry

#: What is published first: 200 trips, and a row that is not a trip.
OLD = list(range(1_000, 1_200))
#: The corrected file: other trips, all of them valid.
NEW = list(range(5_000, 5_321))
#: What a load into a DuckDB file consists of.
LOAD = {"ATTACH", "begin", "DELETE", "INSERT", "commit", "DETACH"}
#: More steps than a month has; a walk that gets here does not end by itself.
FAR = 500


@dataclass(frozen=True)
class Walk:
    """A month that is killed repeatedly, each time from the same initial state.

    Attributes:
        folder: folder of the test.
        begin: the initial state; absent for an empty one.
        source: folder of the published file.
        old: the initial totals in bucket and warehouse, if any.
        new: the totals of the published file.
        rejects: whether the published file has rows that are not trips.
        statements: the kinds of the statements before which runs were killed.
    """

    folder: Path
    begin: Path
    source: Path
    old: list[int] | None
    new: list[int]
    rejects: bool
    statements: set[str] = field(default_factory=set)

    def step(self, forks: Forks, number: int) -> bool:
        """Kill a run before change `number`; return False if it ended earlier."""
        root = self.root(f"{number}")
        outcome = forks.run(root, self.source, kill_at=number)
        self.statements.add(outcome.statement)
        if not outcome.killed:
            assert outcome.error == ""
            self.check_whole(root)
            return False
        written = outcome.last_written
        if written and written.exists() and written.stat().st_size:
            copy = self.folder / f"{number}-copy"
            shutil.copytree(root, copy)
            _halve(written)
            self.check_after_kill(forks, root)
            copy.rename(root)  # the scratch folder's name depends on the path
        self.check_after_kill(forks, root)
        return True

    def root(self, name: str) -> Path:
        """Return a new folder in the initial state."""
        root = self.folder / name
        if self.begin.exists():
            shutil.copytree(self.begin, root)
        else:
            root.mkdir()
        return root

    def check_after_kill(self, forks: Forks, root: Path) -> None:
        """Check what a reader sees, and that the next run completes the month."""
        self.check_reader(root)
        outcome = forks.run(root, self.source)
        assert outcome.error == ""
        self.check_whole(root)
        assert forks.run(root, self.source).result == ["unchanged", "unchanged"]
        shutil.rmtree(root)

    def check_reader(self, root: Path) -> None:
        """Check that a reader between the kill and the next run sees one whole month."""
        bucket, found = cents_in_bucket(root), in_warehouse(root)
        assert bucket in (self.old, self.new)
        cents, remembered = found or (None, [])
        assert cents in (self.old, self.new)
        assert [rows for _, rows in remembered] == ([len(cents)] if cents else [])
        entry = entry_in_bucket(root)
        if entry is None:
            assert self.old is None
            return
        assert entry["rows_written"] in (len(self.old or []), len(self.new))
        if entry["object_sha256"] != sha256_in_bucket(root):
            self.check_refused(root)

    def check_refused(self, root: Path) -> None:
        """Check that an object without its entry is never loaded and is planned as work."""
        bucket = FolderBucket(root / "bucket")
        with pytest.raises(Conflict, match="is not the object that the ledger names"):
            fetch_object(bucket, MONTH, kept_entry(bucket, MONTH), self.folder)
        assert plan_month(MONTH, str(self.source), bucket).status is Status.CHANGED

    def check_whole(self, root: Path) -> None:
        """Check that the month of the published file is there exactly once, and nothing else."""
        entry = entry_in_bucket(root)
        assert entry is not None
        assert cents_in_bucket(root) == self.new
        assert entry["object_sha256"] == sha256_in_bucket(root)
        assert entry["rows_written"] == len(self.new)
        assert in_warehouse(root) == (self.new, [(entry["object_sha256"], len(self.new))])
        rejects = {REJECTS} if self.rejects else set()
        assert files_in(root / "bucket") == {OBJECT, ENTRY} | rejects | self.editions(root)
        assert files_in(root / "scratch") == set()
        # The log is a part of the database: it stays until the next load if the kill came
        # between the commit and the end.
        assert files_in(root / "warehouse") - {"trips.duckdb.wal"} == {"trips.duckdb"}

    def editions(self, root: Path) -> set[str]:
        """Return the files of the old month's edition, after a check that it has its rows."""
        if self.old is None:
            return set()
        folder = Path("editions", "yellow", "yellow_tripdata_2021-01")
        sha256 = hashlib.sha256((self.begin / "bucket" / OBJECT).read_bytes()).hexdigest()
        name = f"{folder.as_posix()}/{sha256[:12]}"
        kept = root / "bucket" / f"{name}.parquet"
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == sha256
        entry = entry_in_bucket(root)
        assert entry is not None
        (revision,) = entry["history"]
        assert revision["edition_before"] == sha256[:12]
        assert revision["edition_after"] == sha256_in_bucket(root)[:12]
        rows = [revision[f"rows_{each}"] for each in ("added", "removed", "unchanged")]
        assert rows == [len(self.new), len(self.old), 0]
        return {f"{name}.{kind}" for kind in ("parquet", "rejects.csv", "json")}


@pytest.fixture
def walk_all(tmp_path: Path) -> Iterator[Callable[[Walk], int]]:
    """Kill at step 1, 2, 3 and so on until a run completes; return the number of kills."""
    with Forks() as odd, Forks() as even, ThreadPoolExecutor(2) as pool:

        def side(walk: Walk, forks: Forks, first: int) -> int:
            return next(n for n in range(first, FAR, 2) if not walk.step(forks, n))

        def walk_all(walk: Walk) -> int:
            ends = [pool.submit(side, walk, odd, 1), pool.submit(side, walk, even, 2)]
            return min(end.result() for end in ends) - 1

        yield walk_all


@pytest.mark.slow
def test_new_month_survives_a_kill_at_every_step(
    tmp_path: Path, walk_all: Callable[[Walk], int]
) -> None:
    source = tmp_path / "published" / "yellow.csv.gz"
    publish(source, NEW, bad=1)
    walk = Walk(tmp_path, tmp_path / "nothing", source, None, NEW, True)
    assert walk_all(walk) > 40  # every file of scratch, bucket and warehouse, and every statement
    assert walk.statements >= LOAD | {"CREATE"}


@pytest.mark.slow
def test_corrected_month_survives_a_kill_at_every_step(
    tmp_path: Path, walk_all: Callable[[Walk], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, begin = tmp_path / "published" / "yellow.csv.gz", tmp_path / "begin"
    monkeypatch.setenv("TRIPS_SCRATCH", str(begin / "scratch"))
    publish(source, OLD, bad=1)
    assert run_month(begin, source) == ["loaded", "loaded"]
    publish(source, NEW)
    walk = Walk(tmp_path, begin, source, OLD, NEW, False)
    assert walk_all(walk) > 40
    assert walk.statements >= LOAD


def _halve(path: Path) -> None:
    """Truncate a file to half, as a kill during a write does."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
