"""Transfer of many months from the web to the bucket and the warehouse: plan, backfill, due months.

python flows/parameterized_flow.py --color green --months 2020-01:2020-12 --plan
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from core.errors import NotPublished, Remedy, SchemaError, UsageError
from core.scratch import sweep_scratch
from core.storage.bucket import Bucket
from engines import run_months
from engines.run_plan import WORKERS, EngineConfig, Name, RunPlan
from monthly.convert.readings import DateOrder, DecimalMark, NewColumns, Rules, UtcTimes
from monthly.editions import editions_to_keep
from monthly.gates.policy import GateMode, Policy
from monthly.month import Color, Month, latest_months, may_be_unpublished, months_of
from monthly.plan import Plan, Status
from monthly.planned import has_work, idle_line, needs_run, planned_line
from monthly.price import Price
from monthly.price_words import PlannedMonths
from monthly.result import MonthResult, Outcome, failed_month
from monthly.shortfall import complaint
from monthly.sources import addresses, chosen, published_at
from monthly.warehouses import Warehouse
from orchestration import cli
from orchestration.artifacts import return_months, show_months, show_plan
from orchestration.block_registry import BUCKET, SOURCE, WAREHOUSE, opened_places
from orchestration.flow_results import HELD, plain_failures
from orchestration.gate_tasks import remove_leftovers
from orchestration.handed_down import blocks_opened_once
from orchestration.notifications import CORRECTIONS
from orchestration.parameter_types import (
    AtLeastOne,
    DeclaredCount,
    DeclaredShare,
    MonthOfYear,
    Year,
)
from orchestration.paths import absolute_name
from orchestration.planning import Planner, plan_all
from orchestration.pricing import priced, warn_of
from orchestration.retries import RETRIES
from orchestration.stages import stage
from orchestration.wording import in_ui


@task(task_run_name="compare the table of {dataset}", **RETRIES)
@stage
def table_refusal(dataset: str, warehouse: Warehouse) -> SchemaError | None:
    """Return why the warehouse's table cannot take the columns as they are declared now."""
    return warehouse.refusal(dataset)


def _run_name() -> str:
    parameters = flow_run.parameters
    months, year = parameters["months"], parameters["year"]
    by_number = not isinstance(months, str) or re.fullmatch(r"[\d\s,:]+", months)
    return f"{parameters['color']} {f'{year}: ' if by_number else ''}{months}"


