"""Estimates the price of a plan from ledger, disks and warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prefect import get_run_logger, task

from core.scratch import scratch_root
from core.storage.bucket import Bucket
from monthly.gates.history import read_history
from monthly.ledger import Entry
from monthly.plan import Plan
from monthly.price import Price, expected_rows, places_of, price_of
from monthly.warehouses import Warehouse
from monthly.warehouses.space import space_of
from orchestration.retries import RETRIES
from orchestration.stages import stage


@task(name="price", task_run_name="price", **RETRIES)
@stage
def priced(
    plans: Sequence[Plan],
    bucket: Bucket,
    warehouse: Warehouse | None,
    workers: int,
    queries: bool,
) -> Price:
    """Estimate what the run of months takes, without writing anything.

    Args:
        plans: the plans that have work.
        bucket: the bucket.
        warehouse: the warehouse, if there is one.
        workers: months run at a time.
        queries: whether to ask BigQuery what its queries would bill.
    """
    # By name: importing the class takes a second, which other warehouses do not need.
    is_bigquery = type(warehouse).__name__ == "BigQuery"
    history = read_history(bucket, plans[0].month)
    # Disk space is not limited at Google, so the plan of a run, without queries, skips the request.
    asked = warehouse if queries or not is_bigquery else None
    space = space_of(asked, plans[0].month.dataset) if asked else None
    price = price_of(plans, history, workers, places_of(scratch_root(), bucket, space))
    if warehouse and is_bigquery and queries:
        return _with_queries(price, plans, history, warehouse)
    return price


def warn_of(price: Price) -> None:
    """Log a warning for each disk that is too small."""
    for each in price.warnings:
        get_run_logger().warning("%s", each)


def _with_queries(
    price: Price, plans: Sequence[Plan], history: Sequence[Entry], warehouse: Warehouse
) -> Price:
    from monthly.warehouses.bigquery_bytes import billed

    there = [plan.month for plan in plans if plan.entry and not plan.in_bucket]
    new = [plan for plan in plans if plan.month not in there]
    rows, texts = expected_rows(new, history), _mean_texts(history)
    if not (there or rows):
        return price
    return replace(price, queries=billed(warehouse, there, rows, texts))  # type: ignore[arg-type] # as its name says


def _mean_texts(history: Sequence[Entry]) -> dict[str, float]:
    """Return the mean bytes per value of each text column, whose recorded sum is in bytes."""
    sums = (
        (name, found.total, entry.rows_written)
        for entry in history[:1]
        for name, found in entry.columns.items()
    )
    return {name: total / rows for name, total, rows in sums if rows and isinstance(total, int)}
