"""Where the months of a parent run are run: threads of this process, Dask, or agents."""

from __future__ import annotations

from prefect.runtime import flow_run

from engines.agents import run_on_agents
from engines.arrived import all_arrived
from engines.dask import run_on_dask
from engines.left_running import reported_after_ctrl_c
from engines.month import jobs_of
from engines.side_by_side import side_by_side
from engines.work import Engine, Work
from trips.buckets import Bucket
from trips.report import Line
from trips.warehouses import Warehouse


def run_months(
    work: Work, engine: Engine, store: Bucket, warehouse: Warehouse | None
) -> list[Line]:
    """Run each month; its line, failed or not. Starts nothing without work.

    Args:
        work: the months.
        engine: what runs them.
        store: the bucket as this process sees it.
        warehouse: the same of the warehouse, if there is one.
    """
    if not work.plans:
        return []
    if engine.name == "threads":
        return _run_on_threads(work, engine)
    lines = run_on_dask(work, engine) if engine.name == "dask" else run_on_agents(work, engine)
    return all_arrived(lines, store, warehouse, work.report)


def _run_on_threads(work: Work, engine: Engine) -> list[Line]:
    with reported_after_ctrl_c({"parent_flow_run_id": {"any_": [flow_run.id]}}):
        return side_by_side(jobs_of(work), engine.workers)
