"""The retry policy of tasks: only transient errors are retried."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from core.errors import Busy, Unavailable, Unreachable

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
