"""Concurrent tasks, with a result for each month even if it failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from prefect import Task
from prefect.futures import PrefectFuture

from engines.start_limit import start_limit
from monthly.month import Month
from monthly.result import failed_month
from orchestration.flow_results import error_of

Job = tuple[Month, Task[..., Any], tuple[Any, ...]]


def side_by_side(
    jobs: Iterable[Job], width: int, tell: Callable[[Any], None] = lambda result: None
) -> list[Any]:
    """Run tasks and return their results; a failed month gives a failed `MonthResult`.

    Args:
        jobs: the tasks.
        width: maximum number of tasks at a time.
        tell: called with each result, in the order of the jobs.
    """
    results: list[Any] = []
    running: deque[tuple[Month, PrefectFuture[Any, Any]]] = deque()

    def take() -> None:
        results.append(_result(*running.popleft()))
        tell(results[-1])

    limit = start_limit()
    for month, job, arguments in jobs:
        if len(running) == width:
            take()
        limit.wait()
        running.append((month, job.submit(*arguments)))
    while running:
        take()
    return results


def _result(month: Month, future: PrefectFuture[Any, Any]) -> Any:
    state: Any = future.wait()
    return state.result() if state.is_completed() else failed_month(month, error_of(state))
