"""Holding and accepting a month, killed at every step, and two runs at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.storage.bucket import FolderBucket
from fakes.forks import Forks, Outcome
from fakes.gated_month import HELD, NEW, OLD, bring, state_of
from fakes.one_month import cents_in_bucket, entry_in_bucket, files_in, sha256_in_bucket

Step = Callable[[Path, Forks, int], bool]


def objects_of(bucket: FolderBucket) -> dict[str, bytes]:
    """Return every object except those set aside; leftovers of a killed run are not objects."""
    return {key: data for key, data in state_of(bucket).items() if ".partial" not in key}


#: More steps than holding or accepting a month has.
FAR = 500


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Forks, Forks]]:
    with Forks("fakes.gated_month") as one, Forks("fakes.gated_month") as other:
        yield one, other


@pytest.fixture
def walk_all(tmp_path: Path, pair: tuple[Forks, Forks]) -> Iterator[Callable[[Step], int]]:
    """Kill at step 1, 2, 3 and so on from the same state until a run ends; return the kills."""

    def side(first: int, forks: Forks, step: Step) -> int:
        for number in range(first, FAR, 2):
            root = tmp_path / "walk" / f"{number}"
            shutil.copytree(tmp_path / "bucket", root / "bucket")
            killed = step(root, forks, number)
            shutil.rmtree(root)
            if not killed:
                return number
        raise AssertionError("it does not end")

    with ThreadPoolExecutor(2) as pool:

        def walk(step: Step) -> int:
            ends = [pool.submit(side, n, forks, step) for n, forks in enumerate(pair, 1)]
            return min(end.result() for end in ends) - 1

        yield walk


def run(root: Path, source: Path, forks: Forks, kill_at: int = 0, accept: str = "") -> Outcome:
    """Bring the month in a separate process; only changes of the bucket are counted."""
    scratch = root.with_name(f"{root.name}-scratch")
    forks.prepare(root, source, scratch, kill_at=kill_at, more={"accept": accept})
    forks.go()
    return forks.outcome()


@pytest.mark.slow
def test_killed_anywhere_while_it_is_held_the_month_is_as_before_and_held_by_the_next_run(
    bucket: FolderBucket, source: Path, walk_all: Callable[[Step], int]
) -> None:
    before = objects_of(bucket)

    def step(root: Path, forks: Forks, number: int) -> bool:
        outcome = run(root, source, forks, number)
        here = FolderBucket(root / "bucket")
        assert objects_of(here) == before
        assert run(root, source, forks).result in ("held", "still held")
        assert objects_of(here) == before
        assert files_in(here.folder) - before.keys() == HELD
        return outcome.killed

    assert walk_all(step) > 10


@pytest.mark.slow
def test_killed_anywhere_while_it_is_accepted_any_later_run_completes_it(
    bucket: FolderBucket, source: Path, walk_all: Callable[[Step], int]
) -> None:
    assert bring(source, bucket) == "held"

    def step(root: Path, forks: Forks, number: int) -> bool:
        outcome = run(root, source, forks, number, accept="yes")
        entry = entry_in_bucket(root)
        assert entry is not None
        assert cents_in_bucket(root) in (OLD, NEW)
        later = run(root, source, forks)  # without accepting it again
        assert later.error == ""
        if later.result == "still held":  # it was killed before the acceptance
            assert cents_in_bucket(root) == OLD
            assert run(root, source, forks, accept="yes").result == "loaded"
        check_let_in(root)
        return outcome.killed

    assert walk_all(step) > 15


def check_let_in(root: Path) -> None:
    """Check that bucket and ledger have the new month, and that nothing is set aside."""
    entry = entry_in_bucket(root)
    assert entry is not None
    assert cents_in_bucket(root) == NEW
    assert entry["object_sha256"] == sha256_in_bucket(root)
    assert entry["rows_written"] == len(NEW)
    assert files_in(root / "bucket") & HELD == set()


def test_two_runs_that_hold_a_month_at_once_leave_one_record(
    bucket: FolderBucket, source: Path, tmp_path: Path, pair: tuple[Forks, Forks]
) -> None:
    """As on two machines, they share no scratch folder, and so no lock."""
    before = objects_of(bucket)
    one, other = pair
    for turn in range(2):
        root = tmp_path / "two" / f"{turn}"
        shutil.copytree(bucket.folder, root / "bucket")
        for forks in (one, other):
            forks.prepare(root, source, root / f"scratch-{id(forks)}", more={"accept": ""})
        for forks in (one, other):
            forks.go()
        results = {forks.outcome().result for forks in (one, other)}
        assert results in ({"held"}, {"held", "still held"})
        here = FolderBucket(root / "bucket")
        assert objects_of(here) == before
        assert run(root, source, one, accept="yes").result == "loaded"
        check_let_in(root)


def test_two_runs_that_accept_a_month_at_once_let_it_in(
    bucket: FolderBucket, source: Path, tmp_path: Path, pair: tuple[Forks, Forks]
) -> None:
    """One of them may be overtaken twice, and then reports it."""
    assert bring(source, bucket) == "held"
    one, other = pair
    for turn in range(2):
        root = tmp_path / "two" / f"{turn}"
        shutil.copytree(bucket.folder, root / "bucket")
        one.prepare(root, source, root / "scratch-1", more={"accept": "yes"})
        other.prepare(root, source, root / "scratch-2", more={"accept": "yes"})
        for forks in (one, other):
            forks.go()
        errors = sorted(forks.outcome().error for forks in (one, other))
        assert errors[0] == ""
        assert errors[1] == "" or errors[1].startswith("Conflict: ")
        run(root, source, one)
        check_let_in(root)
