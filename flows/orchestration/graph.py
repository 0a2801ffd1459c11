"""Graphs of the tasks of a flow and their dependencies, drawn without running them."""

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

from core.disk import room_for
from core.errors import UsageError

_FORMATS = ("svg", "png", "pdf")


def draw(flow: Flow[..., Any], path: Path) -> None:
    """Draw a flow whose body only calls tasks and `mapped`, without running anything.

    Args:
        flow: the flow to draw, with the defaults of its parameters.
        path: the file to write; its suffix is the format.

    Raises:
        UsageError: the suffix is not supported, or Graphviz is not installed.
        StorageError: the file cannot be written.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _FORMATS:
        raise UsageError(f"a graph is drawn as {', '.join(_FORMATS)}, not as {path.name!r}")
    with TaskVizTracker() as tracker:  # type: ignore[no-untyped-call] # Prefect's own
        flow.fn()
    try:
        drawn = build_task_dependencies(tracker).pipe(format=kind)
    except graphviz.ExecutableNotFound as error:
        raise UsageError(
            "a graph is drawn by Graphviz, whose program dot is not on the PATH; install it "
            "(apt install graphviz, brew install graphviz), then run again"
        ) from error
    with room_for(path.name, path.parent, "the path of the drawing"):
        path.write_bytes(drawn)


def mapped(task: Task[..., Any], over: Any, *arguments: Any) -> Any:
    """Map a task over the results of another one, and return the futures, all of them done.

    A graph cannot show a map, so there it is a single task.

    Raises:
        Exception: the error of the first task that failed.
    """
    if TaskVizTrackerState.current is not None:
        return task(over, *arguments)
    same: Any = unmapped  # its type hints treat it as a method
    futures = task.map(over, *(same(argument) for argument in arguments))
    for future in futures:
        future.result()  # raises the error of this task, not of the one that waits for it
    return futures
