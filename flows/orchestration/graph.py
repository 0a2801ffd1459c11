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

from core.disk import room_for
from core.errors import UsageError

_FORMATS = ("svg", "png", "pdf")


def draw(flow: Flow[..., Any], path: Path) -> None:
    """Draw a flow whose body does nothing but call tasks and `mapped`; nothing is run.

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
    """Run a task over all that another one returned; the futures, all of them done.

    In a graph, which knows no maps, it is one task.

    Raises:
        Exception: of the first that failed.
    """
    if TaskVizTrackerState.current is not None:
        return task(over, *arguments)
    same: Any = unmapped  # which its types take for a method
    futures = task.map(over, *(same(argument) for argument in arguments))
    for future in futures:
        future.result()  # so that it says why, and not the task that would wait for it
    return futures
