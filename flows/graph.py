"""The tasks of a flow and what each waits for, drawn without running any of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphviz
from prefect import Flow, Task, unmapped
from prefect.utilities.visualization import (
    TaskVizTracker,
    TaskVizTrackerState,
    build_task_dependencies,
)

from trips.disk import room_for
from trips.errors import UsageError

_FORMATS = ("svg", "png", "pdf")


def draw(flow: Flow[..., Any], path: Path) -> None:
    """Draw a flow whose body does nothing but submit tasks; the tasks are not run.

    Args:
        flow: which; its defaults will do for parameters.
        path: where to; its ending is the format.

    Raises:
        UsageError: another ending, or Graphviz is not installed.
        StorageError: the file cannot be written.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _FORMATS:
        raise UsageError(f"a graph is drawn as {', '.join(_FORMATS)}, not as {path.name!r}")
    with TaskVizTracker() as tracker:
        flow.fn()
    try:
        drawn = build_task_dependencies(tracker).pipe(format=kind)
    except graphviz.ExecutableNotFound as error:
        raise UsageError(
            "a graph is drawn by Graphviz, whose program dot is not on the PATH; install it "
            "(apt install graphviz, brew install graphviz), then run again"
        ) from error
    with room_for(path.name, path.parent):
        path.write_bytes(drawn)


def is_drawn() -> bool:
    """Whether the flow is being drawn, so that tasks have no results."""
    return TaskVizTrackerState.current is not None


def mapped(task: Task[..., Any], over: Any, *arguments: Any) -> Any:
    """A task over all that another one returns; in a graph, which knows no maps, one of them."""
    if is_drawn():
        return task.submit(over, *arguments)
    same: Any = unmapped  # which its types take for a method
    return task.map(over, *(same(argument) for argument in arguments))
