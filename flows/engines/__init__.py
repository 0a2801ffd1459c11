"""Where the months of a parent run are run: threads of this process, Dask, or agents."""

from __future__ import annotations

import logging
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


def run_months(
    work: RunPlan, engine: EngineConfig, store: Bucket, warehouse: Warehouse | None
) -> list[MonthResult]:
    """Run each month; its line, failed or not. Starts nothing without work.

    Args:
        work: the months.
        engine: what runs them.
        store: the bucket as this process sees it.
        warehouse: the same of the warehouse, if there is one.
    """
    if not work.plans:
        return []
    tell = partial(_tell, get_run_logger())  # of this run, wherever the months are run
    if engine.name == "threads":
        with reported_after_ctrl_c({"parent_flow_run_id": {"any_": [flow_run.id]}}):
            return side_by_side(jobs_of(work), engine.workers, tell)
    if engine.name == "dask":
        return all_arrived(run_on_dask(work, engine, tell), store, warehouse, work.report)
    lines = all_arrived(run_on_agents(work, engine), store, warehouse, work.report)
    for line in lines:  # an agent's run has told nobody what it counted
        tell(line)
    return lines


def _tell(log: Log, line: MonthResult) -> None:
    """Log a month that has ended, with its counts."""
    log.log(logging.ERROR if line.status == "failed" else logging.INFO, "%s", summary(line))
