"""Verification, in this process's bucket and warehouse, of months that other processes ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State

from core.errors import StorageError, TripsError
from core.storage.bucket import Bucket
from monthly.ledger import object_key, read_entry
from monthly.month import Month
from monthly.result import MonthResult, failed_month, result_of
from monthly.warehouses import Warehouse
from orchestration.flow_results import error_of
from orchestration.retries import PASSING, RETRIES
from orchestration.stages import stage

#: Months looked up at a time, with one request to the bucket each.
ASKED = 8


def all_arrived(
    lines: Sequence[MonthResult], store: Bucket, warehouse: Warehouse | None
) -> list[MonthResult]:
    """Return the results of months that ran elsewhere, completed from bucket and warehouse.

    One task looks up all of them: a task run takes longer than a request.

    Args:
        lines: results as the other processes reported them.
        store: the bucket as this process sees it.
        warehouse: the warehouse as this process sees it, if there is one.
    """
    asked = [line for line in lines if not (line.is_failed or line.is_held)]
    if not asked:
        return list(lines)
    loaded = loaded_months(asked[0].month.dataset, warehouse) if warehouse else None
    where = f" -> {warehouse.name()}" if warehouse else ""
    state: Any = arrived(asked, store, loaded, where, return_state=True)
    found = {line.month: line for line in _found(asked, state)}
    return [found.get(line.month, line) for line in lines]


def _found(asked: Sequence[MonthResult], state: State[list[MonthResult]]) -> Sequence[MonthResult]:
    if state.is_completed():
        return state.result()
    return [failed_month(line.month, error_of(state)) for line in asked]


@task(name="loaded", task_run_name="loaded {dataset}", **RETRIES)
@stage
def loaded_months(dataset: str, warehouse: Warehouse) -> Mapping[Month, str]:
    """Return the SHA-256 of the object that each month was loaded from."""
    return warehouse.loaded(dataset)


@task(name="arrived", task_run_name="arrived, {lines[0].month.dataset}", **RETRIES)
@stage
def arrived(
    lines: Sequence[MonthResult],
    store: Bucket,
    loaded: Mapping[Month, str] | None,
    where: str,
) -> list[MonthResult]:
    """Look up each month in the bucket and among the warehouse's loaded months."""

    def look(line: MonthResult) -> MonthResult:
        try:
            return _arrived(line, store, loaded, where)
        except TripsError as error:
            if isinstance(error, PASSING):
                raise  # the task is retried for all months
            return failed_month(line.month, error)

    with ThreadPoolExecutor(ASKED) as asking:
        return list(asking.map(look, lines))


def _arrived(
    line: MonthResult, store: Bucket, loaded: Mapping[Month, str] | None, where: str
) -> MonthResult:
    entry, _ = read_entry(store, line.month)
    if entry is None or (loaded is not None and loaded.get(line.month) != entry.loaded_sha256):
        missing = where.removeprefix(" -> ") if entry else store.uri(object_key(line.month))
        return failed_month(
            line.month,
            StorageError(
                f"was run ({line.status.value}), but is not in {missing}; "
                "name a bucket and a warehouse that all machines share"
            ),
        )
    full = result_of(
        line.month, line.status, line.reason, entry, store.uri(entry.object_key) + where
    )
    # The ledger has the counts and places; only the run knows what it changed.
    return replace(
        line,
        rows_read=full.rows_read,
        rows_written=full.rows_written,
        rows_rejected=full.rows_rejected,
        size=full.size,
        where=full.where,
        generated=full.generated,
    )
