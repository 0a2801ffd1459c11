"""Cluster classes of Dask: any class by its import path, or this machine's LocalCluster."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import dask
import distributed
from distributed.deploy.cluster import Cluster

from core.errors import UsageError
from core.threads import VARIABLE, most_threads

_LOOPBACK = "127.0.0.1"
_WORKER_PROCESS = str(Path(__file__).with_name("worker_process.py"))


def local_options(workers: int, *others: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments for a distributed.LocalCluster that only this machine can reach.

    Each worker has one thread: a month, a frame or a rewrite keeps a process busy. The threads that
    a month starts itself are limited to the worker's share of the cores.

    Args:
        workers: processes of the cluster.
        others: further arguments, which take precedence.

    Raises:
        UsageError: n_workers is not a number of at least 1.
    """
    options: dict[str, Any] = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "host": _LOOPBACK,
        "dashboard_address": f"{_LOOPBACK}:0",
        "preload": [*dask.config.get("distributed.worker.preload"), _WORKER_PROCESS],
    }
    for more in others:
        options |= more
    count = options["n_workers"]
    if not isinstance(count, int | None):
        raise UsageError(f"n_workers {count!r} is not a whole number; write one")
    if count is not None and count < 1:
        raise UsageError(f"n_workers {count} is too few; write 1 or more")
    if options.get("processes", True):  # workers that are threads have no environment of their own
        share = max(1, most_threads() // (count or 1))
        options["env"] = {VARIABLE: str(share)} | options.get("env", {})
    return options


def cluster_class(path: str) -> Any:
    """Return the cluster class at an import path, or the factory distributed.SSHCluster.

    Raises:
        UsageError: the path does not exist, or is not a cluster class.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"cluster {path!r} cannot be imported ({error}); install its package next to Dask, or "
            "give the address of a scheduler (tcp://HOST:8786) or a class like "
            "distributed.SSHCluster"
        ) from error
    if found is distributed.SSHCluster or (isinstance(found, type) and issubclass(found, Cluster)):
        return found
    raise UsageError(
        f"cluster {path!r} is not a cluster class of Dask; name one, such as distributed.SSHCluster"
    )
