"""An audit that uses none of the project's code agrees with verify after random histories."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from core.storage.bucket import FolderBucket
from fakes import stacks
from fakes.duckdb_files import attached
from fakes.stacks import NOVEMBER, OCTOBER, Stack
from monthly.month import Month
from monthly.warehouses.duckdb import DuckDBFile

HISTORIES, AT_A_TIME = 200, 50
HARM: list[Callable[[Stack], None]] = [
    stacks.object_deleted,
    stacks.object_truncated,
    stacks.object_flipped,
    stacks.object_of_november,
    stacks.entry_deleted,
    stacks.entry_emptied,
    stacks.entry_of_november,
    stacks.entry_of_older_object,
    stacks.entry_with_other_counts,
    stacks.report_deleted,
    stacks.rejects_deleted,
    stacks.rejects_cut,
    stacks.rows_deleted,
    stacks.rows_doubled,
    stacks.value_changed,
    stacks.table_dropped,
    stacks.ledger_row_deleted,
]


# ---- the audit: JSON, hashlib, pyarrow and SQL alone


def audit(root: Path, month: str) -> set[str]:
    """Return the faults of a month of green: entry, object, rejects, report, warehouse."""
    bucket, name = root / "bucket", f"green_tripdata_{month}"
    try:
        entry = json.loads((bucket / f"ledger/green/{name}.json").read_bytes())
    except (OSError, ValueError):
        return {"entry"}
    if entry["year_month"] != month:
        return {"entry"}
    wrong = set(_beside(bucket, entry))
    path = bucket / f"data/green/{name}.parquet"
    if not path.exists() or _sha256(path) != entry["object_sha256"]:
        return wrong | {"object"}
    if not _is_counted(pq.read_table(path), entry, month):
        wrong.add("entry")
    return wrong | ({"warehouse"} if not _is_loaded(root, path, entry, month) else set())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _beside(bucket: Path, entry: dict[str, Any]) -> Iterator[str]:
    if entry["rejects_key"]:
        path = bucket / entry["rejects_key"]
        text = path.read_bytes().decode() if path.exists() else ""
        lines = list(csv.reader(io.StringIO(text, newline="")))
        if len(lines) - 1 != entry["rows_rejected"]:
            yield "rejects"
    if entry["report_key"] and not (bucket / entry["report_key"]).exists():
        yield "report"


def _is_counted(table: Any, entry: dict[str, Any], month: str) -> bool:
    days = {str(day) for day in table["file_month"].to_pylist()}
    whole = entry["rows_written"] + entry["rows_rejected"]
    return (
        days == {f"{month}-01"}
        and table.num_rows == entry["rows_written"]
        and entry["rows_read"] == whole
    )


def _is_loaded(root: Path, path: Path, entry: dict[str, Any], month: str) -> bool:
    """Return whether the warehouse has exactly the object's rows, and records them."""
    day = f"DATE '{month}-01'"
    with attached(root / "trips.duckdb", read_only=True) as db:
        remembered = db.execute(
            "SELECT object_sha256, rows FROM loaded_months "
            f"WHERE dataset = 'green' AND file_month = {day}"
        ).fetchall()
        if remembered != [(entry["object_sha256"], entry["rows_written"])]:
            return False
        if ("green_trips",) not in db.execute("SHOW TABLES").fetchall():
            return False
        table = f"SELECT * FROM green_trips WHERE file_month = {day}"
        file = f"SELECT * FROM read_parquet('{path}')"
        # With equal counts, the two are equal if one of them lacks no row of the other.
        counts = db.execute(
            f"SELECT (SELECT count(*) FROM ({table})), (SELECT count(*) FROM ({file})), "
            f"(SELECT count(*) FROM ({table} EXCEPT ALL {file}))"
        ).fetchone()
        return counts == (entry["rows_written"], entry["rows_written"], 0)


# ---- histories


class Killed(BaseException):
    """Ends a load at a random effect; nothing may catch it."""


