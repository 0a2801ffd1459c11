"""The retry policies: for tasks after transient errors, for a month after a conflict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from prefect import get_run_logger
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from core.errors import Busy, Conflict, Unavailable, Unreachable

T = TypeVar("T")

PASSING = (Unreachable, Busy, Unavailable)


def can_pass(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Return whether a retry of a failed task may succeed; Prefect passes arguments by name."""
    return isinstance(state.result(raise_on_failure=False), PASSING)


#: For tasks that use a network: retries after about 2, 4 and 8 s, with jitter so that months
#: that failed together are not retried together.
RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": can_pass,
}


def planned_again(run: Callable[[], T], again: Callable[[], T] | None = None) -> T:
    """Run; if another run changed the month in the meantime, plan and run once more.

    Args:
        run: plans and runs, or runs as planned before.
        again: plans and runs; `run` if None.
    """
    try:
        return run()
    except Conflict as conflict:
        get_run_logger().info("%s; planning again", conflict)
        return (again or run)()
