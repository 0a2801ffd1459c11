"""The report of one month: charts of its rows and its data quality, in the UI and as HTML.

python flows/month_report.py --color green --year 2020 --month 10
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task

from core.disk import room_for
from core.scratch import scratch_folder, subfolder
from core.storage.bucket import Bucket
from monthly.catalog.reading import listed_marks
from monthly.catalog.words import months_markdown
from monthly.datasets import DATASETS
from monthly.history import history_markdown
from monthly.ledger import Entry, report_key
from monthly.ledger_notes import note_report
from monthly.month import Color, Month
from monthly.result import MonthResult, Outcome, result_of, title_of
from monthly.warehouses import InPlace, Warehouse
from monthly.warehouses.load import fetch_object, kept_entry
from orchestration import cli
from orchestration.artifacts import is_web_link, show_report
from orchestration.block_registry import BUCKET, opened_bucket, tell_places
from orchestration.flow_results import plain_failures, readable, timed
from orchestration.handed_down import drawing_of
from orchestration.month_summary import days_markdown
from orchestration.notifications import NOTICES
from orchestration.parameter_types import MonthOfYear, Year
from orchestration.retries import RETRIES, replanning
from orchestration.stages import stage


@dataclass(frozen=True)
class Reported:
    """The outcome of drawing the report of a loaded month.

    Attributes:
        link: link to the HTML page; empty if there is none.
        failure: why there is no report; empty if there is one.
    """

    link: str = ""
    failure: str = ""


@task(task_run_name="plan {month}", **RETRIES)
@stage
def plan(month: Month, bucket: Bucket) -> Entry:
    """Look up the month in the ledger."""
    return kept_entry(bucket, month)


@task(task_run_name="report {month}", **RETRIES)
@stage
def report(
    month: Month, entry: Entry, found: Path | InPlace, bucket: Bucket, where: str, days: str
) -> str:
    """Draw the month's charts and publish them, with its data quality, in the UI and the bucket."""
    # Imported late, with DuckDB: a month without work has no report.
    from monthly.report.page import page_markdown
    from monthly.report.place_names import place_names

    with scratch_folder(month, f"report {where}") as folder:
        parquet = _local(found, month, entry, subfolder(folder, "object"))
        names = place_names(bucket, DATASETS[month.dataset].declared.place_names)
        drawn = drawing_of(month, parquet, names)
        months = months_markdown(month, listed_marks(bucket, month.dataset))
        more = filter(None, [drawn.typical, days, history_markdown(entry), months])
        page = page_markdown(entry, where, drawn.pictures, list(more))
        link = _keep(page, month, entry, bucket, folder)
    file = f"[{link}]({link})" if is_web_link(link) else f"`{bucket.uri(report_key(month))}`"
    show_report(entry, f"{page}\n\nThis page as a file: {file}", link)
    return link


def _local(found: Path | InPlace, month: Month, entry: Entry, folder: Path) -> Path:
    """Return the local path of the month's Parquet file, downloading it if necessary."""
    return found if isinstance(found, Path) else fetch_object(found.bucket, month, entry, folder)


def _keep(page: str, month: Month, entry: Entry, bucket: Bucket, folder: Path) -> str:
    from monthly.report.page import page_html

    key, path = report_key(month), folder / f"{month.stem}.report.html"
    with room_for(path.name, folder):
        path.write_text(page_html(title_of(entry), page), encoding="utf-8")
    bucket.upload(path, key)
    note_report(bucket, month, entry)
    return bucket.link(key)


def try_report(
    month: Month, entry: Entry, found: Path | InPlace, bucket: Bucket, warehouse: Warehouse
) -> Reported:
    """Draw the report of a loaded month; a failure does not affect the load.

    A failure shows up as a failed task of a completed run, an error in its log, and the reason
    given with the month.
    """
    where = bucket.uri(entry.object_key)
    try:
        days = days_markdown(month, warehouse)
        with replanning(is_enabled=False):  # the month is loaded
            return Reported(link=report(month, entry, found, bucket, where, days))
    except Exception as error:
        failure = f"the report failed: {month.unprefixed(readable(error).message)}"
        get_run_logger().error("%s is loaded, but %s", month, failure)
        return Reported(failure=failure)


@flow(name="month-report", flow_run_name="{color} {year}-{month:02}", **NOTICES)
@plain_failures
@timed
def month_report(
    color: Color = "yellow", year: Year = 2021, month: MonthOfYear = 1, bucket: str = BUCKET
) -> MonthResult:
    """Draw the report of a month in the bucket: its days, week, amounts and busiest places.

    Loading a month draws its report automatically; this flow draws a missing one, or redraws it.

    Args:
        color: Dataset, by the name of its declaration.
        year: Year of the file, four digits.
        month: Month of the file, 1 to 12.
        bucket: Block of the bucket, as TYPE/NAME, or a folder.
    """
    which, opened = Month(color, year, month), opened_bucket(bucket)
    tell_places("", opened)
    store = opened.used
    entry = plan(which, store)
    found = InPlace(store, entry.object_key, entry.object_version)
    link = report(which, entry, found, store, store.uri(entry.object_key), "")
    line = result_of(which, Outcome.DRAWN, "", entry, store.uri(report_key(which)))
    return replace(line, report=link)


if __name__ == "__main__":
    cli.run(month_report)
