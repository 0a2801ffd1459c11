"""Direct load of one month from the web into Postgres, converted while it is copied.

python flows/ingest_data.py --color green --year 2020 --month 10
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State

from core.disk import room_for
from core.download.remote_file import Download
from core.errors import NotPublished
from core.scratch import scratch_folder, subfolder
from etl_web_to_gcs import extract, tell
from monthly.convert.readings import DateOrder, DecimalMark, NewColumns, Readings, Rules, UtcTimes
from monthly.gates.aside import held_error, reason_of
from monthly.gates.correction import correction_in
from monthly.gates.judging import Finding
from monthly.gates.policy import GateMode, Policy
from monthly.gates.verdict import verdict
from monthly.ledger import Entry, confirmed
from monthly.month import Color, Month
from monthly.plan import Plan, Status, due_in_warehouse, pinned_and_lost, plan_against
from monthly.result import MonthResult, Outcome, result_of
from monthly.revision import Revision
from monthly.sources import chosen
from monthly.warehouses import UNPIN_HERE
from orchestration import cli
from orchestration.artifacts import show_quality
from orchestration.block_registry import POSTGRES, SOURCE, opened_postgres, tell_places
from orchestration.flow_results import plain_failures, skipped, timed
from orchestration.gate_tasks import tell_odd
from orchestration.notifications import CORRECTIONS
from orchestration.parameter_types import DeclaredShare, MonthOfYear, Year
from orchestration.retries import RETRIES, planned_again
from orchestration.stages import stage

if TYPE_CHECKING:
    from monthly.warehouses.postgres import Postgres

_RELOAD = "load it from its bucket with flows/etl_gcs_to_bq.py"


@task(task_run_name="plan {month}", **RETRIES)
@stage
def plan(month: Month, source: str, warehouse: Postgres, force: bool) -> Plan:
    """Compare the published file with the month's ledger row in the warehouse."""
    planned = plan_against(month, source, warehouse.entry(month, garbled_too=force), force)
    there = warehouse.loaded_month(month)
    difference = there.difference(warehouse.name()) if there else None
    if difference and planned.entry and planned.status is Status.PINNED:
        way_out = _RELOAD if planned.entry.object_key else UNPIN_HERE
        raise pinned_and_lost(month, planned.entry, difference, way_out)
    if difference:  # identical content would not repair that
        planned = replace(planned, settled_by_content=False)
    return due_in_warehouse(planned, there, warehouse.name())


@task(task_run_name="transform and load {download.what}", **RETRIES)
@stage
def transform_and_load(
    planned: Plan,
    download: Download[Month],
    folder: Path,
    warehouse: Postgres,
    rules: Rules,
    policy: Policy,
) -> tuple[Entry, list[Finding]]:
    """Stream the converted rows into Postgres, judge them, then replace the month.

    Raises:
        Held: the month differs too much from its history; Postgres is unchanged.
    """
    # Imported late: an unchanged month does not need Arrow.
    from monthly.convert.rows import Rows, settled

    month, space = download.what, subfolder(folder, "converted")
    history, odd = warehouse.history(month) if policy.judges else [], list[Finding]()

    def judge(entry: Entry, change: Revision | None) -> None:
        odd[:] = verdict(entry, history, policy, correction_in(planned.entry, entry, change))
        tell_odd(month, odd)
        if any(each.is_held for each in odd):
            raise held_error(month, odd)

    def ingest(readings: Readings) -> Entry:
        rows = Rows(month, download.path, space, rules, readings)
        with room_for(f"{rows.rejects.path.name} of {month}", space), rows:
            before = planned.entry.source_sha256 if planned.entry else ""
            asked = judge if policy.judges else None
            entry = warehouse.ingest(rows, download, before, planned.reason, asked)
        if rows.rejects.rows_read:  # none if another run was faster
            tell(month, entry.drift, entry.rows_rejected, rows.rejects.declared)
        return entry

    entry = settled(month, download.path, rules, ingest)
    get_run_logger().info("%s: %s rows in %s", month, f"{entry.rows_written:,}", warehouse.name())
    show_quality(entry, warehouse.name(), [each.text for each in odd])
    return entry, odd


