"""One month from the web to the bucket to the warehouse, as a task for threads and Dask."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from prefect import tags, task
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from engines.concurrency import Job
from engines.run_plan import RunPlan
from etl_gcs_to_bq import etl_gcs_to_bq
from etl_web_to_gcs import etl_web_to_gcs
from month_report import month_report
from monthly.plan import Plan, Status
from monthly.result import MonthResult, Outcome
from orchestration.flow_results import error_of
from orchestration.handed_down import handed_down
from orchestration.parent_runs import tag_of


def jobs_of(work: RunPlan) -> Iterator[Job]:
    """Return the task of each month."""
    how = (work.options, work.warehouse, work.report)
    return ((plan.month, run_one, (plan, *how)) for plan in work.plans)


@task(name="month", task_run_name="{planned.month}")
def run_one(planned: Plan, options: dict[str, Any], warehouse: str, report: bool) -> MonthResult:
    """Run one month: into the bucket, then into the warehouse, then its report."""
    # A task is pickled by value, a function by name: pickled by value, the flows below could
    # not resolve their annotations.
    return bring_and_load(planned, options, warehouse, report)


def bring_and_load(
    planned: Plan, options: dict[str, Any], warehouse: str, report: bool
) -> MonthResult:
    """Run the flows of one month and return its result.

    Args:
        planned: the planned month.
        options: parameters of `etl_web_to_gcs` besides the month.
        warehouse: warehouse block; empty for the bucket alone.
        report: whether to draw the month's report once it is loaded, or if it is missing.
    """
    started = time.perf_counter()
    with _tagged(), handed_down(planned):
        lines = list(_lines(planned, options, warehouse, report))
    had_reason = planned.status is Status.CHANGED or planned.lacks_report
    return replace(
        lines[0],
        status=_status([line.status for line in lines]),
        reason=planned.reason if had_reason else "",
        seconds=time.perf_counter() - started,
        where=" -> ".join(line.where for line in lines),
        report=lines[-1].report,
        warning="; ".join(filter(None, (line.warning for line in lines))),
    )


def _status(found: Sequence[Outcome | Status]) -> Outcome | Status:
    """Return LOADED or DRAWN if any step did that, otherwise the status of the bucket."""
    return next((done for done in (Outcome.LOADED, Outcome.DRAWN) if done in found), found[0])


def _lines(
    planned: Plan, options: dict[str, Any], warehouse: str, report: bool
) -> Iterator[MonthResult]:
    """Yield the results of bucket and warehouse; without a warehouse, draw the report here."""
    month = planned.month
    which = {"color": month.dataset, "year": month.year, "month": month.month}
    line = _child(etl_web_to_gcs, **which, **options)
    if not warehouse:
        drawn = report and (line.status is Outcome.LOADED or planned.lacks_report)
        yield _with_report(line, which, options["bucket"]) if drawn else line
        return
    yield line
    into = {"bucket": options["bucket"], "warehouse": warehouse, "force": options["force"]}
    yield _child(etl_gcs_to_bq, **which, **into, report=report)


def _with_report(line: MonthResult, which: dict[str, Any], bucket: str) -> MonthResult:
    """Return the result of a month in the bucket alone, with its report or a warning."""
    draw: Any = month_report  # its overloads for return_state are wrong
    state = draw(**which, bucket=bucket, return_state=True)
    if state.is_failed():
        reason = line.month.unprefixed(error_of(state).message)
        warnings = (line.warning, f"the report failed: {reason}")
        return replace(line, warning="; ".join(filter(None, warnings)))
    status = _status([line.status, Outcome.DRAWN])
    return replace(line, status=status, report=state.result().report)


def _tagged() -> AbstractContextManager[object]:
    """Tag a month's runs in another process, where Prefect does not know their parent run."""
    return nullcontext() if FlowRunContext.get() else tags(tag_of(flow_run.id))


def _child(child: Any, **parameters: Any) -> MonthResult:
    line: MonthResult = child(**parameters, return_state=True).result()
    return line
