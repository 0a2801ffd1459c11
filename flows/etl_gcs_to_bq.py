"""Loading of one month from the bucket into the warehouse, as an atomic replacement.

python flows/etl_gcs_to_bq.py --color green --year 2020 --month 10
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from core.errors import Conflict, StorageError
from core.scratch import scratch_folder
from core.storage.bucket import Bucket
from month_report import Reported, try_report
from monthly.ledger import Entry, read_entry
from monthly.ledger_notes import has_report, note_load
from monthly.month import Color, Month
from monthly.result import MonthResult, Outcome, result_of
from monthly.warehouses import InPlace, Warehouse, dropped_meanwhile
from monthly.warehouses.load import kept_entry, load_object, object_for
from orchestration import cli
from orchestration.block_registry import (
    BUCKET,
    WAREHOUSE,
    opened_bucket,
    opened_warehouse,
    tell_places,
)
from orchestration.flow_results import plain_failures, timed
from orchestration.handed_down import plan_of_parent
from orchestration.notifications import NOTICES
from orchestration.parameter_types import MonthOfYear, Year
from orchestration.retries import RETRIES, planned_again
from orchestration.stages import stage


@dataclass(frozen=True)
class Planned:
    """The plan for a month in the bucket.

    Attributes:
        entry: its ledger entry.
        is_loaded: whether the warehouse has this exact object.
        has_report: whether the bucket has its report.
    """

    entry: Entry
    is_loaded: bool
    has_report: bool


@task(task_run_name="plan {month}", **RETRIES)
@stage
def plan(month: Month, bucket: Bucket, warehouse: Warehouse) -> Planned:
    """Look up the month in the ledger and check whether warehouse and bucket have all of it."""
    entry, there = kept_entry(bucket, month), warehouse.loaded_month(month)
    if there and (difference := there.difference(warehouse.name())):
        get_run_logger().warning("%s: %s", month, difference)
    is_loaded = there is not None and there.is_intact(entry.loaded_sha256, warehouse.name())
    return Planned(entry, is_loaded, is_loaded and has_report(bucket, month, entry))


@task(task_run_name="extract {month}", **RETRIES)
@stage
def extract(
    month: Month, entry: Entry, bucket: Bucket, folder: Path, warehouse: Warehouse
) -> Path | InPlace:
    """Download the Parquet object named in the ledger, unless the warehouse reads it in place."""
    return object_for(warehouse, bucket, month, entry, folder)


@task(name="extract", task_run_name="extract {month}", **RETRIES)
def extract_planned(
    month: Month, bucket: Bucket, folder: Path, warehouse: Warehouse, force: bool
) -> tuple[Planned, Path | InPlace | None]:
    """Look up and extract a month that a parent run has planned; None if it is in the warehouse.

    One task run, as it takes longer than the look-up.
    """
    planned = plan.fn(month, bucket, warehouse)
    if planned.is_loaded and not force:
        return planned, None
    return planned, extract.fn(month, planned.entry, bucket, folder, warehouse)


@dataclass(frozen=True)
class Loaded:
    """The rows that a load put into the warehouse, and their object.

    Attributes:
        rows: rows of the month.
        size: size of the object they came from, bytes.
    """

    rows: int
    size: int


@task(task_run_name="load {month}", **RETRIES)
@stage
def load(
    month: Month, entry: Entry, found: Path | InPlace, warehouse: Warehouse, bucket: Bucket
) -> Loaded:
    """Replace the month in the warehouse atomically, and record in the ledger how long it took.

    Raises:
        Conflict: another run replaced the month in the bucket meanwhile, and may have loaded the
            new object before this run loaded the old one.
        StorageError: another run dropped the month from the bucket meanwhile.
    """
    begun = time.perf_counter()
    rows = load_object(warehouse, month, entry, found)
    seconds, is_current = time.perf_counter() - begun, True
    try:
        is_current = note_load(bucket, month, entry, seconds)
    except StorageError as error:  # the month is loaded, even if this account only reads the bucket
        get_run_logger().info("%s: the seconds of the load are not in the ledger: %s", month, error)
    if not is_current and read_entry(bucket, month)[0] is None:
        left = f", but is now in {warehouse.name()}" if warehouse.loaded_month(month) else ""
        raise dropped_meanwhile(str(month), left)
    if not is_current:
        raise Conflict(f"{month} was replaced in the bucket while it was being loaded; run again")
    get_run_logger().info("%s: %s rows in %s", month, f"{rows:,}", warehouse.name())
    return Loaded(rows, entry.object_size)


@flow(name="etl-gcs-to-bq", flow_run_name="{color} {year}-{month:02}", **NOTICES)
@plain_failures
@timed
def etl_gcs_to_bq(
    color: Color = "yellow",
    year: Year = 2021,
    month: MonthOfYear = 1,
    bucket: str = BUCKET,
    warehouse: str = WAREHOUSE,
    force: bool = False,
    report: bool = True,
) -> MonthResult | State[MonthResult]:
    """Load one month from the bucket into the warehouse, replacing exactly that month.

    The run skips a month whose object the warehouse already has, but draws its report if that is
    missing.

    Args:
        color: Dataset, by the name of its declaration.
        year: Year of the file, four digits.
        month: Month of the file, 1 to 12.
        bucket: Block of the bucket, as TYPE/NAME, or a folder.
        warehouse: Block of the warehouse, as TYPE/NAME, or a DuckDB file.
        force: Load the month even if the warehouse already has it.
        report: Draw the month's report after loading it, or if it is missing.
    """
    which = Month(color, year, month)
    store, target = opened_bucket(bucket), opened_warehouse(warehouse)
    tell_places("", store, target)
    with scratch_folder(which, f"{bucket} {warehouse}") as folder:
        return planned_again(partial(_bring, which, store.used, target.used, folder, force, report))


def _bring(
    which: Month, store: Bucket, target: Warehouse, folder: Path, force: bool, report: bool
) -> MonthResult | State[MonthResult]:
    planned, found = _extracted(which, store, target, folder, force)
    entry = planned.entry
    if found is None:
        return _unchanged(which, planned, store, target, report and not planned.has_report)
    load(which, entry, found, target, store)
    drawn = try_report(which, entry, found, store, target) if report else Reported()
    line = result_of(which, Outcome.LOADED, "", entry, target.name())
    return replace(line, report=drawn.link, warning=drawn.failure)


def _unchanged(
    which: Month, planned: Planned, store: Bucket, target: Warehouse, lacks_report: bool
) -> State[MonthResult]:
    """Return the state of a month that the warehouse has, after drawing the report it lacks."""
    entry, message = planned.entry, f"{which}: {target.name()} has this object"
    line = result_of(which, Outcome.UNCHANGED, "same checksum", entry, target.name())
    if not lacks_report:
        return Completed(name="Skipped", message=message, data=line)
    found = InPlace(store, entry.object_key, entry.object_version)
    drawn = try_report(which, entry, found, store, target)
    line = replace(line, report=drawn.link, warning=drawn.failure)
    if drawn.failure:
        return Completed(name="Skipped", message=f"{message}, but {drawn.failure}", data=line)
    line = replace(line, status=Outcome.DRAWN, reason="its report was missing")
    return Completed(message=f"{message}; its report was missing and has been drawn", data=line)


def _extracted(
    which: Month, store: Bucket, target: Warehouse, folder: Path, force: bool
) -> tuple[Planned, Path | InPlace | None]:
    """Return the plan and the object; None instead of the object if the warehouse has it."""
    if plan_of_parent(which):
        return extract_planned(which, store, folder, target, force)
    planned = plan(which, store, target)
    if planned.is_loaded and not force:
        return planned, None
    return planned, extract(which, planned.entry, store, folder, target)


if __name__ == "__main__":
    cli.run(etl_gcs_to_bq)
