"""Engines that run the months of a parent run: threads of this process, Dask, or agents."""

from __future__ import annotations

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
from orchestration.progress import Log
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
    tell = partial(_tell, get_run_logger())  # this run's logger, wherever the months run
    if engine.name == "threads":
        with reported_after_ctrl_c({"parent_flow_run_id": {"any_": [flow_run.id]}}):
            return side_by_side(jobs_of(work), engine.workers, tell)
    if engine.name == "dask":
        return all_arrived(run_on_dask(work, engine, tell), store, warehouse)
    lines = all_arrived(run_on_agents(work, engine), store, warehouse)
    for line in lines:
        tell(line)
    return lines


def _tell(log: Log, line: MonthResult) -> None:
    """Log a finished month with its counts, or with the reason of its failure."""
    if line.is_failed:
        log.error("%s: %s", summary(line), in_ui(line.reason, line.remedies))
    else:
        log.info("%s", summary(line))
