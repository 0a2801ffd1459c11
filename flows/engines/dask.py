"""Months on Dask: a local cluster, one that runs already, or any cluster class."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Crashed
from prefect.utilities.asyncutils import sync_compatible
from prefect.utilities.importtools import import_object

from engines.month import jobs_of, tag_of
from engines.side_by_side import side_by_side
from engines.work import Engine, Work
from trips.errors import UsageError
from trips.report import Line

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

FLOWS = str(Path(__file__).absolute().parents[1])
#: Seconds for a scheduler to answer.
CONNECT_SECONDS = 10
_LOOPBACK = "127.0.0.1"


def run_on_dask(work: Work, engine: Engine) -> list[Line]:
    """Run each month on a worker. The cluster, if it is ours, is stopped whatever happens.

    Raises:
        UsageError: there is no such cluster, or its workers do not know the flows.
    """
    runner = _runner(engine)

    @flow(name="months-on-dask", task_runner=runner)
    def months_on_dask() -> list[Line]:
        """Run the months of a parent run on a Dask cluster, which is there as long as this run."""
        lines = side_by_side(jobs_of(work), len(work.plans))
        _report_lost_runs(flow_run.id)  # type: ignore[unused-coroutine] # none in a sync flow
        return lines

    return months_on_dask()


def _runner(engine: Engine) -> DaskTaskRunner:
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")
    # Workers that are started here look for modules where this process does; Prefect has taken
    # the folder out again if it was Prefect that loaded the flow.
    if FLOWS not in sys.path:
        sys.path.append(FLOWS)
    # Not at the top: Dask takes a second, which only who uses it should pay.
    from prefect_dask.task_runners import DaskTaskRunner

    if "://" in engine.cluster:
        _check_workers(engine.cluster)
        return DaskTaskRunner(address=engine.cluster)
    if engine.cluster:
        return DaskTaskRunner(
            cluster_class=_cluster_class(engine.cluster), cluster_kwargs=engine.options
        )
    return DaskTaskRunner(cluster_kwargs=_local(engine.workers) | engine.options)


def _local(workers: int) -> dict[str, Any]:
    return {
        "n_workers": workers,
        "threads_per_worker": 1,
        "host": _LOOPBACK,
        "dashboard_address": f"{_LOOPBACK}:0",
        "memory_limit": 0,  # a month takes what it takes; a worker killed for it helps nobody
    }


def _cluster_class(path: str) -> Any:
    import distributed
    from distributed.deploy.cluster import Cluster

    try:
        found = import_object(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"cluster {path!r} cannot be imported ({error}); give the address of a scheduler, "
            "tcp://HOST:8786, or a class like distributed.SSHCluster"
        ) from error
    if found is distributed.SSHCluster or (isinstance(found, type) and issubclass(found, Cluster)):
        return found
    raise UsageError(f"cluster {path!r} is no cluster class of Dask")


def _check_workers(address: str) -> None:
    import distributed

    try:
        connect: Any = distributed.Client  # it is typed in part
        with connect(address, timeout=CONNECT_SECONDS, set_as_default=False) as client:
            found = client.run(importlib.util.find_spec, "etl_web_to_gcs")
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler answers at {address} ({error})") from error
    if not found:
        raise UsageError(f"the Dask scheduler at {address} has no workers; start some")
    _check_flows(address, found)


def _check_flows(address: str, found: Mapping[str, object]) -> None:
    strangers = [worker for worker, spec in found.items() if spec is None]
    if strangers:
        raise UsageError(
            f"the Dask worker {strangers[0]} of {address} does not know the flows; start it "
            "with PYTHONPATH=/path/to/the/project/flows"
        )


@sync_compatible
async def _report_lost_runs(run_id: str) -> None:
    """Runs that a killed worker left as running are reported as crashed."""
    lost = FlowRunFilter.parse_obj(
        {
            "tags": {"all_": [tag_of(run_id)]},
            "state": {"type": {"any_": ["RUNNING", "PENDING"]}},
        }
    )
    async with get_client() as client:
        for run in await client.read_flow_runs(flow_run_filter=lost):
            crashed: State[Any] = Crashed(
                message="Its Dask worker was lost; another one ran the month."
            )
            await client.set_flow_run_state(run.id, crashed, force=True)
