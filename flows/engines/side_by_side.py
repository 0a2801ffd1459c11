"""Several tasks at a time, and the line of a month in place of its failure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from prefect import Task
from prefect.futures import PrefectFuture

import cli
from trips.months import Month
from trips.report import Line

Job = tuple[Month, Task[..., Any], tuple[Any, ...]]


def side_by_side(jobs: Iterable[Job], width: int) -> list[Any]:
    """The result of each task, at most `width` at a time; a failed month as its line."""
    results: list[Any] = []
    running: deque[tuple[Month, PrefectFuture[Any, Any]]] = deque()
    for month, job, arguments in jobs:
        if len(running) == width:
            results.append(_result(*running.popleft()))
        running.append((month, job.submit(*arguments)))
    return results + [_result(*waiting) for waiting in running]


def _result(month: Month, future: PrefectFuture[Any, Any]) -> Any:
    state: Any = future.wait()
    return state.result() if state.is_completed() else Line(month, "failed", cli.reason_of(state))
