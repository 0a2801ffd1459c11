"""Where the months of a parent run are run: threads of this process, Dask, or agents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engines.agents import run_on_agents
from engines.dask import run_on_dask
from engines.month import jobs_of
from engines.side_by_side import side_by_side
from engines.work import Engine, Work
from trips.buckets import Bucket
from trips.ledger import object_key, read_entry
from trips.months import Month
from trips.report import Line, line_of
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
    loaded = warehouse.loaded(work.plans[0].month.dataset) if warehouse else None
    where = f" -> {warehouse.name()}" if warehouse else ""
    return [_seen_from_here(line, store, loaded, where) for line in lines]


def _seen_from_here(
    line: Line, store: Bucket, loaded: Mapping[Month, str] | None, where: str
) -> Line:
    """The line of a month that another process ran, with what bucket and warehouse say of it."""
    if line.status == "failed":
        return line
    entry, _ = read_entry(store, line.month)
    if entry is None or (loaded is not None and loaded.get(line.month) != entry.object_sha256):
        missing = where.removeprefix(" -> ") if entry else store.uri(object_key(line.month))
        return Line(
            line.month,
            "failed",
            f"{line.month}: was run ({line.status}), but is not in {missing}; "
            "name a bucket and a warehouse that all machines share",
        )
    full = line_of(line.month, line.status, line.reason, entry, store.uri(entry.object_key) + where)
    return replace(full, seconds=line.seconds, report=line.report, warning=line.warning)
