"""Dask task runners for flows: a temporary cluster for one run, or a running one."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.dask.cluster_spec import LOCAL, ClusterSpec

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

_FLOWS = str(Path(__file__).absolute().parents[1])


def dask_runner(
    spec: ClusterSpec, workers: int, local: Mapping[str, Any] | None = None
) -> DaskTaskRunner:
    """Return a Dask runner for a flow's tasks.

    Args:
        spec: which cluster to use. A cluster started here ends with the run.
        workers: processes of a local cluster.
        local: additional arguments of a local cluster.

    The flow of the runner raises UsageError or ClusterError if the cluster does not start.

    Raises:
        UsageError: the cluster class does not exist.
    """
    # For the workers only: in this process, Prefect has already imported Dask.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")
    # Workers started here use this process's sys.path, from which Prefect has removed the folder
    # if it was Prefect that loaded the flow.
    if _FLOWS not in sys.path:
        sys.path.append(_FLOWS)
    # Imported late: Dask takes a second to import, and other engines do not need it.
    from core.dask.classes import cluster_class, local_options

    logging.getLogger("distributed").setLevel(logging.WARNING)
    runner = _runner_class(spec)
    if spec.is_address:
        return runner(address=spec.where)
    if spec.where == LOCAL:
        options = local_options(workers, local or {}, spec.options)
        return runner(cluster_kwargs=options)
    return runner(cluster_class=cluster_class(spec.where), cluster_kwargs=dict(spec.options))


def _runner_class(spec: ClusterSpec) -> type[DaskTaskRunner]:
    """Return Prefect's class, with errors of the cluster's start that name the cluster."""
    from prefect_dask import task_runners

    from core.dask.failures import options_refused, start_failed

    class DaskTaskRunner(task_runners.DaskTaskRunner):  # this name, which is in log lines
        async def _start(self, exit_stack: AsyncExitStack) -> None:
            with start_failed(spec), options_refused(spec):
                await super()._start(exit_stack)

    return DaskTaskRunner