class Effects:
    """Counts the effects of a load, and ends it before one of them."""

    left = 0

    def count(self) -> None:
        """Count an effect that is about to happen."""
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture
def effects(monkeypatch: pytest.MonkeyPatch) -> Effects:
    """Count uploads, writes and removals in the folder, and the transaction of the DuckDB file."""
    counted = Effects()

    def before(work: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any) -> Any:
            counted.count()
            return work(*arguments)

        return counting

    for name in ("upload", "write", "delete"):
        monkeypatch.setattr(FolderBucket, name, before(getattr(FolderBucket, name)))
    monkeypatch.setattr(DuckDBFile, "load", before(DuckDBFile.load))
    return counted


class Lenient(Stack):
    """A stack that accepts rejects even in a month whose record of them is lost."""

    def fetch(
        self, month: Month, source: str, max_reject_share: float | None, *options: Any
    ) -> None:
        """Fetch, and accept rejects of up to a fifth of the rows."""
        super().fetch(month, source, max_reject_share or 0.2, *options)


def happen(stack: Stack, chance: random.Random, effects: Effects) -> str:
    """Let one event happen to October or to both months; return its name."""
    what = chance.choice(["load", "correct", "kill", "harm", "harm", "repair"])
    if what == "harm":
        return befall(stack, chance.choice(HARM))
    if what == "correct":
        stack.publish(OCTOBER, chance.randrange(10, 30))
    effects.left = chance.randrange(1, 9) if what == "kill" else 0
    try:
        if what == "repair":
            stack.repair()
        else:
            load(stack, OCTOBER)
    except Killed:
        pass
    effects.left = 0
    return what


def befall(stack: Stack, harm: Callable[[Stack], None]) -> str:
    """Do a harm; return its name."""
    try:
        harm(stack)
    except (AssertionError, duckdb.Error, ValueError, KeyError, TypeError):
        return "nothing to harm"  # earlier harm took it away
    return harm.__name__


def load(stack: Stack, month: Month) -> None:
    """Load as the parent flow does."""
    stack.fetch(month, stack.source, 0.2)
    stack.reload(month, force=False)
    stack.redraw(month)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, HISTORIES, AT_A_TIME))
def test_verify_and_an_independent_audit_agree_after_random_histories(
    tmp_path: Path, effects: Effects, first: int
) -> None:
    """They agree on each month's faults in every history, and after each repair."""
    begin = tmp_path / "begin"
    begin.mkdir()
    with stacks.local(begin) as stack:
        for month in (OCTOBER, NOVEMBER):
            stack.publish(month, 12)
            load(stack, month)
    seen: set[str] = set()
    for seed in range(first, first + AT_A_TIME):
        root, chance = tmp_path / f"{seed}", random.Random(seed)
        shutil.copytree(begin, root)
        with stacks.local(root) as opened:
            stack = Lenient(**vars(opened))
            story = [happen(stack, chance, effects) for _ in range(chance.randrange(4))]
            story.append(befall(stack, HARM[seed % len(HARM)]))
            seen.update(story)
            check(stack, story)
            stack.repair(stack.source)
            assert check(stack, [*story, "repaired"]) == set()
        shutil.rmtree(root)
    assert seen >= {harm.__name__ for harm in HARM} | {"load", "correct", "kill", "repair"}


def check(stack: Stack, story: list[str]) -> set[str]:
    """Check that verify and the audit find faults in the same parts; return what verify finds."""
    found = {v.month.year_month: {part(f.kind.value) for f in v.faults} for v in stack.verdicts()}
    for month in ("2020-10", "2020-11"):
        wrong, expected = found.get(month, set()), audit(stack.folder, month)
        assert bool(wrong) == bool(expected), (story, month, wrong, expected)
        if "entry" not in wrong | expected:
            assert expected <= wrong, (story, month, wrong, expected)
    return set().union(*found.values())


def part(kind: str) -> str:
    """Return the part of a month that a fault is in."""
    first = kind.partition(" ")[0]
    return first if first in ("entry", "object", "rejects", "report") else "warehouse"
