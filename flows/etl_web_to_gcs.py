"""Transfer of one month from the web to the bucket: extract, transform, load.

python flows/etl_web_to_gcs.py --color green --year 2020 --month 10
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State

from core.download.remote_file import Download, RemoteFile
from core.errors import NotPublished, StillHeld
from core.scratch import scratch_folder, subfolder
from core.storage.bucket import Bucket
from monthly.convert.readings import DateOrder, DecimalMark, NewColumns, Rules, UtcTimes
from monthly.editions import edition_names, editions_to_keep
from monthly.gates.aside import confirm_aside, reason_of
from monthly.gates.judging import Finding
from monthly.gates.policy import GateMode, Policy
from monthly.ledger import Entry, confirmed, entry_key, write_entry
from monthly.markdown import one_line
from monthly.month import Color, Month
from monthly.plan import Plan, Status, held_plan, plan_month
from monthly.replacement import Replaced, replace_month
from monthly.result import MonthResult, Outcome, result_of
from monthly.revision import Revision
from monthly.sources import chosen, download
from orchestration import cli
from orchestration.artifacts import show_quality
from orchestration.block_registry import BUCKET, SOURCE, opened_bucket, tell_places
from orchestration.flow_results import plain_failures, skipped, timed
from orchestration.gate_tasks import passed, release, remove_leftovers
from orchestration.handed_down import plan_of_parent
from orchestration.notifications import CORRECTIONS
from orchestration.parameter_types import DeclaredCount, DeclaredShare, MonthOfYear, Year
from orchestration.progress import shown_progress
from orchestration.retries import PASSING, RETRIES, planned_again
from orchestration.stages import stage

if TYPE_CHECKING:
    from monthly.convert.to_parquet import Converted


@task(task_run_name="plan {month}", **RETRIES)
@stage
def plan(month: Month, source: str, bucket: Bucket, force: bool, policy: Policy) -> Plan:
    """Compare the published file with the ledger entry and with a held month."""
    return plan_month(month, source, bucket, force, policy)


@task(task_run_name="extract {published.what}", **RETRIES)
@stage
def extract(published: RemoteFile[Month], folder: Path) -> Download[Month]:
    """Download the published file atomically; a retry resumes where it stopped."""
    # Arrow takes a quarter of a second to import; do it during the download.
    Thread(target=import_module, args=("monthly.convert.to_parquet",), daemon=True).start()
    logger = get_run_logger()
    with shown_progress(str(published), logger) as tell:
        found = download(published, subfolder(folder, "published"), tell)
    logger.info("%s: %s bytes", published, f"{found.size:,}")
    return found


@task(task_run_name="transform {download.what}")
@stage
def transform(download: Download[Month], folder: Path, rules: Rules) -> Converted:
    """Convert the file to one Parquet file in the canonical schema, accounting for every row."""
    # Imported late: an unchanged month does not need Arrow.
    from monthly.convert.to_parquet import convert

    converted = convert(download.what, download.path, subfolder(folder, "converted"), rules)
    tell(download.what, converted.drift, converted.rows_rejected, converted.rows_declared)
    return converted


def tell(month: Month, drift: Mapping[str, Sequence[str]], rejected: int, declared: int) -> None:
    """Log the schema drift and the number of rejected rows, which may all be declared as such."""
    logger = get_run_logger()
    for kind, found in drift.items():
        if found:
            what = "" if kind == "read" else "columns "
            logger.info("%s: %s%s: %s", month, what, kind, ", ".join(map(one_line, found)))
    if rejected:
        level = logging.WARNING if rejected > declared else logging.INFO
        asked = f", {declared:,} as declared" if declared else ""
        logger.log(level, "%s: rows rejected: %s%s", month, f"{rejected:,}", asked)


@task(task_run_name="compare {plan.month}", **RETRIES)
@stage
def compare(
    plan: Plan, download: Download[Month], converted: Converted, bucket: Bucket, folder: Path
) -> Revision | None:
    """Compare the converted month with the one that it is about to replace."""
    from monthly.corrections import conversion_change

    return conversion_change(bucket, plan, download, converted, subfolder(folder, "compared"))


@task(task_run_name="load {plan.month}", **RETRIES)
@stage
def load(
    plan: Plan,
    download: Download[Month],
    converted: Converted,
    bucket: Bucket,
    replaced: Replaced | None,
    odd: Sequence[Finding],
) -> Entry:
    """Upload the Parquet file to the bucket, then write the ledger entry that makes it valid."""
    entry = replace_month(bucket, download, converted, plan.entry_version, replaced)
    show_quality(entry, bucket.uri(entry.object_key), [each.text for each in odd])
    return entry


@dataclass(frozen=True)
class Options:
    """Options of a month's transfer.

    Attributes:
        force: whether to run it even if nothing has changed.
        rules: how its file is read.
        policy: what to do with it if it is unlike the months before it.
        editions: number of replaced objects to keep.
    """

    force: bool
    rules: Rules
    policy: Policy
    editions: int


@flow(name="etl-web-to-gcs", flow_run_name="{color} {year}-{month:02}", **CORRECTIONS)
@plain_failures
@timed
def etl_web_to_gcs(
    color: Color = "yellow",
    year: Year = 2021,
    month: MonthOfYear = 1,
    source: str = SOURCE,
    bucket: str = BUCKET,
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
) -> MonthResult | State[MonthResult]:
    """Convert one month from the web to one well-typed Parquet file in the bucket.

    The run skips a month that is in the ledger and has not changed at the publisher, and a pinned
    one. The object that a correction replaces is kept as an edition.

    Args:
        color: Dataset, by the name of its declaration.
        year: Year of the file, four digits.
        month: Month of the file, 1 to 12.
        source: A declared source, such as dtc (DataTalksClub csv.gz) or tlc (TLC's Parquet);
            empty for the first one. Or sample (generated locally; sample:ROWS sets the size), or
            a URL template with {color}, {year} and {month:02}; a password or signature in it is
            written as {secret.NAME}.
        bucket: Block of the bucket, as TYPE/NAME, or a folder.
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
        keep_editions: Number of replaced objects to keep; empty for the dataset's number, 1
            unless declared.
        gates: What to do with an unusual month - hold it, warn and load it, or off to check none.
        thresholds: Thresholds of gates that override the declared ones, as a JSON object.
        accept: Accept the held month.
    """
    readings = (date_order, utc_times, decimal_mark)
    rules = Rules(strict, max_reject_share, max_outside_share, *readings, new_columns)
    which, opened = Month(color, year, month), opened_bucket(bucket)
    source = chosen(source, color)
    tell_places(source, opened, dataset=color)
    policy = Policy.of(color, gates, thresholds, accept)
    options = Options(force, rules.checked(which), policy, editions_to_keep(color, keep_editions))
    with scratch_folder(which, f"{source} {bucket}") as folder:
        bring = partial(_bring, which, source, opened.used, folder, options)
        planned = _still_current(plan_of_parent(which), opened.used)
        return planned_again(partial(bring, planned), bring)


def _still_current(planned: Plan | None, store: Bucket) -> Plan | None:
    """Return the parent's plan if no other run has changed the ledger entry since."""
    if planned is None:
        return None
    try:
        stored = store.read(entry_key(planned.month))
    except PASSING:
        return None  # the task that plans again has retries
    return planned if (stored.version if stored else None) == planned.entry_version else None


def _bring(
    which: Month,
    source: str,
    store: Bucket,
    folder: Path,
    options: Options,
    planned: Plan | None = None,
) -> MonthResult | State[MonthResult]:
    planned = planned or plan(which, source, store, options.force, options.policy)
    if planned.status is Status.HELD:
        raise _held(planned)
    if planned.status is Status.NOT_YET_PUBLISHED:
        raise NotPublished(f"{which}: {planned.reason}")
    remove_leftovers([planned], store)
    if planned.published is None or not planned.has_work:
        return _skipped(planned, store)
    found = extract(planned.published, folder)
    if planned.proves_unchanged(found.sha256):
        return _skipped(_confirm(planned, found, store), store)
    if held := planned.proven_held(found.sha256):
        confirm_aside(store, which, held, found)
        raise _held(held_plan(planned, held, store))
    return _judged_and_loaded(
        planned, found, transform(found, folder, options.rules), store, folder, options
    )


def _held(planned: Plan) -> StillHeld:
    return StillHeld(f"{planned.month}: {planned.reason}", *planned.remedies)


def _judged_and_loaded(
    planned: Plan,
    found: Download[Month],
    converted: Converted,
    store: Bucket,
    folder: Path,
    options: Options,
) -> MonthResult:
    before = planned.entry
    revision = compare(planned, found, converted, store, folder) if before else None
    odd = passed(planned, found, converted, revision, store, options.policy)
    replaced = Replaced(before, revision, options.editions) if before else None
    entry = load(planned, found, converted, store, replaced, odd)
    if planned.aside.keys:
        release(planned.month, planned.aside, store)
    reason, where = planned.reason if before else "", store.uri(entry.object_key)
    line = result_of(planned.month, Outcome.LOADED, reason, entry, where)
    kept = _kept(planned.month, revision, store)
    return replace(line, revision=revision, kept_edition=kept, warning=reason_of(odd))


def _kept(month: Month, revision: Revision | None, store: Bucket) -> str:
    there = edition_names(store, month) if revision else []
    return revision.edition_before if revision and revision.edition_before in there else ""


def _confirm(planned: Plan, found: Download[Month], store: Bucket) -> Plan:
    """Store the publisher's new ETag or modification time for the same content in the ledger."""
    assert planned.entry is not None  # noqa: S101 - only a month of the ledger is confirmed
    entry = confirmed(planned.entry, found)
    write_entry(store, planned.month, entry, planned.entry_version)
    reason = f"{planned.reason}, but the same content"
    return replace(planned, status=Status.UNCHANGED, reason=reason, entry=entry)


def _skipped(planned: Plan, store: Bucket) -> State[MonthResult]:
    return skipped(planned, store.uri(planned.entry.object_key) if planned.entry else "")


if __name__ == "__main__":
    cli.run(etl_web_to_gcs)
