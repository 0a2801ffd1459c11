"""Removal of months from the bucket, with their ledger entries, and from the warehouse.

python flows/drop_months.py --color green --months 2020-10
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from core.storage.bucket import Bucket
from monthly.dropping import Remains, drop_month, find_remains
from monthly.month import Color, Month, months_of
from monthly.result import MonthResult, Outcome
from monthly.warehouses import Warehouse
from orchestration import cli
from orchestration.artifacts import show_months
from orchestration.block_registry import BUCKET, WAREHOUSE, opened_places
from orchestration.flow_results import plain_failures
from orchestration.notifications import NOTICES
from orchestration.parameter_types import MonthOfYear, Year
from orchestration.retries import RETRIES
from orchestration.stages import stage


@task(task_run_name="find {month}", **RETRIES)
@stage
def find(month: Month, bucket: Bucket, warehouse: Warehouse | None) -> Remains:
    """Find the month in the bucket and the warehouse, without changing anything."""
    return find_remains(month, bucket, warehouse)


@task(task_run_name="drop {remains.month}", **RETRIES)
@stage
def drop(remains: Remains, bucket: Bucket, warehouse: Warehouse | None) -> None:
    """Remove the month from the warehouse, then its ledger entry and objects from the bucket."""
    drop_month(remains, bucket, warehouse)
    get_run_logger().info(
        "%s: %s and %s removed",
        remains.month,
        _counted(remains.rows, "row"),
        _counted(len(remains.keys) + len(remains.editions), "object"),
    )


def _run_name() -> str:
    parameters = flow_run.parameters
    return f"{parameters['color']} {parameters['months']}"


@flow(name="drop-months", flow_run_name=_run_name, **NOTICES)
@plain_failures
def drop_months(
    color: Color = "yellow",
    year: Year = 2021,
    months: str | list[MonthOfYear] = "",
    bucket: str = BUCKET,
    warehouse: str = WAREHOUSE,
    yes: bool = False,
) -> State[list[MonthResult]]:
    """Remove months from the bucket and the warehouse, and nothing else.

    For each month this removes the Parquet object, ledger entry with its history, rejects, report
    and editions from the bucket, and the rows and the ledger row from the warehouse. If a removal
    is killed, the next run completes it. A scheduled run loads the month again if it is still
    published.

    Args:
        color: Dataset, by the name of its declaration.
        year: Year of the months given by number.
        months: Numbers ([1, 2] or 1,2), months (2020-11), or an inclusive range
            (2020-01:2020-12).
        bucket: Block of the bucket, as TYPE/NAME, or a folder.
        warehouse: Block of the warehouse, as TYPE/NAME, or a DuckDB file; empty for the bucket
            alone.
        yes: Remove the months; otherwise the run only shows what it would remove.
    """
    wanted = months_of(color, months, year)
    store, target = opened_places(bucket, warehouse)
    found = [find(month, store, target) for month in wanted]
    there = [remains for remains in found if remains.is_there]
    if yes:
        for remains in there:
            drop(remains, store, target)
    lines = [_line(remains, store, target, yes) for remains in found]
    show_months(lines, f"drop {color} {months}")
    return _verdict(lines, len(there), yes)


def _line(remains: Remains, bucket: Bucket, warehouse: Warehouse | None, yes: bool) -> MonthResult:
    if not remains.is_there:
        return MonthResult(remains.month, Outcome.NOT_THERE)
    where = [bucket.uri(key)] if (key := remains.shown_key) else []
    where += [warehouse.name()] if warehouse and (remains.rows or remains.is_remembered) else []
    return MonthResult(
        remains.month,
        Outcome.DROPPED if yes else Outcome.TO_BE_DROPPED,
        _what(remains),
        rows_written=remains.rows,
        size=remains.size,
        where=", ".join(where),
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _what(remains: Remains) -> str:
    text = f"{_counted(remains.rows, 'row')}, {_counted(len(remains.keys), 'object')}"
    editions = remains.edition_names
    return f"{text}, editions {', '.join(editions)}" if editions else text


def _verdict(lines: Sequence[MonthResult], there: int, yes: bool) -> State[Any]:
    count = f"{there} of {len(lines)} months"
    if not there:
        return Completed(name="Skipped", message="nothing of them is there", data=list(lines))
    if yes:
        return Completed(message=f"{count} dropped", data=list(lines))
    return Completed(name="Planned", message=f"{count} would be dropped", data=list(lines))


def _question(lines: Sequence[MonthResult]) -> str:
    """Return the question that names the months to drop, or an empty string if there are none."""
    there = [str(line.month) for line in lines if line.status is Outcome.TO_BE_DROPPED]
    return f"Remove {', '.join(there)} for good?" if there else ""


if __name__ == "__main__":
    cli.run(drop_months, confirm=_question)
