"""A repair killed anywhere leaves the old month or the new one, and two at once leave one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from fakes import stacks
from fakes.duckdb_files import attached
from fakes.forks import Forks
from fakes.stacks import ROWS, Stack
from monthly.ledger import entry_key, object_key

#: More steps than a repair has.
FAR = 300
OCTOBER = stacks.OCTOBER
Harm = Callable[[Stack], None]
#: Harms whose repairs cover all steps.
HARMS: dict[str, Sequence[Harm]] = {
    "fetch, redraw": (stacks.entry_emptied, stacks.object_flipped),
    "rewrite, reload, redraw": (
        stacks.entry_deleted,
        stacks.rows_doubled,
        stacks.report_deleted,
    ),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two intact months, which each test copies."""
    folder = tmp_path_factory.mktemp("whole")
    with stacks.local(folder) as stack:
        stack.fill()
    return folder


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Forks, Forks]]:
    module = "fakes.killed_while_repairing"
    with Forks(module) as one, Forks(module) as other:
        yield one, other


def harmed(whole: Path, folder: Path, harms: Sequence[Harm]) -> Path:
    """Return a copy with some harm."""
    shutil.copytree(whole, folder)
    with stacks.local(folder) as stack:
        for harm in harms:
            harm(stack)
    return folder


def state(root: Path) -> tuple[bytes | None, bytes | None, int]:
    """Return object, entry and warehouse rows of October, read independently."""
    paths = (root / "bucket" / key for key in (object_key(OCTOBER), entry_key(OCTOBER)))
    found = [path.read_bytes() if path.exists() else None for path in paths]
    with attached(root / "trips.duckdb", read_only=True) as db:
        count = db.execute(
            "SELECT count(*) FROM green_trips WHERE file_month = DATE '2020-10-01'"
        ).fetchone()
    assert count
    return found[0], found[1], count[0]


@pytest.mark.slow
@pytest.mark.parametrize("harms", HARMS.values(), ids=HARMS)
def test_a_repair_that_is_killed_anywhere_is_completed_by_the_next(
    whole: Path, pair: tuple[Forks, Forks], tmp_path: Path, harms: Sequence[Harm]
) -> None:
    begin = harmed(whole, tmp_path / "begin", harms)
    (old_object, old_entry, old_rows), new_object = state(begin), state(whole)[0]
    for number in range(1, FAR):
        root = tmp_path / f"{number}"
        shutil.copytree(begin, root)
        killed = pair[0].run(root, begin, kill_at=number)
        if not killed.killed:
            assert killed.result == {"failures": [], "left": []}
            break
        seen, entry, rows = state(root)
        assert seen in (old_object, new_object)
        assert rows in (old_rows, ROWS)
        if entry != old_entry:
            assert (seen, b'"rows_written": 60' in (entry or b"")) == (new_object, True)
        outcome = pair[1].run(root, begin)
        assert outcome.error == ""
        assert outcome.result == {"failures": [], "left": []}
        assert state(root)[2] == ROWS
        shutil.rmtree(root)
    assert number > 8


@pytest.mark.parametrize("harms", HARMS.values(), ids=HARMS)
def test_two_repairs_at_once_leave_one_month(
    whole: Path, pair: tuple[Forks, Forks], tmp_path: Path, harms: Sequence[Harm]
) -> None:
    """One may stop because the other was first; another run finds nothing to do."""
    root = harmed(whole, tmp_path / "root", harms)
    for forks in pair:
        forks.prepare(root, root)
    for forks in pair:
        forks.go()
    ends = [forks.outcome() for forks in pair]
    assert [] in [end.result and end.result["failures"] for end in ends]
    again = pair[0].run(root, root)
    assert again.result == {"failures": [], "left": []}
    assert state(root)[0] == state(whole)[0]
    assert state(root)[2] == ROWS