@flow(name="etl-parent-flow", flow_run_name=_run_name, **CORRECTIONS)
@plain_failures
@blocks_opened_once()
def etl_parent_flow(
    color: Color = "yellow",
    year: Year = 2021,
    months: str | list[MonthOfYear] = "1,2",
    source: str = SOURCE,
    bucket: str = BUCKET,
    warehouse: str = WAREHOUSE,
    plan: bool = False,
    force: bool = False,
    strict: bool = True,
    max_reject_share: DeclaredShare = None,
    max_outside_share: DeclaredShare = None,
    date_order: DateOrder = "auto",
    utc_times: UtcTimes = "auto",
    decimal_mark: DecimalMark = "auto",
    new_columns: NewColumns = "auto",
    keep_editions: DeclaredCount = None,
    gates: GateMode = "hold",
    thresholds: str | dict[str, Any] = "{}",
    accept: bool = False,
    due_months: AtLeastOne = 12,
    skip_missing: bool = False,
    report: bool = True,
    engine: Name = "threads",
    workers: AtLeastOne = WORKERS,
    cluster: str = "",
    cluster_options: str | dict[str, Any] = "{}",
    deployment: str = "",
) -> State[list[MonthResult]]:
    """Load many months from the web into the bucket and the warehouse; only new or changed ones.

    The run plans first, then runs the new and changed months in parallel. If a month fails, the
    others continue; the run then fails at the end and names each failed month.

    Args:
        color: Dataset, by the name of its declaration.
        year: Year of the months given by number.
        months: Numbers ([1, 2] or 1,2), months (2020-11), an inclusive range
            (2020-01:2020-12), or due - the new or changed ones of the last due_months.
        source: A declared source, such as dtc (DataTalksClub csv.gz) or tlc (TLC's Parquet);
            empty for the first one. Or sample (generated locally; sample:ROWS sets the size), or
            a URL template with {color}, {year} and {month:02}; a password or signature in it is
            written as {secret.NAME}.
        bucket: Block of the bucket, as TYPE/NAME, or a folder.
        warehouse: Block of the warehouse, as TYPE/NAME, or a DuckDB file; empty for the bucket
            alone.
        plan: Show what there is to do, without writing anything.
        force: Run months even if nothing has changed.
        strict: Fail on an unknown column, or on a required one that is missing or empty.
        max_reject_share: Fail a month if more than this share of its rows cannot be converted;
            empty for the dataset's limit, 0.001 unless declared.
        max_outside_share: Fail a month if more than this share of its times is outside it; empty
            for the dataset's limit, 0.5 unless declared.
        date_order: Order of the parts of dates like 2/1/21 - auto decides by the month of the file.
        utc_times: How to read times marked as UTC - local (the clock of the dataset's zone
            despite the mark) or utc (instants); auto decides by the month of the file.
        decimal_mark: Decimal mark in numbers like 1,234 - auto decides by the file's other numbers.
        new_columns: Undeclared columns - fail, drop, or keep as text; auto for what the dataset
            declares.
        keep_editions: Number of replaced objects to keep of each month; empty for the dataset's
            number, 1 unless declared.
        gates: What to do with an unusual month - hold it, warn and load it, or off to check none.
        thresholds: Thresholds of gates that override the declared ones, as a JSON object.
        accept: Accept the held months.
        due_months: Number of past months that due checks.
        skip_missing: Skip unpublished months. Otherwise they fail unless they are due or, for dtc
            and tlc, less than three months old.
        report: Draw the report of each month after loading it, or if it is missing.
        engine: Engine that runs the months - threads of this process, dask, or agents.
        workers: Months run concurrently - threads, processes of a local Dask cluster, or runs
            that agents have in flight.
        cluster: For dask - address of a scheduler (tcp://HOST:8786) or a cluster class
            (distributed.SSHCluster); empty for processes on this machine.
        cluster_options: Arguments of the cluster class, as a JSON object.
        deployment: For agents - deployment to run for each month, as etl-parent-flow/NAME; empty
            for the deployment of this run, or the only one.
    """
    crew = EngineConfig(engine, workers, cluster, cluster_options, deployment)
    policy = Policy.of(color, gates, thresholds, accept)
    wanted = _wanted(color, year, months, due_months)
    source = chosen(source, color)
    addresses(source, wanted)  # an invalid source fails here, once, not for each month
    editions_to_keep(color, keep_editions)  # and so does an invalid number
    Rules(max_reject_share=max_reject_share, max_outside_share=max_outside_share).checked(color)
    if not wanted:  # only due selects none: for a dataset that begins with this month
        return Completed(name="Skipped", message=f"{color}: no month is due yet", data=[])
    bucket, warehouse = absolute_name(bucket), absolute_name(warehouse)
    store, target = opened_places(bucket, warehouse, source, color)
    planner = Planner(source, store, target, force, policy, report)
    plans = _planned(wanted, planner, may_lack=skip_missing or months == "due")
    due = [p for p in plans if has_work(p)]
    price = priced(due, store, target, workers, queries=plan) if due else None
    if plan:
        return _shown(plans, price, store, f"Plan of {color} {months}")
    _prepare(plans, price, store)
    options = {
        "source": source,
        "bucket": bucket,
        "force": force,
        "strict": strict,
        "max_reject_share": max_reject_share,
        "max_outside_share": max_outside_share,
        "date_order": date_order,
        "utc_times": utc_times,
        "decimal_mark": decimal_mark,
        "new_columns": new_columns,
        "keep_editions": keep_editions,
        "gates": gates,
        "thresholds": thresholds,
        "accept": accept,
    }
    work = RunPlan([p for p in plans if needs_run(p)], options, warehouse, report)
    ran = run_months(work, crew, store, target)
    return _told(plans, ran, store, f"{color} {months}")


