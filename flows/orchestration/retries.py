"""What the flows try again: only what can pass by itself."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from core.errors import Busy, Unavailable, Unreachable

PASSING = (Unreachable, Busy, Unavailable)


def can_pass(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed task may succeed by itself; Prefect calls it by these names."""
    return isinstance(state.result(raise_on_failure=False), PASSING)


#: For a task that reaches over a network: about 2, 4 and 8 s later, spread so that many
#: months that failed together do not come back together.
RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": can_pass,
}