@flow(name="ingest-data", flow_run_name="{color} {year}-{month:02}", **CORRECTIONS)
@plain_failures
@timed
def ingest_data(
    color: Color = "yellow",
    year: Year = 2021,
    month: MonthOfYear = 1,
    source: str = SOURCE,
    warehouse: str = POSTGRES,
    force: bool = False,
    strict: bool = True,
    max_reject_share: DeclaredShare = None,
    max_outside_share: DeclaredShare = None,
    date_order: DateOrder = "auto",
    utc_times: UtcTimes = "auto",
    decimal_mark: DecimalMark = "auto",
    new_columns: NewColumns = "auto",
    gates: GateMode = "hold",
    thresholds: str | dict[str, Any] = "{}",
    accept: bool = False,
) -> MonthResult | State[MonthResult]:
    """Load one month from the web directly into Postgres, replacing exactly that month.

    The run skips a month that is in the database and has not changed at the publisher. Rows that
    cannot be converted go to the table rejected_rows, with line, reason and text.

    Args:
        color: Dataset, by the name of its declaration.
        year: Year of the file, four digits.
        month: Month of the file, 1 to 12.
        source: A declared source, such as dtc (DataTalksClub csv.gz) or tlc (TLC's Parquet);
            empty for the first one. Or sample (generated locally; sample:ROWS sets the size), or
            a URL template with {color}, {year} and {month:02}; a password or signature in it is
            written as {secret.NAME}.
        warehouse: Block of the Postgres database, as sqlalchemy-connector/NAME.
        force: Run the month even if nothing has changed.
        strict: Fail on an unknown column, or on a required one that is missing or empty.
        max_reject_share: Fail if more than this share of the rows cannot be converted; empty
            for the dataset's limit, 0.001 unless declared.
        max_outside_share: Fail if more than this share of the times is outside the month; empty
            for the dataset's limit, 0.5 unless declared.
        date_order: Order of the parts of dates like 2/1/21 - auto decides by the month of the file.
        utc_times: How to read times marked as UTC - local (the clock of the dataset's zone
            despite the mark) or utc (instants); auto decides by the month of the file.
        decimal_mark: Decimal mark in numbers like 1,234 - auto decides by the file's other numbers.
        new_columns: Undeclared columns - fail, drop, or keep as text; auto for what the dataset
            declares.
        gates: What to do with an unusual month - hold it, warn and load it, or off to check none.
        thresholds: Thresholds of gates that override the declared ones, as a JSON object.
        accept: Accept a month that would be held; this flow sets nothing aside.
    """
    readings = (date_order, utc_times, decimal_mark)
    rules = Rules(strict, max_reject_share, max_outside_share, *readings, new_columns)
    policy = Policy.of(color, gates, thresholds, accept)
    which, opened = Month(color, year, month), opened_postgres(warehouse)
    source = chosen(source, color)
    tell_places(source, None, opened, color)
    rules.checked(which)
    with scratch_folder(which, f"{source} {warehouse}") as folder:
        run = partial(_ingested, which, source, opened.used, folder, force, rules, policy)
        return planned_again(run)


def _ingested(
    which: Month,
    source: str,
    target: Postgres,
    folder: Path,
    force: bool,
    rules: Rules,
    policy: Policy,
) -> MonthResult | State[MonthResult]:
    planned = plan(which, source, target, force)
    if planned.status is Status.NOT_YET_PUBLISHED:
        raise NotPublished(f"{which}: {planned.reason}")
    if planned.published is None or not planned.has_work:
        return skipped(planned, target.name())
    found = extract(planned.published, folder)
    if planned.proves_unchanged(found.sha256):
        _confirm(planned, found, target)
        same = replace(planned, reason=f"{planned.reason}, but the same content")
        return skipped(same, target.name())
    policy = policy.for_file(found.sha256, None, planned.entry)
    entry, odd = transform_and_load(planned, found, folder, target, rules, policy)
    reason = planned.reason if planned.entry else ""
    line = result_of(which, Outcome.LOADED, reason, entry, target.name())
    is_new = planned.entry is None or len(entry.history) == len(planned.entry.history)
    revision = None if is_new else entry.history[-1]
    return replace(line, revision=revision, warning=reason_of(odd))


def _confirm(planned: Plan, found: Download[Month], target: Postgres) -> None:
    """Store the publisher's new ETag or modification time for the same content in the ledger."""
    assert planned.entry is not None  # noqa: S101 - only a month that is there is confirmed
    target.confirm(planned.month, confirmed(planned.entry, found))


if __name__ == "__main__":
    cli.run(ingest_data)
