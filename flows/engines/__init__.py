"""Where the months of a parent run are run: threads of this process, Dask, or agents."""

from __future__ import annotations

from engines.agents import run_on_agents
from engines.arrived import all_arrived
from engines.dask import run_on_dask
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
        return side_by_side(jobs_of(work), engine.workers)
    lines = run_on_dask(work, engine) if engine.name == "dask" else run_on_agents(work, engine)
    return all_arrived(lines, store, warehouse, work.report)
