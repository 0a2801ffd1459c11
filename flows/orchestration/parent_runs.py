"""The parent of a run: Prefect knows one in the same process, a tag names one in another."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Crashed

_OF = "of "


def tag_of(parent_id: object) -> str:
    """Return the tag of runs whose parent run is in another process."""
    return f"{_OF}{parent_id}"


def parent_elsewhere(run: FlowRun) -> UUID | None:
    """Return the id of the parent run in another process that a run's tag names, if any does."""
    for tag in run.tags:
        if tag.startswith(_OF):
            with suppress(ValueError):  # a tag of the user's own, such as "of interest"
                return UUID(tag.removeprefix(_OF))
    return None


def has_parent(run: FlowRun) -> bool:
    """Return whether a run has a parent run, in any process."""
    return bool(run.parent_task_run_id or parent_elsewhere(run))


def lost(message: str) -> State[Any]:
    """Return the state of a child run that cannot report its end.

    Prefect's server sends a notification for each state named Crashed; the parent's is enough.
    """
    state: State[Any] = Crashed(name="Lost", message=message)
    return state
