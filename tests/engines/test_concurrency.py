"""Months run side by side: a free slot starts the next one, and results are told in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import flow, task
from prefect.states import Completed

from engines import concurrency
from monthly.month import Month
from monthly.result import MonthResult, Outcome

MONTHS = [Month("green", 2020, number) for number in range(1, 8)]
SECONDS = 60.0


class Jobs:
    """Tasks that end at once, except for the first one, which waits for an event.

    Attributes:
        first: lets the first one end.
        started: the months that have started.
        most: the most that ran at the same time.
    """

    def __init__(self, when_started: Callable[[Jobs], None] = lambda jobs: None) -> None:
        self.first, self.started, self.most = threading.Event(), list[Month](), 0
        self._when_started, self._lock, self._ended = when_started, threading.Lock(), set[Month]()

    def submit(self, month: Month) -> Any:
        """Start a month, and return its future."""
        with self._lock:
            self.started.append(month)
            self.most = max(self.most, len(self.started) - len(self._ended))
        self._when_started(self)
        return SimpleNamespace(wait=lambda: self.wait(month))

    def wait(self, month: Month) -> Any:
        """Wait for the end of a month."""
        if month == MONTHS[0]:
            assert self.first.wait(SECONDS)
        with self._lock:
            self._ended.add(month)
        return Completed(data=MonthResult(month, Outcome.LOADED))


def side_by_side(jobs: Any, width: int | None, tell: Callable[[Any], None]) -> list[MonthResult]:
    found: list[MonthResult] = concurrency.side_by_side(
        [(month, jobs, (month,)) for month in MONTHS], width, tell
    )
    return found


@pytest.mark.parametrize("width", [2, 3, None])
def test_the_others_run_while_the_first_one_still_does(width: int | None) -> None:
    """The first one ends once the last one has started; no more run at a time than there are slots.

    The results are told in the order of the months all the same.
    """

    def end_first(jobs: Jobs) -> None:
        if jobs.started == MONTHS:
            jobs.first.set()

    jobs, told = Jobs(end_first), list[MonthResult]()
    lines = side_by_side(jobs, width, told.append)
    assert jobs.started == [line.month for line in lines] == MONTHS
    assert told == lines
    assert jobs.most <= (width or len(MONTHS))


def test_one_slot_runs_one_after_another() -> None:
    jobs = Jobs(lambda jobs: jobs.first.set())
    side_by_side(jobs, 1, lambda line: None)
    assert jobs.most == 1


def test_results_that_wait_for_an_older_one_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit, the run itself waits for the first one, which only then ends."""
    monkeypatch.setattr(concurrency, "AHEAD", 4)
    started: list[int] = []

    class Limited(Jobs):
        def wait(self, month: Month) -> Any:
            """Let the first one end once the thread of the run waits for it."""
            if month == MONTHS[0] and threading.current_thread() is threading.main_thread():
                started.append(len(self.started))
                self.first.set()
            return super().wait(month)

    lines = side_by_side(Limited(), 2, lambda line: None)
    assert [line.month for line in lines] == MONTHS
    assert started == [4]


@pytest.mark.flow
def test_prefects_own_tasks_do_too(prefect_server: None) -> None:
    """One task waits until all others have run, in the two slots of a flow."""
    left = threading.Semaphore(0)

    @task
    def run(month: Month) -> MonthResult:
        """Run a month; the first one ends last."""
        if month == MONTHS[0]:
            assert all(left.acquire(timeout=SECONDS) for _ in MONTHS[1:])
        else:
            left.release()
        return MonthResult(month, Outcome.LOADED)

    @flow
    def run_all() -> list[MonthResult]:
        """Run all months."""
        return side_by_side(run, 2, lambda line: None)

    assert [(line.month, line.status) for line in run_all()] == [(m, "loaded") for m in MONTHS]
