"""Dask as what runs the tasks of a flow: a cluster that is there for one run, or a running one."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trips.errors import UsageError

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

_FLOWS = str(Path(__file__).absolute().parent)
_LOOPBACK = "127.0.0.1"


def dask_runner(workers: int, cluster: str = "") -> DaskTaskRunner:
    """A runner for a flow's tasks.

    Args:
        workers: processes of the local cluster that is started with the run and ends with it.
        cluster: address of a scheduler in its place, `tcp://HOST:8786`.

    Raises:
        UsageError: fewer than one worker, or no address.
    """
    if workers < 1:
        raise UsageError(f"workers {workers}: at least one has to do the work")
    if cluster and "://" not in cluster:
        raise UsageError(f"cluster {cluster!r} is no address; write it like tcp://HOST:8786")
    # For the workers; Prefect has Dask imported here before this can be read.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")
    # Workers look for modules where this process does; Prefect has taken the folder out again
    # if it was Prefect that loaded the flow.
    if _FLOWS not in sys.path:
        sys.path.append(_FLOWS)
    # Not at the top: Dask takes a second, which only who uses it should pay.
    from prefect_dask.task_runners import DaskTaskRunner

    logging.getLogger("distributed").setLevel(logging.WARNING)
    if cluster:
        return DaskTaskRunner(address=cluster)
    local = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "host": _LOOPBACK,
        "dashboard_address": f"{_LOOPBACK}:0",
    }
    return DaskTaskRunner(cluster_kwargs=local)
