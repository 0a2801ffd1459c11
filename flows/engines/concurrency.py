"""Concurrent tasks, with a result for each month even if it failed."""

from __future__ import annotations

from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Event, Semaphore, Thread
from typing import Any

from prefect import Task
from prefect.futures import PrefectFuture

from engines.start_limit import start_limit
from monthly.month import Month
from monthly.result import failed_month
from orchestration.flow_results import error_of

Job = tuple[Month, Task[..., Any], tuple[Any, ...]]
#: Months that may start before an older one has ended; their results wait for it.
AHEAD = 100


def side_by_side(
    jobs: Iterable[Job], width: int | None, tell: Callable[[Any], None] = lambda result: None
) -> list[Any]:
    """Run tasks and return their results; a failed month gives a failed `MonthResult`.

    A task starts as soon as any other ends, even if an older one is still running.

    Args:
        jobs: the tasks.
        width: maximum number of tasks at a time; None to start all of them.
        tell: called with each result, in the order of the jobs.
    """
    results: list[Any] = []
    running: deque[_Running] = deque()

    def take() -> None:
        results.append(running.popleft().result())
        tell(results[-1])

    slots, limit = Semaphore(width) if width else None, start_limit()
    for month, job, arguments in jobs:
        if slots:
            slots.acquire()
            while running and (running[0].ended.is_set() or len(running) >= AHEAD):
                take()
        limit.wait()
        running.append(_Running(month, job.submit(*arguments), slots))
    while running:
        take()
    return results


class _Running:
    """A started task, which releases its slot, if any, when it ends."""

    def __init__(
        self, month: Month, future: PrefectFuture[Any, Any], slot: Semaphore | None
    ) -> None:
        self._month, self._future, self.ended = month, future, Event()
        if slot:
            # Prefect can only wait for one task, or poll its API. A daemon, so as not to outlive
            # Ctrl-C.
            Thread(target=self._watch, args=(slot,), daemon=True).start()

    def _watch(self, slot: Semaphore) -> None:
        with suppress(Exception, CancelledError):  # `result` waits too, and raises it
            self._future.wait()
        self.ended.set()
        slot.release()

    def result(self) -> Any:
        state: Any = self._future.wait()
        return (
            state.result() if state.is_completed() else failed_month(self._month, error_of(state))
        )
