"""Each harm is named, repaired, and gone afterwards, in each kind of bucket and warehouse."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import StorageError
from fakes import stacks
from fakes.postgres import new_database
from fakes.stacks import OCTOBER, Stack
from monthly.figures import Figures
from monthly.warehouses.load import kept_entry

STACKS = ("local", "s3", "google")


@pytest.fixture(scope="module", params=STACKS)
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Yield two intact months in bucket and warehouse; each test leaves them intact."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        yield opened.enter_context(_opened(request, opened, folder)).fill()


def _opened(request: pytest.FixtureRequest, opened: ExitStack, folder: Path) -> Any:
    if request.param == "local":
        return stacks.local(folder)
    if request.param == "s3":
        server = request.getfixturevalue("postgres_server")
        database = opened.enter_context(new_database(server[0], server[1], "verified"))
        return stacks.s3_and_postgres(folder, request.getfixturevalue("s3"), database)
    from fakes.google import Google

    google = opened.enter_context(Google())
    variables = opened.enter_context(pytest.MonkeyPatch.context())
    for name, value in google.environment().items():
        variables.setenv(name, value)
    google.storage.make("taxi")
    return stacks.of_google(folder, google)


#: What harms October, the fault that verify names, and what the plan says, if it can see it.
HARM: list[tuple[Callable[[Stack], None], str, str]] = [
    (stacks.object_deleted, "OBJECT_MISSING", "CHANGED"),
    (stacks.object_truncated, "OBJECT_DAMAGED", "CHANGED"),
    (stacks.object_flipped, "OBJECT_DAMAGED", ""),
    (stacks.object_of_november, "OBJECT_OF_ANOTHER", "CHANGED"),
    (stacks.entry_deleted, "ENTRY_MISSING", "NEW"),
    (stacks.entry_emptied, "ENTRY_GARBLED", "refused"),
    (stacks.entry_of_november, "ENTRY_OF_ANOTHER", "refused"),
    (stacks.entry_of_older_object, "ENTRY_WRONG", "CHANGED"),
    (stacks.entry_of_edition, "ENTRY_WRONG", "refused"),
    (stacks.entry_of_older_declaration, "OUTDATED", "CHANGED"),
    (stacks.entry_with_other_counts, "ENTRY_WRONG", ""),
    (stacks.report_deleted, "REPORT_MISSING", ""),
    (stacks.rejects_deleted, "REJECTS_MISSING", ""),
    (stacks.rejects_cut, "REJECTS_WRONG", ""),
    (stacks.rows_deleted, "ROW_COUNT", "CHANGED"),
    (stacks.rows_doubled, "ROW_COUNT", "CHANGED"),
    (stacks.value_changed, "VALUES", ""),
    (stacks.ledger_row_deleted, "LEDGER_ROW_MISSING", "NEW"),
]


@pytest.mark.parametrize(("harm", "kind", "plan"), HARM, ids=[h[0].__name__ for h in HARM])
def test_a_harm_is_named_healed_and_gone(
    stack: Stack, harm: Callable[[Stack], None], kind: str, plan: str
) -> None:
    harm(stack)
    assert planned(stack) == plan or not plan
    assert stack.faults() == [("2020-10", kind)]
    assert stack.repair() == [None]
    assert stack.faults() == []
    assert planned(stack) == "UNCHANGED"


def planned(stack: Stack) -> str:
    try:
        return stack.plan(OCTOBER).status.value
    except StorageError:
        return "refused"


def test_a_dropped_table_takes_both_months_with_it(stack: Stack) -> None:
    stacks.table_dropped(stack)
    assert stack.faults() == [("2020-10", "ROWS_MISSING"), ("2020-11", "ROWS_MISSING")]
    assert stack.repair() == [None, None]
    assert stack.faults() == []


def test_a_detached_partition_is_a_missing_month(stack: Stack) -> None:
    """Only PostgreSQL has partitions to detach."""
    if stack.name != "s3":
        return
    stacks.partition_detached(stack)
    assert planned(stack) == "CHANGED"
    assert stack.faults() == [("2020-10", "ROWS_MISSING")]
    assert stack.repair() == [None]
    assert stack.faults() == []


def test_several_harms_at_once_are_healed_together(stack: Stack) -> None:
    for harm in (stacks.entry_emptied, stacks.object_deleted, stacks.rows_deleted):
        harm(stack)
    kinds = ["ENTRY_GARBLED", "OBJECT_MISSING", "ROW_COUNT"]
    assert stack.faults() == [("2020-10", kind) for kind in kinds]
    assert stack.repair() == [None]
    assert stack.faults() == []


@pytest.mark.parametrize(
    ("harm", "kind"),
    [(stacks.entry_deleted, "ENTRY_MISSING"), (stacks.entry_emptied, "ENTRY_GARBLED")],
    ids=["missing", "garbled"],
)
def test_a_damaged_object_stands_in_for_no_entry(
    stack: Stack, harm: Callable[[Stack], None], kind: str
) -> None:
    """Both are named, and the month is fetched again."""
    stacks.object_truncated(stack)
    harm(stack)
    assert stack.faults() == [("2020-10", kind), ("2020-10", "OBJECT_DAMAGED")]
    assert stack.repair() == [None]
    stack.redraw(OCTOBER)
    assert stack.faults() == []


def test_a_copied_bucket_is_as_good(stack: Stack) -> None:
    """Its versions differ; its bytes are read and found equal."""
    moved = stack.moved()
    found = moved.verdicts()
    assert [(v.faults, v.is_read) for v in found] == [((), True), ((), True)] or stack.name == "s3"
    assert moved.faults() == []


def test_an_entry_without_a_copy_in_the_warehouse_is_rebuilt_from_the_object(stack: Stack) -> None:
    """Its counts, figures and quality are those that the conversion measured."""
    stack.redraw(OCTOBER)
    before = kept_entry(stack.bucket, OCTOBER)
    stack.run(f"DELETE FROM {stack.schema}loaded_months WHERE file_month = DATE '2020-10-01'")
    stacks.entry_deleted(stack)
    assert stack.faults() == [("2020-10", "ENTRY_MISSING"), ("2020-10", "LEDGER_ROW_MISSING")]
    assert stack.repair() == [None]
    after = kept_entry(stack.bucket, OCTOBER)
    kept = {name: figures for name, figures in before.columns.items() if figures.count}
    assert after.columns.keys() == kept.keys()
    assert all(is_near(figures, kept[name]) for name, figures in after.columns.items())
    unknown = ("url", "source_size", "source_sha256", "etag", "last_modified", "drift", "seconds")
    others = dict.fromkeys(("converted_at", "columns", *unknown), "")
    assert asdict(after) | others == asdict(before) | others
    assert stack.faults() == []
    plan = stack.plan(OCTOBER)
    assert (plan.status.value, plan.settled_by_content) == ("CHANGED", True)
    assert not plan.proves_unchanged(before.source_sha256)
    stack.fetch(OCTOBER, stack.source, 0.1)
    stack.reload(OCTOBER, force=True)
    stack.redraw(OCTOBER)
    assert stack.faults() == []


def test_an_object_and_an_entry_that_are_gone_come_back_from_the_known_source(
    stack: Stack,
) -> None:
    stacks.entry_deleted(stack)
    stacks.object_deleted(stack)
    assert stack.faults() == [("2020-10", "ENTRY_MISSING"), ("2020-10", "OBJECT_MISSING")]
    assert stack.repair() == [None]
    stack.redraw(OCTOBER)
    assert stack.faults() == []


def is_near(one: Figures, other: Figures) -> bool:
    """Return whether figures are equal, apart from the order in which floats were added."""
    if isinstance(one.total, float):
        return one == replace(other, total=one.total) and one.total == pytest.approx(other.total)
    return one == other
