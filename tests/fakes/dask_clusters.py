"""Dask as tests see and set it: the processes of a cluster, and how long its clients wait."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import psutil


def hasty_connections() -> AbstractContextManager[Any]:
    """Let Dask's clients give up soon on a scheduler that does not answer."""
    # Imported here because few tests need Dask, which takes a second to import.
    import dask.config

    # If it were first imported while the value is set, its defaults would be lost with the value.
    import distributed  # noqa: F401

    return dask.config.set({"distributed.comm.timeouts.connect": "200ms"})


def dask_processes(parent: psutil.Process) -> list[psutil.Process]:
    """Return the Dask workers below a process, without Python's own resource tracker."""
    found = []
    for child in parent.children(recursive=True):
        try:
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:  # it has ended, even if nothing has waited for it yet
            continue
    return found
