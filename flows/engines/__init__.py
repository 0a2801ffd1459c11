"""Engines that run the months of a parent run: threads of this process, Dask, or agents."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prefect import get_run_logger
from prefect.runtime import flow_run

from core.storage.bucket import Bucket
from engines.agents import run_on_agents
from engines.concurrency import side_by_side
from engines.dask import run_on_dask
from engines.mark_crashed import reported_after_ctrl_c
from engines.month import jobs_of
from engines.run_plan import EngineConfig, RunPlan
from engines.verify_results import all_arrived
from monthly.result import MonthResult, summary
from monthly.warehouses import Warehouse
from orchestration.caching_client import use_caching_client_below
from orchestration.handed_down import drawing_apart
from orchestration.progress import Log, MonthCount, counted_months
from orchestration.wording import in_ui


def run_months(
    work: RunPlan, engine: EngineConfig, store: Bucket, warehouse: Warehouse | None
) -> list[MonthResult]:
    """Run each month and return its result, failed or not; without work, start nothing.

    Args:
        work: the months to run.
        engine: the engine that runs them.
        store: the bucket as this process sees it.
        warehouse: the warehouse as this process sees it, if there is one.
    """
    if not work.plans:
        return []
    logger = get_run_logger()  # this run's logger, wherever the months run
    with counted_months(len(work.plans)) as count:
        return _run(work, engine, store, warehouse, partial(_tell, logger, count))


def _run(
    work: RunPlan,
    engine: EngineConfig,
    store: Bucket,
    warehouse: Warehouse | None,
    tell: Callable[[MonthResult], None],
) -> list[MonthResult]:
    if engine.name == "threads":
        use_caching_client_below()
        crashed = reported_after_ctrl_c({"parent_flow_run_id": {"any_": [flow_run.id]}})
        with crashed, drawing_apart(len(work.plans) if work.report else 0):
            return side_by_side(jobs_of(work), engine.workers, tell)
    if engine.name == "dask":
        return all_arrived(run_on_dask(work, engine, tell), store, warehouse)
    return all_arrived(run_on_agents(work, engine, tell), store, warehouse)


def _tell(log: Log, count: MonthCount, line: MonthResult) -> None:
    """Log a finished month with its counts, or with the reason of its failure.

    A command prints the reasons at its end.
    """
    count.add(line.is_failed)
    said = f"{summary(line)} ({count})"
    if line.is_failed or line.is_held:
        reason = in_ui(line.reason, line.remedies)
        log.error("%s: %s", said, reason, extra={"terminal": said})
    else:
        log.info("%s", said)
