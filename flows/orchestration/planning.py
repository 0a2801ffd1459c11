"""The task that plans the months of a parent run."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from prefect import task
from prefect.runtime import task_run

from core.storage.bucket import Bucket
from monthly.gates.policy import Policy
from monthly.month import Month
from monthly.plan import Plan, due_in_warehouse, plan_month
from monthly.result import MonthResult, failed_month
from monthly.warehouses import Warehouse
from orchestration.flow_results import readable
from orchestration.retries import PASSING, RETRIES
from orchestration.stages import stage

#: Months planned concurrently; each sends a request to the publisher.
PLANNED = 8


@task(name="plan", task_run_name="plan {months[0].dataset}", **RETRIES)
@stage
def plan_all(
    months: Sequence[Month],
    source: str,
    bucket: Bucket,
    warehouse: Warehouse | None,
    force: bool,
    policy: Policy,
) -> list[Plan | MonthResult]:
    """Compare the published files with the bucket and the warehouse, without writing anything.

    One task plans all months, because a task run takes longer than a request. A transient error
    retries all of them; the last attempt returns a failed line for each month that fails.
    """
    is_last = (task_run.run_count or 0) > RETRIES["retries"]

    def plan(month: Month) -> Plan | MonthResult:
        try:
            return _plan(month, source, bucket, warehouse, force, policy)
        except Exception as error:
            if isinstance(error, PASSING) and not is_last:
                raise
            return failed_month(month, readable(error))

    with ThreadPoolExecutor(PLANNED) as planning:
        running = [planning.submit(copy_context().run, plan, month) for month in months]
    return [each.result() for each in running]


def _plan(
    month: Month,
    source: str,
    bucket: Bucket,
    warehouse: Warehouse | None,
    force: bool,
    policy: Policy,
) -> Plan:
    planned = plan_month(month, source, bucket, force, policy)
    if warehouse is None:
        return planned
    return due_in_warehouse(planned, warehouse.held(month), warehouse.name())
