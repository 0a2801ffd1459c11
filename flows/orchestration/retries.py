"""The retry policies: for tasks after transient errors, for a month after a conflict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from prefect import get_run_logger
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import Task, exponential_backoff

from core.errors import Busy, Conflict, Unavailable, Unreachable

T = TypeVar("T")

PASSING = (Unreachable, Busy, Unavailable)
#: End of a conflict's message; left out if the run itself plans the month again.
RUN_AGAIN = "; run again"
#: Ids of the task runs that ended in a conflict; None where nothing plans the month again.
_conflicts: ContextVar[set[str] | None] = ContextVar("_conflicts", default=None)


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
        with replanning(is_enabled=True):
            return run()
    except Conflict as conflict:
        reason = str(conflict).removesuffix(RUN_AGAIN)
        get_run_logger().info("%s; planning the month again", reason)
        return (again or run)()


@contextmanager
def replanning(*, is_enabled: bool) -> Iterator[None]:
    """Set whether a conflict within the block makes the run plan the month again."""
    before = _conflicts.set(set() if is_enabled else None)
    try:
        yield
    finally:
        _conflicts.reset(before)


def next_try(error: BaseException | None) -> str:
    """Return what happens next, such as ` (attempt 1 of 4)`; empty if no other attempt follows."""
    current, conflicts = TaskRunContext.get(), _conflicts.get()
    if current is None:
        return ""
    if isinstance(error, Conflict) and conflicts is not None:
        conflicts.add(str(current.task_run.id))
        return "; planning the month again"
    if not isinstance(error, PASSING) or current.task_run.run_count > current.task.retries:
        return ""
    return f" (attempt {current.task_run.run_count} of {current.task.retries + 1})"


def has_conflict(task_run_id: str | None) -> bool:
    """Return whether a task run ended in a conflict after which the month is planned again."""
    return task_run_id in (_conflicts.get() or ())