def _planned(wanted: Sequence[Month], planner: Planner, may_lack: bool) -> list[Plan | MonthResult]:
    """Plan the months; those that the publisher lacks or the warehouse refuses count as failed."""
    plans = plan_all(wanted, planner, {})
    return _accepted_by(planner.warehouse, _published(plans, planner.source, may_lack))


def _shown(
    plans: list[Plan | MonthResult], price: Price | None, store: Bucket, title: str
) -> State[Any]:
    """Show the plans and their price, and return the state of a run that only plans."""
    planned = PlannedMonths.of([planned_line(p, store) for p in plans], price)
    show_plan(planned, title)
    return _verdict(planned, "Planned")


def _told(
    plans: list[Plan | MonthResult], ran: list[MonthResult], store: Bucket, title: str
) -> State[Any]:
    """Show and store the results of all months, run or not, and return the state of the run."""
    done = {line.month: line for line in ran}
    lines = [done.get(p.month) or idle_line(p, store) for p in plans]
    show_months(lines, title)
    return_months(lines)
    return _verdict(lines)


def _prepare(plans: list[Plan | MonthResult], price: Price | None, store: Bucket) -> None:
    """Warn if the run may not fit on a disk, and remove what earlier runs left."""
    if price:
        warn_of(price)
    sweep_scratch()
    remove_leftovers([p for p in plans if isinstance(p, Plan)], store)


def _wanted(color: Color, year: int, months: str | list[int], due_months: int) -> tuple[Month, ...]:
    if months == "due":
        if due_months < 1:
            raise UsageError(f"{color}: due_months {due_months} selects no month; write 1 or more")
        return latest_months(color, due_months, _today())
    return months_of(color, months, year)


def _today() -> dt.date:
    return dt.date.today()


def _published(
    plans: list[Plan | MonthResult], source: str, may_lack: bool
) -> list[Plan | MonthResult]:
    """Return the plans, with a failed line for each month that is missing but may not be."""
    return plans if may_lack else [_or_failed(plan, source) for plan in plans]


def _or_failed(plan: Plan | MonthResult, source: str) -> Plan | MonthResult:
    """Return the plan, or a failed line for a month that should be published but is not."""
    if not isinstance(plan, Plan) or plan.status is not Status.NOT_YET_PUBLISHED:
        return plan
    if source in published_at(plan.month.dataset) and may_be_unpublished(plan.month, _today()):
        return plan
    remedy = Remedy("skip_missing", True, "to leave such months out")
    return failed_month(plan.month, NotPublished(plan.reason, remedy))


def _accepted_by(
    warehouse: Warehouse | None, plans: list[Plan | MonthResult]
) -> list[Plan | MonthResult]:
    """Return the plans, with a failed line for each month that the warehouse would refuse."""
    due = [p for p in plans if has_work(p)]
    refusal = table_refusal(due[0].month.dataset, warehouse) if warehouse and due else None
    return [_or_refused(p, refusal) for p in plans]


def _or_refused(plan: Plan | MonthResult, refusal: SchemaError | None) -> Plan | MonthResult:
    """Return the plan, or a failed line for a month that the warehouse would refuse."""
    if refusal is None or not isinstance(plan, Plan) or not plan.has_work:
        return plan
    return failed_month(plan.month, refusal)


def _verdict(lines: list[MonthResult], name: str | None = None) -> State[Any]:
    failed = any(line.is_failed for line in lines)
    if failed or (name is None and any(line.is_held for line in lines)):
        message = complaint(lines, in_ui)
        return Failed(name="Failed" if failed else HELD, message=message, data=lines)
    worked = any(line.status in (Outcome.LOADED, Outcome.DRAWN) for line in lines)
    counts = Counter(line.status.value.lower() for line in lines)
    counts["with a warning"] = sum(bool(line.warning) for line in lines)
    message = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return Completed(
        name=name or ("Completed" if worked else "Skipped"), message=message, data=lines
    )


if __name__ == "__main__":
    cli.run(etl_parent_flow)
