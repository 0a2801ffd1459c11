"""The history of months in the bucket: show it, restore an edition, pin a month or unpin it.

python flows/history.py --color green --months 2020-10
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from core.clock import utc_now
from core.errors import StorageError, UsageError
from core.scratch import scratch_folder
from core.storage.bucket import Bucket
from etl_gcs_to_bq import etl_gcs_to_bq
from monthly.editions import edition_names, edition_of, editions_to_keep, named_edition
from monthly.history import MonthHistory, history_of, history_record, history_table
from monthly.ledger import Entry
from monthly.month import Color, Month, months_of
from monthly.replacement import known_entry, refuse_unpinnable
from monthly.replacement import pin as pin_month
from monthly.replacement import restore as restore_month
from monthly.replacement import unpin as unpin_month
from orchestration import cli
from orchestration.artifacts import show_history
from orchestration.block_registry import (
    BUCKET,
    WAREHOUSE,
    opened_bucket,
    opened_postgres,
    opened_warehouse,
    tell_places,
)
from orchestration.flow_results import error_of, plain_failures
from orchestration.notifications import NOTICES
from orchestration.parameter_types import DeclaredCount, MonthOfYear, Year
from orchestration.paths import absolute_name
from orchestration.retries import RETRIES, planned_again
from orchestration.stages import stage

if TYPE_CHECKING:
    from monthly.warehouses.postgres import Postgres

Change = Callable[[Bucket, Month], Entry]


@task(task_run_name="read {month}", **RETRIES)
@stage
def read(month: Month, bucket: Bucket) -> MonthHistory:
    """Read the history of a month from its ledger entry, without changing anything."""
    return history_of(bucket, month)


@task(task_run_name="check {month}", **RETRIES)
@stage
def check(month: Month, bucket: Bucket, pin: bool) -> None:
    """Refuse a month that cannot be pinned or unpinned, before any month is."""
    (refuse_unpinnable if pin else known_entry)(bucket, month)


@task(task_run_name="{what} {month}", **RETRIES)
@stage
def change(what: str, month: Month, bucket: Bucket, how: Change) -> Entry:
    """Restore, pin or unpin a month; if another run changed it in the meantime, retry once."""
    entry = planned_again(partial(how, bucket, month))
    edition = edition_of(entry.object_sha256)
    is_pinned = f"pinned on {entry.pinned[:10]}" if entry.pinned else "not pinned"
    get_run_logger().info("%s: edition %s is current, %s", month, edition, is_pinned)
    return entry


@task(task_run_name="pin {month}", **RETRIES)
@stage
def pin_in_database(month: Month, warehouse: Postgres, pinned: str) -> None:
    """Pin or unpin a month that has no object in a bucket."""
    warehouse.pin(month, pinned)


@task(task_run_name="read {month}", **RETRIES)
@stage
def read_database(month: Month, warehouse: Postgres) -> MonthHistory:
    """Read the history of a month that has no object in a bucket."""
    return MonthHistory(month, warehouse.entry(month), (), warehouse.name())


def _run_name() -> str:
    parameters = flow_run.parameters
    return f"{parameters['color']} {parameters['months']}"


@flow(name="history", flow_run_name=_run_name, **NOTICES)
@plain_failures
def history(
    color: Color = "yellow",
    year: Year = 2021,
    months: str | list[MonthOfYear] = "",
    bucket: str = BUCKET,
    warehouse: str = WAREHOUSE,
    restore: str = "",
    pin: bool = False,
    unpin: bool = False,
    keep_editions: DeclaredCount = None,
) -> State[list[MonthHistory]]:
    """Show what corrections changed in months; restore an edition, pin months or unpin them.

    No run replaces a pinned month, even if the publisher corrects it. A restored edition is pinned
    and loaded into the warehouse; the object that it replaces becomes an edition.

    Args:
        color: Dataset, by the name of its declaration.
        year: Year of the months given by number.
        months: Numbers ([1, 2] or 1,2), months (2020-11), or an inclusive range
            (2020-01:2020-12).
        bucket: Block of the bucket, as TYPE/NAME, or a folder; empty for months that ingest_data
            loaded without a bucket, which have no editions.
        warehouse: Block of the warehouse, as TYPE/NAME, or a DuckDB file, to load a restored
            edition into; empty for the bucket alone.
        restore: Edition of one month to restore; its first 4 digits are enough if they are
            unique.
        pin: Pin the months as they are.
        unpin: Unpin the months, so that runs replace them again.
        keep_editions: Number of replaced objects to keep; empty for the dataset's number, 1
            unless declared.
    """
    wanted = months_of(color, months, year)
    _refuse_contradictions(wanted, restore, pin, unpin)
    if not bucket:
        return _of_database(wanted, warehouse, restore, pin, unpin)
    bucket, warehouse = absolute_name(bucket), absolute_name(warehouse)
    opened, editions = opened_bucket(bucket), editions_to_keep(color, keep_editions)
    tell_places("", opened, opened_warehouse(warehouse) if restore and warehouse else None)
    store = opened.used
    if len(wanted) > 1 and (pin or unpin):
        for month in wanted:
            check(month, store, pin)
    for month in wanted:
        if restore:
            with scratch_folder(month, f"restore {bucket}") as folder:
                how = partial(_restore, restore, folder, editions)
                change("restore", month, store, how)
        elif pin or unpin:
            change("pin" if pin else "unpin", month, store, pin_month if pin else unpin_month)
    if restore and warehouse:
        _load(wanted[0], bucket, warehouse)
    lines = [read(month, store) for month in wanted]
    return _verdict(lines)


def _refuse_contradictions(wanted: Sequence[Month], restore: str, pin: bool, unpin: bool) -> None:
    if unpin and (pin or restore):
        other = "pin" if pin else "restore"
        raise UsageError(f"unpin contradicts {other}; leave one of them out")
    if restore and len(wanted) != 1:
        named = ", ".join(map(str, wanted))
        raise UsageError(f"edition {restore} belongs to one month, not to {named}; name one")


def _of_database(
    wanted: Sequence[Month], warehouse: str, restore: str, pin: bool, unpin: bool
) -> State[list[MonthHistory]]:
    """Show, pin or unpin months of Postgres that have no object in a bucket."""
    opened = opened_postgres(warehouse, "name the bucket if you use another warehouse")
    if restore:
        raise UsageError(f"{opened.used.name()} has no editions to restore; name the bucket")
    tell_places("", None, opened)
    target = opened.used
    if pin or unpin:
        if len(wanted) > 1:
            _refuse_unloaded(wanted, target)
        for month in wanted:
            pin_in_database(month, target, utc_now() if pin else "")
    return _verdict([read_database(month, target) for month in wanted])


def _refuse_unloaded(wanted: Sequence[Month], warehouse: Postgres) -> None:
    """Refuse to pin or unpin any month if one of them was never loaded."""
    for month in wanted:
        if read_database(month, warehouse).entry is None:
            raise StorageError(f"{month} is not in {warehouse.name()}; load it first")


def _restore(text: str, folder: Path, editions: int, bucket: Bucket, month: Month) -> Entry:
    """Restore the edition whose name begins with a text."""
    edition = named_edition(month, text, edition_names(bucket, month))
    return restore_month(bucket, month, edition, folder, editions)


def _load(month: Month, bucket: str, warehouse: str) -> None:
    load: Any = etl_gcs_to_bq  # its overloads for return_state are wrong
    which = {"color": month.dataset, "year": month.year, "month": month.month}
    state = load(**which, bucket=bucket, warehouse=warehouse, return_state=True)
    if state.is_failed():
        error = error_of(state)
        reason = f"restored in the bucket, but not loaded: {month.unprefixed(error.message)}"
        raise StorageError(f"{month}: {reason}", *error.remedies)


def _verdict(lines: Sequence[MonthHistory]) -> State[Any]:
    """Show the histories and return the state of the run."""
    show_history(lines, f"History of {', '.join(str(line.month) for line in lines)}")
    known = [line.entry for line in lines if line.entry]
    replaced = sum(len(entry.history) for entry in known)
    pinned = sum(bool(entry.pinned) for entry in known)
    message = f"months: {len(known)}, replacements: {replaced}, pinned: {pinned}"
    return Completed(message=message, data=list(lines))


if __name__ == "__main__":
    cli.run(history, show=history_table, record=history_record)
