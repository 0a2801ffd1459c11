"""One month from the web to the bucket to the warehouse, as a task for threads and for Dask."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from prefect import tags, task
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from engines.side_by_side import Job
from engines.work import Work
from etl_gcs_to_bq import etl_gcs_to_bq
from etl_web_to_gcs import etl_web_to_gcs
from trips.plan import Plan, Status
from trips.report import Line


def jobs_of(work: Work) -> Iterator[Job]:
    """The task of each month."""
    return ((plan.month, run_one, (plan, work.options, work.warehouse)) for plan in work.plans)


@task(name="month", task_run_name="{planned.month}")
def run_one(planned: Plan, options: dict[str, Any], warehouse: str) -> Line:
    """Run one month: into the bucket, then into the warehouse."""
    # A task travels to another process by its value, a function by its name: by value, the
    # flows below would lose what their annotations mean.
    return bring_and_load(planned, options, warehouse)


def bring_and_load(planned: Plan, options: dict[str, Any], warehouse: str) -> Line:
    """Run the flows of one month; its line.

    Args:
        planned: what there is to do.
        options: parameters of `etl_web_to_gcs` beside the month.
        warehouse: block of the warehouse; empty for the bucket alone.
    """
    started, month = time.perf_counter(), planned.month
    which = {"color": month.dataset, "year": month.year, "month": month.month}
    with _tagged():
        lines = [_child(etl_web_to_gcs, **which, **options)]
        if warehouse:
            places = {"bucket": options["bucket"], "warehouse": warehouse}
            lines += [_child(etl_gcs_to_bq, **which, **places, force=options["force"])]
    return replace(
        lines[0],
        status="loaded" if any(line.status == "loaded" for line in lines) else "unchanged",
        reason=planned.reason if planned.status is Status.CHANGED else "",
        seconds=time.perf_counter() - started,
        where=" -> ".join(line.where for line in lines),
    )


def tag_of(run_id: object) -> str:
    """What marks the runs that belong to a run of another process."""
    return f"of {run_id}"


def _tagged() -> AbstractContextManager[object]:
    """On another process Prefect does not know that the months' runs belong to this one."""
    return nullcontext() if FlowRunContext.get() else tags(tag_of(flow_run.id))


def _child(child: Any, **parameters: Any) -> Line:
    line: Line = child(**parameters, return_state=True).result()
    return line
