"""A month's scratch folder belongs to one run, and is removed when that run ends."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

from core import scratch
from core.errors import BadFile, Busy, StorageError, Unreachable
from core.scratch import scratch_folder, subfolder, sweep_scratch
from monthly.month import Month

MONTH = Month("yellow", 2021, 1)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "not" / "there"
    monkeypatch.setenv("TRIPS_SCRATCH", str(root))
    return root


def left_in(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.suffix != ".lock"]


def run(error: BaseException | None = None, vanishes: bool = False) -> None:
    """Run with a scratch folder that gets a file or vanishes; end with an error or none."""
    with scratch_folder(MONTH, "a") as folder:
        (folder / "part").write_bytes(b"x")
        if vanishes:
            shutil.rmtree(folder)
        if error:
            raise error


def lock_of(root: Path) -> Path:
    (path,) = root.glob("*.lock")
    return path


def test_folder_is_there_for_the_run_and_gone_after_it(root: Path) -> None:
    with scratch_folder(MONTH, "a") as folder:
        assert folder.parent == root
        (subfolder(folder, "published") / "file").write_bytes(b"x")
        assert subfolder(folder, "published").is_dir()
    assert left_in(root) == []


@pytest.mark.parametrize("empty", [False, True])
def test_folder_is_in_the_systems_temporary_folder_by_default(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if empty:
        monkeypatch.setenv("TRIPS_SCRATCH", "")
    else:
        monkeypatch.delenv("TRIPS_SCRATCH")
    with scratch_folder(MONTH, "a") as folder:
        assert folder.parent == tmp_path / f"trips-scratch-{os.getuid()}"
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert not root.exists()


@pytest.mark.parametrize("is_link", [False, True], ids=["folder", "link"])
def test_a_default_folder_that_another_user_made_first_is_not_used(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_link: bool
) -> None:
    """Its owner could exchange the files of a run, and a link would lead the run elsewhere."""
    monkeypatch.delenv("TRIPS_SCRATCH")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    me, theirs, here = os.getuid(), tmp_path / "theirs", tmp_path / f"trips-scratch-{os.getuid()}"
    theirs.mkdir()
    here.symlink_to(theirs) if is_link else here.mkdir()
    monkeypatch.setattr(scratch, "this_user", lambda: str(me))
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with pytest.raises(StorageError, match=rf"{here} belongs to another user, .*TRIPS_SCRATCH"):
        run()
    with pytest.raises(StorageError, match="belongs to another user"):
        sweep_scratch()
    assert [*theirs.iterdir()] == []
    monkeypatch.setenv("TRIPS_SCRATCH", str(here))  # named on purpose, it may be shared
    run()


def test_months_and_purposes_have_folders_of_their_own(root: Path) -> None:
    with (
        scratch_folder(MONTH, "a") as one,
        scratch_folder(MONTH, "b") as other,
        scratch_folder(Month("yellow", 2021, 2), "a") as later,
    ):
        assert len({one, other, later}) == 3


@pytest.mark.parametrize("error", [BadFile("no"), KeyboardInterrupt()])
def test_failed_run_leaves_nothing(root: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        run(error)
    assert left_in(root) == []


def test_broken_download_is_found_by_the_next_run(root: Path) -> None:
    with pytest.raises(Unreachable):
        run(Unreachable("later"))
    with scratch_folder(MONTH, "a") as folder:
        assert (folder / "part").read_bytes() == b"x"
    assert left_in(root) == []


def test_error_of_the_run_is_reported_although_the_folder_vanished(root: Path) -> None:
    with pytest.raises(BadFile):
        run(BadFile("no"), vanishes=True)


def test_second_run_goes_on_when_the_first_has_ended(root: Path) -> None:
    """tests/core/test_waiting.py has the messages meanwhile."""
    order: list[str] = []

    def second() -> None:
        with scratch_folder(MONTH, "a"):
            order.append("second")

    thread = threading.Thread(target=second)
    with scratch_folder(MONTH, "a"):
        thread.start()
        thread.join(0.2)  # without a lock, it would end at once
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_run_that_waits_too_long_names_what_it_waits_for(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    monkeypatch.setattr(scratch, "WAIT_SECONDS", 0.01)
    code = (
        "import sys, filelock\n"
        "with filelock.FileLock(sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock_of(root))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline()
        with (
            pytest.raises(Busy, match=r"yellow 2021-01: .* for 0\.01 s; end it") as caught,
            scratch_folder(MONTH, "a"),
        ):
            pytest.fail("it has the folder of another run")
        assert str(lock_of(root)) in str(caught.value)
        other.communicate()
    with scratch_folder(MONTH, "a"):
        pass


@pytest.mark.parametrize("error", [BadFile("no"), Unreachable("later"), None])
def test_lock_is_free_after_every_end(root: Path, error: Exception | None) -> None:
    with suppress(BadFile, Unreachable):
        run(error)
    with FileLock(lock_of(root), timeout=0):
        pass


def test_root_that_is_not_ours_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(root))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(StorageError, match=r"yellow 2021-01 in .*Permission denied.*TRIPS_SCRATCH"),
        scratch_folder(MONTH, "a"),
    ):
        pytest.fail("there is no such folder")


def test_what_killed_runs_left_is_swept_but_for_downloads_and_runs_that_go_on(
    scratch: Path,
) -> None:
    """Converted files are removed; half a download stays, and so does another run's folder."""
    converted = ["green_tripdata_2020-10-aaaaaaaa/converted/a.part", "prices_2020-10-cccccccc/a"]
    parts = ["green_tripdata_2020-11-bbbbbbbb/published/green.csv.gz.part", "covid-dddddddd/a.part"]
    others = ["notes/a", "another-program-with-no-lock-aaaaaaaa/a"]
    for name in (*converted, *parts, *others):
        (scratch / name).parent.mkdir(parents=True)
        (scratch / name).write_bytes(b"half")
    for name in (*converted, *parts, "notes/a"):
        (scratch / f"{Path(name).parts[0]}.lock").touch()
    with scratch_folder(Month("green", 2020, 12), "at work") as folder:
        sweep_scratch()
        assert folder.exists()
    folders = {path.name for path in scratch.iterdir() if path.is_dir()}
    assert folders == {Path(name).parts[0] for name in (*parts, *others)}
    assert {(scratch / name).read_bytes() for name in parts} == {b"half"}
