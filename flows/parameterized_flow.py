"""Many months from the web to the bucket and the warehouse: plan, backfill, what is due.

python flows/parameterized_flow.py --color green --months 2020-01:2020-12 --plan
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from prefect import Task, flow, task
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

import cli
from artifacts import show_months
from destinations import BUCKET, SOURCE, WAREHOUSE, open_bucket, open_warehouse
from etl_gcs_to_bq import etl_gcs_to_bq
from etl_web_to_gcs import etl_web_to_gcs
from month_report import month_report
from notices import NOTICES
from retries import RETRIES
from trips.buckets import Bucket
from trips.months import Color, Month, latest_months, months_of
from trips.plan import Plan, Status, due_in_warehouse, plan_month
from trips.report import Line, line_of
from trips.scratch import sweep_scratch
from trips.sources import address
from trips.warehouses import Warehouse

#: Months that are converted at a time: two keep two cores busy.
SIDE_BY_SIDE = 2
#: Months that are planned at a time: a question to the publisher each.
PLANNED = 8

Job = tuple[Month, Task[..., Any], tuple[Any, ...]]


@task(name="plan", task_run_name="plan {month}", **RETRIES)
def plan_one(
    month: Month, source: str, bucket: Bucket, warehouse: Warehouse | None, force: bool
) -> Plan:
    """Compare what is published with what the bucket and the warehouse have; writes nothing."""
    planned = plan_month(month, source, bucket, force)
    if warehouse is None:
        return planned
    return due_in_warehouse(planned, warehouse.loaded(month.dataset), warehouse.name())


@task(name="month", task_run_name="{planned.month}")
def run_one(planned: Plan, options: dict[str, Any], warehouse: str, report: bool) -> Line:
    """Run one month: into the bucket, then into the warehouse, then its report."""
    started, month = time.perf_counter(), planned.month
    which = {"color": month.dataset, "year": month.year, "month": month.month}
    lines = [_child(etl_web_to_gcs, **which, **options)]
    if warehouse:
        bucket, force = options["bucket"], options["force"]
        into = {"bucket": bucket, "warehouse": warehouse, "force": force, "report": report}
        lines += [_child(etl_gcs_to_bq, **which, **into)]
    elif report and lines[0].status == "loaded":
        lines = [_with_report(lines[0], options["bucket"])]
    return replace(
        lines[0],
        status="loaded" if any(line.status == "loaded" for line in lines) else "unchanged",
        reason=planned.reason if planned.status is Status.CHANGED else "",
        seconds=time.perf_counter() - started,
        where=" -> ".join(line.where for line in lines),
        report=lines[-1].report,
        warning=lines[-1].warning,
    )


def _with_report(line: Line, bucket: str) -> Line:
    """The line of a month of the bucket alone, its report drawn or the reason why not."""
    which = {"color": line.month.dataset, "year": line.month.year, "month": line.month.month}
    draw: Any = month_report  # its overloads for return_state do not hold
    state = draw(**which, bucket=bucket, return_state=True)
    if state.is_failed():
        return replace(line, warning=f"the report failed: {cli.reason_of(state)}")
    return replace(line, report=state.result().report)


def _child(child: Any, **parameters: Any) -> Line:
    line: Line = child(**parameters, return_state=True).result()
    return line


def _run_name() -> str:
    parameters = flow_run.parameters
    months, year = parameters["months"], parameters["year"]
    by_number = not isinstance(months, str) or months.replace(",", "").isdecimal()
    return f"{parameters['color']} {f'{year}: ' if by_number else ''}{months}"


@flow(name="etl-parent-flow", flow_run_name=_run_name, **NOTICES)
def etl_parent_flow(
    color: Color = "yellow",
    year: int = 2021,
    months: str | list[int] = "1,2",
    source: str = SOURCE,
    bucket: str = BUCKET,
    warehouse: str = WAREHOUSE,
    plan: bool = False,
    force: bool = False,
    strict: bool = True,
    max_reject_share: float = 0.001,
    due_months: int = 12,
    report: bool = True,
) -> State[list[Line]]:
    """Bring many months from the web into the bucket and the warehouse; only what is new.

    Plans first, runs the months that are new or changed, several side by side, and goes
    on when one fails; it then fails at the end and names each.

    Args:
        color: Dataset - yellow, green, fhv or fhvhv.
        year: Year of months that are given by number.
        months: Numbers ([1, 2] or 1,2), months (2020-11), a range with both ends
            (2020-01:2020-12), or due - those of the last due_months that are new or changed.
        source: dtc (DataTalksClub csv.gz), tlc (TLC's Parquet), sample (generated here,
            sample:ROWS for a size), or a URL template with {color}, {year} and {month:02}.
        bucket: Block of the bucket, as TYPE/NAME.
        warehouse: Block of the warehouse, as TYPE/NAME; empty for the bucket alone.
        plan: Only say what there is to do; writes nothing.
        force: Run months although nothing has changed.
        strict: Fail on a column that no table knows or a required one that is absent.
        max_reject_share: Fail a month if more than this share of its rows cannot be converted.
        due_months: How many months back due looks.
        report: Draw the report of each month once it is loaded.
    """
    wanted = _wanted(color, year, months, due_months)
    address(source, wanted[0])  # a source that cannot be meant fails here, not once a month
    store, target = open_bucket(bucket), open_warehouse(warehouse) if warehouse else None
    plans = _side_by_side(
        ((month, plan_one, (month, source, store, target, force)) for month in wanted), PLANNED
    )
    if plan:
        return _verdict([_planned(p, store) for p in plans], "Planned")
    sweep_scratch()
    options = {
        "source": source,
        "bucket": bucket,
        "force": force,
        "strict": strict,
        "max_reject_share": max_reject_share,
    }
    jobs = ((p.month, run_one, (p, options, warehouse, report)) for p in plans if _has_work(p))
    done = {line.month: line for line in _side_by_side(jobs, SIDE_BY_SIDE)}
    lines = [done.get(p.month) or _idle(p, store) for p in plans]
    show_months(lines, f"{color} {months}")
    return _verdict(lines)


def _wanted(color: Color, year: int, months: str | list[int], due_months: int) -> tuple[Month, ...]:
    if months == "due":
        return latest_months(color, due_months, _today())
    return months_of(color, months, year)


def _today() -> dt.date:
    return dt.date.today()


def _side_by_side(jobs: Iterable[Job], width: int) -> list[Any]:
    """The result of each task, at most `width` at a time; a failed month as its line."""
    results: list[Any] = []
    running: deque[tuple[Month, PrefectFuture[Any, Any]]] = deque()
    for month, job, arguments in jobs:
        if len(running) == width:
            results.append(_result(*running.popleft()))
        running.append((month, job.submit(*arguments)))
    return results + [_result(*waiting) for waiting in running]


def _result(month: Month, future: PrefectFuture[Any, Any]) -> Any:
    state: Any = future.wait()
    return Line(month, "failed", cli.reason_of(state)) if state.is_failed() else state.result()


def _has_work(plan: Plan | Line) -> bool:
    return isinstance(plan, Plan) and plan.has_work


def _planned(plan: Plan | Line, store: Bucket) -> Line:
    """The line of a month that was only planned, or whose plan failed."""
    if isinstance(plan, Line):
        return plan
    where = store.uri(plan.entry.object_key) if plan.entry else ""
    return line_of(plan.month, plan.status.value, plan.reason, plan.entry, where)


def _idle(plan: Plan | Line, store: Bucket) -> Line:
    line = _planned(plan, store)
    return replace(line, status=line.status.lower())


def _verdict(lines: Sequence[Line], name: str | None = None) -> State[Any]:
    failed = [line for line in lines if line.status == "failed"]
    if failed:
        named = "; ".join(f"{line.month}: {line.reason}" for line in failed)
        message = f"{len(failed)} of {len(lines)} months failed: {named}"
        return Failed(message=message, data=list(lines))
    loaded = any(line.status == "loaded" for line in lines)
    counts = Counter(line.status.lower() for line in lines)
    counts["without a report"] = sum(bool(line.warning) for line in lines)
    message = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return Completed(
        name=name or ("Completed" if loaded else "Skipped"), message=message, data=list(lines)
    )


if __name__ == "__main__":
    cli.run(etl_parent_flow)
