"""The task that plans the months of a parent run."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

from prefect import task
from prefect.runtime import task_run

from core.storage.bucket import Bucket
from monthly.gates.policy import Policy
from monthly.month import Month
from monthly.plan import Plan, due_for_report, due_in_warehouse, plan_month
from monthly.result import MonthResult, failed_month
from monthly.warehouses import Warehouse
from orchestration.flow_results import readable
from orchestration.retries import PASSING, RETRIES
from orchestration.stages import stage

#: Months planned concurrently; each sends a request to the publisher.
PLANNED = 8


@dataclass(frozen=True)
class Planner:
    """What the months of a run are compared with; see `plan_month`.

    Attributes:
        source: where they are published.
        bucket, warehouse: where they are kept; None if the run loads no warehouse.
        force: whether every published month counts as changed.
        policy: what to do with a held month.
        reports: whether each month must have its report.
    """

    source: str
    bucket: Bucket
    warehouse: Warehouse | None
    force: bool
    policy: Policy
    reports: bool

    def plan(self, month: Month) -> Plan:
        """Return the plan of a month."""
        planned = plan_month(month, self.source, self.bucket, self.force, self.policy)
        if self.warehouse is not None:
            there, name = self.warehouse.loaded_month(month), self.warehouse.name()
            planned = due_in_warehouse(planned, there, name)
        return due_for_report(planned, self.bucket) if self.reports else planned


@task(name="plan", task_run_name="plan {months[0].dataset}", **RETRIES)
@stage
def plan_all(
    months: Sequence[Month], planner: Planner, planned: dict[Month, Plan | MonthResult]
) -> list[Plan | MonthResult]:
    """Compare the published files with the bucket and the warehouse, without writing anything.

    One task plans all months, because a task run takes longer than a request. A transient error
    retries the months that are not planned yet; the last attempt returns a failed line for each
    month that fails.

    Args:
        months: the months.
        planner: plans one.
        planned: empty; takes the planned months, as Prefect calls a retry with the same object.
    """
    is_last = (task_run.run_count or 0) > RETRIES["retries"]

    def plan(month: Month) -> Plan | MonthResult:
        try:
            return planner.plan(month)
        except Exception as error:
            if isinstance(error, PASSING) and not is_last:
                raise
            return failed_month(month, readable(error))

    with ThreadPoolExecutor(PLANNED) as planning:
        due = [month for month in months if month not in planned]
        running = {month: planning.submit(copy_context().run, plan, month) for month in due}
    planned |= {month: each.result() for month, each in running.items() if not each.exception()}
    return [planned[month] if month in planned else running[month].result() for month in months]
