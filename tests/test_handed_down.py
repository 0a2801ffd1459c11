"""A parent run passes plans to the runs of its months, and they open each block once."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import Unavailable
from core.storage.bucket import FolderBucket
from fakes.entries import entry_of
from fakes.web import Page, Web
from monthly.gates.judging import Finding
from monthly.gates.policy import Policy
from monthly.month import Month
from monthly.plan import Plan, Status, plan_month
from monthly.report.drawing import Drawing
from orchestration import gate_tasks
from orchestration import handed_down as handing
from orchestration.handed_down import (
    blocks_opened_once,
    drawing_apart,
    drawing_of,
    handed_down,
    kept_open,
    plan_of_parent,
)
from test_flows import trips

MONTH = Month("green", 2020, 10)
PLAN = Plan(MONTH, Status.UNCHANGED, "same ETag")


def test_a_run_finds_the_plan_that_its_parent_made_of_its_month() -> None:
    """It does not find a plan of another month, nor any plan after the block."""
    with handed_down(PLAN):
        assert plan_of_parent(MONTH) is PLAN
        assert plan_of_parent(Month("green", 2020, 11)) is None
    assert plan_of_parent(MONTH) is None


def test_a_month_that_only_the_warehouse_lacks_stays_unchanged_in_the_bucket() -> None:
    due = replace(PLAN, status=Status.NEW, bucket_plan=PLAN)
    with handed_down(due):
        assert plan_of_parent(MONTH) is PLAN


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
def test_a_month_is_planned_again_if_another_run_has_loaded_it_since(place: Path) -> None:
    """Runs that start together and wait for each other download a month once."""
    from etl_web_to_gcs import etl_web_to_gcs

    run: Any = etl_web_to_gcs
    with Web() as web:
        page = Page(trips("2020-10", ["1", "2"]).encode(), etag='"one"')
        source = web.serve("/green_2020-10.csv", page).replace("2020-10", "{year_month}")
        options = {"color": "green", "year": 2020, "month": 10, "source": source}
        with handed_down(plan_month(MONTH, source, FolderBucket(place / "bucket"))):
            states = [run(**options, return_state=True) for _ in range(2)]
        assert [state.name for state in states] == ["Completed", "Skipped"]
        assert [request.method for request in web.requests].count("GET") == 1


def test_a_block_is_opened_once_in_each_run() -> None:
    names = iter(range(10))
    with blocks_opened_once():
        assert [kept_open("a", names.__next__) for _ in range(3)] == [0, 0, 0]
        assert kept_open("b", names.__next__) == 1
    assert [kept_open("a", names.__next__) for _ in range(2)] == [2, 3]


def test_a_load_takes_one_task_for_a_month_that_its_parent_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a parent, a separate task looks the month up."""
    import etl_gcs_to_bq as loading

    taken: list[str] = []
    planned = loading.Planned(entry_of(MONTH), is_loaded=False, has_report=False)
    answers = {
        "plan": planned,
        "extract": "object",
        "extract_planned": (planned, "object"),
    }

    def answer_of(name: str) -> Any:
        def answer(*_: object) -> Any:
            taken.append(name)
            return answers[name]

        return answer

    for name in answers:
        monkeypatch.setattr(loading, name, answer_of(name))
    look_up: Any = loading._extracted
    assert look_up(MONTH, None, None, None, False) == (planned, "object")
    with handed_down(PLAN):
        assert look_up(MONTH, None, None, None, False) == (planned, "object")
    assert taken == ["plan", "extract", "extract_planned"]


class FakeDrawer:
    """A drawing process that gives the same answer for each month."""

    def __init__(self, answer: Drawing | None) -> None:
        self.answer, self.is_closed = answer, False

    def draw(self, *_: object) -> Drawing | None:
        """Return the answer."""
        return self.answer

    def close(self) -> None:
        """Note that the run has closed it."""
        self.is_closed = True


HERE, APART = Drawing((), "here"), Drawing((), "apart")


@pytest.mark.parametrize(
    ("months", "answer", "drawn"),
    [
        (handing.WORTH_A_DRAWER, APART, APART),
        (handing.WORTH_A_DRAWER, None, HERE),  # the process has ended
        (handing.WORTH_A_DRAWER - 1, APART, HERE),
    ],
)
def test_many_months_are_drawn_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, months: int, answer: Drawing | None, drawn: Drawing
) -> None:
    drawer = FakeDrawer(answer)
    monkeypatch.setenv("TRIPS_THREADS", "2")
    monkeypatch.setattr(handing, "Drawer", lambda: drawer)
    monkeypatch.setattr(handing, "draw", lambda *_: HERE)
    with drawing_apart(months):
        assert drawing_of(MONTH, Path("m.parquet"), {}) is drawn
    assert drawer.is_closed is (months >= handing.WORTH_A_DRAWER)
    assert drawing_of(MONTH, Path("m.parquet"), {}) is HERE


@pytest.mark.parametrize(
    ("plan", "error", "judged"),
    [
        (None, None, ["in a task"]),
        (PLAN, None, ["in the flow"]),
        (PLAN, Unavailable("no answer"), ["in the flow", "in a task"]),
    ],
)
def test_a_month_of_a_parent_run_is_judged_without_a_task_unless_the_bucket_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, plan: Plan | None, error: Exception | None, judged: list[str]
) -> None:
    taken: list[str] = []

    def judge(*_: object) -> list[Finding]:
        taken.append("in a task")
        return []

    def without_task(*_: object) -> list[Finding]:
        taken.append("in the flow")
        if error:
            raise error
        return []

    judge.fn = without_task  # type: ignore[attr-defined] # as Prefect's tasks have it
    monkeypatch.setattr(gate_tasks, "judge", judge)
    bucket: Any = None
    entry: Any = None
    with handed_down(plan) if plan else nullcontext():
        assert gate_tasks._judged(MONTH, entry, None, bucket, Policy()) == []
    assert taken == judged
