"""Months run side by side: a free slot starts the next one, and results are told in order."""

from __future__ import annotations

import threading
from asyncio import CancelledError
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
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
    """The first one ends once the last one has started; results are still told in order."""

    def end_first(jobs: Jobs) -> None:
        if jobs.started == MONTHS:
            jobs.first.set()

    jobs, told = Jobs(end_first), list[MonthResult]()
    lines = side_by_side(jobs, width, told.append)
    assert jobs.started == [line.month for line in lines] == MONTHS
    assert told == lines


def test_a_month_is_reported_before_the_next_one_takes_its_slot() -> None:
    """Not at the end of the run: people follow its progress."""
    told, told_at_start = list[MonthResult](), list[int]()
    jobs = Jobs(lambda jobs: told_at_start.append(len(told)))
    jobs.first.set()
    side_by_side(jobs, 1, told.append)
    assert told_at_start == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("width", [1, 3])
def test_no_more_run_at_a_time_than_there_are_slots(width: int) -> None:
    """While none ends, the slots fill up, and the next month does not start."""
    full, one_more, end = threading.Event(), threading.Event(), threading.Event()

    def count(jobs: Jobs) -> None:
        if len(jobs.started) >= width:
            (full if len(jobs.started) == width else one_more).set()

    class Held(Jobs):
        def wait(self, month: Month) -> Any:
            """Wait until all may end."""
            assert end.wait(SECONDS)
            return super().wait(month)

    jobs = Held(count)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(side_by_side, jobs, width, lambda line: None)
        assert full.wait(SECONDS)
        was_too_wide = one_more.wait(0.2)
        jobs.first.set()
        end.set()
        assert [line.month for line in run.result()] == MONTHS
    assert not was_too_wide
    assert jobs.most == width


@pytest.mark.parametrize("error", [ConnectionError, CancelledError])
def test_an_error_while_a_month_is_awaited_frees_its_slot_and_reaches_the_run(
    error: type[BaseException],
) -> None:
    """A thread waits for the month, too; if it kept the slot, the run would wait forever."""
    raised: Queue[BaseException] = Queue()

    class Broken(Jobs):
        def wait(self, month: Month) -> Any:
            """Fail."""
            raise error(f"{month} is out of sight")

    def run() -> None:
        try:
            side_by_side(Broken(), 1, lambda line: None)
        except error as found:
            raised.put(found)

    threading.Thread(target=run, daemon=True).start()
    assert str(raised.get(timeout=SECONDS)) == f"{MONTHS[0]} is out of sight"


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
