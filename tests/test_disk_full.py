"""A full disk stops a month with a message that says where, and existing data stays."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import StorageError
from core.storage.bucket import FolderBucket
from fakes.one_month import (
    ENTRY,
    OBJECT,
    REJECTS,
    bring,
    cents_in_bucket,
    entry_in_bucket,
    files_in,
    in_warehouse,
    load,
    publish,
    run_month,
    sha256_in_bucket,
    warehouse_of,
)

OLD = list(range(1_000, 1_200))
#: So many different totals need much more room than the old ones.
PUBLISHED = [random.Random(n).randrange(100_000) for n in range(12_000)]
NEW = sorted(PUBLISHED)
KB = 1 << 10


class Disk:
    """A file system in memory, as large as a test wants it."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))

    def resize(self, size: int) -> None:
        """Resize it, to no less than its content."""
        _run("mount", "-o", f"remount,size={size}", str(self.folder))

    def used(self) -> int:
        """Return the bytes in use."""
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def disk() -> Iterator[Callable[[Path], Disk]]:
    """Yield a function that makes disks of one megabyte, which are removed after the test."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk to fill")
    made: list[Path] = []

    def make(folder: Path) -> Disk:
        try:
            found = Disk(folder, 1024 * KB)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no tmpfs can be mounted here: {error}")
        made.append(folder)
        return found

    yield make
    for folder in made:
        _run("umount", "--lazy", str(folder))  # a failed test may still have a file open


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "published" / "yellow.csv.gz"


@pytest.fixture
def scratch_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "scratch"
    monkeypatch.setenv("TRIPS_SCRATCH", str(root))
    return root


def check(root: Path, cents: list[int], rejects: bool, in_bucket: list[int] | None = None) -> None:
    """Check that the month is whole in warehouse and bucket, and that nothing partial is left."""
    entry = entry_in_bucket(root)
    assert entry is not None
    assert cents_in_bucket(root) == (in_bucket or cents)
    assert entry["object_sha256"] == sha256_in_bucket(root)
    found = {key for key in files_in(root / "bucket") if not key.startswith("editions/")}
    assert found == {OBJECT, ENTRY} | ({REJECTS} if rejects else set())
    assert files_in(root / "scratch") == set()
    loaded = in_warehouse(root)
    assert loaded is not None
    assert loaded[0] == cents
    assert [rows for _, rows in loaded[1]] == [len(cents)]


def fill(disk: Disk, step: int, work: Callable[[], object], check: Callable[[], None]) -> int:
    """Give the disk a little more room each time until `work` succeeds.

    Returns how often it failed, each time with a clear error and with content that passes `check`.
    """
    start = disk.used()
    for failures in range(200):
        disk.resize(start + (failures + 1) * step)
        try:
            work()
        except StorageError as error:
            said = str(error)
            assert "No space left on device" in said
            assert str(disk.folder) in said
            assert "MB are free there" in said
            assert "\n" not in said
            check()
        else:
            return failures
    raise AssertionError("it never had room enough")


def test_full_bucket_keeps_the_old_month_until_there_is_room(
    tmp_path: Path, source: Path, scratch_root: Path, disk: Callable[[Path], Disk]
) -> None:
    small = disk(tmp_path / "bucket")
    publish(source, OLD, bad=1)
    assert run_month(tmp_path, source) == ["loaded", "loaded"]
    publish(source, PUBLISHED)
    bucket = FolderBucket(small.folder)
    failures = fill(
        small, 8 * KB, lambda: bring(source, bucket), lambda: check(tmp_path, OLD, rejects=True)
    )
    assert failures > 1
    assert load(bucket, warehouse_of(tmp_path)) == "loaded"
    check(tmp_path, NEW, rejects=False)


def test_full_scratch_folder_keeps_the_old_month_until_there_is_room(
    tmp_path: Path, source: Path, scratch_root: Path, disk: Callable[[Path], Disk]
) -> None:
    """The disk is too small for the published file, then for the converted one, then for hashes."""
    publish(source, OLD, bad=1)
    assert run_month(tmp_path, source) == ["loaded", "loaded"]
    publish(source, PUBLISHED)
    for path in scratch_root.iterdir():
        path.unlink()
    scratch_root.rmdir()
    small = disk(scratch_root)
    bucket, said = FolderBucket(tmp_path / "bucket"), set[str]()

    def work() -> None:
        try:
            bring(source, bucket)
        except StorageError as error:
            said.add(str(error).split(" in ")[0])
            raise

    fill(small, 8 * KB, work, lambda: check(tmp_path, OLD, rejects=True))
    assert said == {
        "cannot keep yellow.csv.gz.part of yellow 2021-01",
        "cannot keep yellow_tripdata_2021-01.parquet of yellow 2021-01",
        "cannot keep the row hashes of yellow_tripdata_2021-01.parquet",
    }
    small.resize(small.used() + 8 * KB)
    assert fill(
        small,
        8 * KB,
        lambda: load(bucket, warehouse_of(tmp_path)),
        lambda: check(tmp_path, OLD, rejects=False, in_bucket=NEW),
    )
    check(tmp_path, NEW, rejects=False)


def test_full_disk_of_the_warehouse_keeps_its_old_month_until_there_is_room(
    tmp_path: Path, source: Path, scratch_root: Path, disk: Callable[[Path], Disk]
) -> None:
    small = disk(tmp_path / "warehouse")
    small.resize(4096 * KB)
    publish(source, OLD, bad=1)
    assert run_month(tmp_path, source) == ["loaded", "loaded"]
    publish(source, PUBLISHED)
    bucket = FolderBucket(tmp_path / "bucket")
    assert bring(source, bucket) == "loaded"
    failures = fill(
        small,
        256 * KB,
        lambda: load(bucket, warehouse_of(tmp_path)),
        lambda: check(tmp_path, OLD, rejects=False, in_bucket=NEW),
    )
    assert failures > 1
    check(tmp_path, NEW, rejects=False)


def test_full_disk_leaves_no_half_made_warehouse(
    tmp_path: Path, source: Path, scratch_root: Path, disk: Callable[[Path], Disk]
) -> None:
    small = disk(tmp_path / "warehouse")
    publish(source, OLD)
    bucket = FolderBucket(tmp_path / "bucket")
    assert bring(source, bucket) == "loaded"

    def check_nothing() -> None:
        assert warehouse_of(tmp_path).loaded("yellow") == {}
        assert files_in(small.folder) <= {"trips.duckdb", "trips.duckdb.wal"}

    assert fill(small, 4 * KB, lambda: load(bucket, warehouse_of(tmp_path)), check_nothing) > 3
    check(tmp_path, OLD, rejects=False)
