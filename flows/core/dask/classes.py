"""What a Dask cluster is started from: any class by its import path, or this machine's own."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import dask
import distributed
from distributed.deploy.cluster import Cluster

from core.errors import UsageError

_LOOPBACK = "127.0.0.1"
_WORKER_PROCESS = str(Path(__file__).with_name("worker_process.py"))


def local_options(workers: int) -> dict[str, Any]:
    """Arguments of distributed.LocalCluster that only this machine can reach.

    One thread a worker: a month, a frame or a rewrite is a process' work.
    """
    return {
        "n_workers": workers,
        "threads_per_worker": 1,
        "host": _LOOPBACK,
        "dashboard_address": f"{_LOOPBACK}:0",
        "preload": [*dask.config.get("distributed.worker.preload"), _WORKER_PROCESS],
    }


def cluster_class(path: str) -> Any:
    """The class, or what makes a cluster as distributed.SSHCluster does.

    Raises:
        UsageError: there is none of that name, or it is something else.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"cluster {path!r} cannot be imported ({error}); install its package beside Dask, or "
            "give the address of a scheduler (tcp://HOST:8786) or a class like "
            "distributed.SSHCluster"
        ) from error
    if found is distributed.SSHCluster or (isinstance(found, type) and issubclass(found, Cluster)):
        return found
    raise UsageError(f"cluster {path!r} is no cluster class of Dask")
