"""Dask as what runs the tasks of a flow: a cluster that is there for one run, or a running one."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.dask.cluster_spec import LOCAL, ClusterSpec

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

_FLOWS = str(Path(__file__).absolute().parents[1])


def dask_runner(
    spec: ClusterSpec, workers: int, local: Mapping[str, Any] | None = None
) -> DaskTaskRunner:
    """A runner for a flow's tasks.

    Args:
        spec: which cluster. One that is started here ends with the run.
        workers: processes of a local cluster.
        local: more arguments of a local cluster.

    Raises:
        UsageError: there is no such class of clusters.
    """
    # For the workers; Prefect has Dask imported here before this can be read.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")
    # Workers that are started here look for modules where this process does; Prefect has taken
    # the folder out again if it was Prefect that loaded the flow.
    if _FLOWS not in sys.path:
        sys.path.append(_FLOWS)
    # Not at the top: Dask takes a second, which only who uses it should pay.
    from prefect_dask.task_runners import DaskTaskRunner

    from core.dask.classes import cluster_class, local_options

    logging.getLogger("distributed").setLevel(logging.WARNING)
    if spec.is_address:
        return DaskTaskRunner(address=spec.where)
    if spec.where == LOCAL:
        options = local_options(workers) | dict(local or {}) | dict(spec.options)
        return DaskTaskRunner(cluster_kwargs=options)
    return DaskTaskRunner(
        cluster_class=cluster_class(spec.where), cluster_kwargs=dict(spec.options)
    )
