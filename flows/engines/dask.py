"""Months on Dask: a local cluster, a running one, or any cluster class."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.runtime import flow_run

from core.dask.memory import keeping_memory
from core.errors import UsageError
from engines.concurrency import side_by_side
from engines.mark_crashed import report_crashed, reported_after_ctrl_c
from engines.month import jobs_of
from engines.run_plan import EngineConfig, RunPlan
from monthly.result import MonthResult
from orchestration.dask_runner import dask_runner
from orchestration.parent_runs import tag_of

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

#: Seconds to wait for a scheduler's answer.
CONNECT_SECONDS = 10
#: No limit: killing a worker does not reduce the memory that its month needs.
_PATIENCE = {"memory_limit": 0}


def run_on_dask(
    work: RunPlan, engine: EngineConfig, tell: Callable[[MonthResult], None]
) -> list[MonthResult]:
    """Run each month on a worker; always stop the cluster if this run started it.

    Args:
        work: the months to run.
        engine: engine configuration with the cluster.
        tell: called with the result of each finished month.

    Raises:
        UsageError: there is no such cluster, or it cannot import the flows.
    """
    runner = _runner(engine)

    @flow(name="months-on-dask", flow_run_name="months on Dask", task_runner=runner)
    def months_on_dask() -> list[MonthResult]:
        """Run the months of a parent run on a Dask cluster that lives as long as this run."""
        months = {"tags": {"all_": [tag_of(flow_run.id)]}}
        with reported_after_ctrl_c(months):
            lines = side_by_side(jobs_of(work), None, tell)
        report_crashed(months)  # type: ignore[unused-coroutine] # none in a sync flow
        return lines

    with keeping_memory():
        return months_on_dask()


def _runner(engine: EngineConfig) -> DaskTaskRunner:
    _refuse_threads(engine)
    if engine.spec.is_address:
        _check_workers(engine.cluster)
    return dask_runner(engine.spec, engine.workers, _PATIENCE)


def _check_workers(address: str) -> None:
    import distributed

    try:
        connect: Any = distributed.Client  # only partly typed
        with connect(address, timeout=CONNECT_SECONDS, set_as_default=False) as client:
            found = client.run(importlib.util.find_spec, "etl_web_to_gcs")
            scheduled = client.run_on_scheduler(importlib.util.find_spec, "etl_web_to_gcs")
            threads: Mapping[str, int] = client.nthreads()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address} ({error}); start one, or correct the address"
        ) from error
    if not found:
        raise UsageError(f"the Dask scheduler at {address} has no workers; start some")
    _check_flows(address, {"scheduler": scheduled} | {f"worker {w}": s for w, s in found.items()})
    _check_threads(address, threads)


def _check_flows(address: str, found: Mapping[str, object]) -> None:
    """Refuse workers, or a scheduler, which unpickles what it forwards, without the flows."""
    strangers = [process for process, spec in found.items() if spec is None]
    if strangers:
        raise UsageError(
            f"the Dask {strangers[0]} of {address} does not know the flows; start it "
            "with PYTHONPATH=/path/to/the/project/flows"
        )


def _check_threads(address: str, threads: Mapping[str, int]) -> None:
    """Refuse multithreaded workers: Prefect 2 runs their tasks on one event loop and deadlocks."""
    for worker, count in threads.items():
        if count > 1:
            raise UsageError(
                f"the Dask worker {worker} of {address} has {count} threads, and months on it "
                "would hang; start it with --nthreads 1, and more workers in their place"
            )


def _refuse_threads(engine: EngineConfig) -> None:
    count = engine.spec.options.get("threads_per_worker", 1)
    if count != 1:
        raise UsageError(
            f"cluster_options: months hang on workers with {count} threads; "
            "write threads_per_worker 1, and more n_workers in their place"
        )
