"""COVID-19 by month: ECDC's daily cases of one country, summed into a CSV file and a chart.

python flows/covid_monthly.py --country Germany
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from core.download.fetch import fetch
from core.download.remote_file import RemoteFile, remote_file
from core.scratch import NamedOwner, scratch_folder
from core.storage.bucket import Bucket
from core.storage.put import put
from covid.cache import cached, keep, unchanged
from covid.edition import URL, check_edition, find_country, read_edition
from covid.monthly import Monthly, Total, by_month
from orchestration import cli
from orchestration.artifacts import show_chart
from orchestration.block_registry import BUCKET, opened_bucket, tell_places
from orchestration.flow_results import plain_failures
from orchestration.notifications import NOTICES
from orchestration.progress import shown_progress
from orchestration.retries import RETRIES
from orchestration.secret_values import check_url
from orchestration.stages import stage


@dataclass(frozen=True)
class Report:
    """The result of a run.

    Attributes:
        found: the country's monthly totals.
        csv, png: locations of its files.
        written: whether this run wrote either file.
    """

    found: Monthly
    csv: str
    png: str
    written: bool


@task(task_run_name="extract {day}", **RETRIES)
@stage
def extract(edition: RemoteFile[str], bucket: Bucket, day: dt.date, folder: Path) -> Path:
    """Download the day's edition, or take it from the bucket if that has the publisher's.

    A local file is always read: it may have been corrected since the last run.
    """
    logger, path = get_run_logger(), folder / "edition.json"
    is_published = urlsplit(edition.url).scheme != "file"
    if is_published and cached(bucket, edition.url, day, path):
        return _cached(path, f"{edition}: already fetched on {day}")
    if unchanged(bucket, edition, day, path):
        return _cached(path, f"{edition}: unchanged since it was fetched")
    with shown_progress(str(edition), logger) as tell:
        found = fetch(edition, path, lambda part, _: check_edition(part, str(edition)), tell)
    if is_published:
        keep(bucket, found, day)
    logger.info("%s: %s bytes", edition, f"{found.size:,}")
    return path


def _cached(path: Path, message: str) -> Path:
    state: Any = Completed(name="Cached", message=message, data=path)
    return state  # type: ignore[no-any-return] # whose data Prefect hands to the next task


@task(task_run_name="transform {country}")
@stage
def transform(path: Path, edition: RemoteFile[str], country: str, day: dt.date) -> Monthly:
    """Sum the country's daily numbers by month."""
    records = read_edition(path, str(edition))
    found = by_month(records, find_country(records, country), day)
    if found.unreported:
        message = "%s: %d days lack a number of cases or deaths"
        get_run_logger().warning(message, found.country, found.unreported)
    return found


@task(task_run_name="load {found.stem}", **RETRIES)
@stage
def load(found: Monthly, bucket: Bucket) -> Report:
    """Write the CSV file and the chart to the bucket, unless it already has identical files."""
    # Imported late: matplotlib takes half a second to import, and --help does not need it.
    from covid.chart import chart

    png, csv_key, png_key = chart(found), f"{found.stem}.csv", f"{found.stem}.png"
    written = [put(bucket, found.csv(), csv_key), put(bucket, png, png_key)]
    show_chart(found, png)
    return Report(found, bucket.uri(csv_key), bucket.uri(png_key), any(written))


@flow(name="covid-monthly", flow_run_name="{country}", **NOTICES)
@plain_failures
def covid_monthly(
    country: str = "Germany", bucket: str = BUCKET, url: str = URL
) -> Report | State[Report]:
    """Sum ECDC's daily cases and deaths of one country by month into a CSV file and a chart.

    The run downloads the edition once a day (UTC) and caches it in the bucket; it reads a local
    file every time. It is idempotent: if the output files are already up to date, it writes
    nothing.

    Args:
        country: Name of the country as ECDC spells it, or its two- or three-letter code.
        bucket: Block of the bucket, as TYPE/NAME, or a folder.
        url: URL of the daily edition in JSON; a file:// URL or a path also works.
    """
    edition, opened, day = remote_file("covid", url), opened_bucket(bucket), _today()
    tell_places("", opened)
    check_url(url)
    store = opened.used
    with scratch_folder(NamedOwner("covid"), f"{url} {bucket}") as folder:
        report = load(transform(extract(edition, store, day, folder), edition, country, day), store)
    if report.written:
        return report
    return Completed(name="Skipped", message=f"{report.csv} is up to date", data=report)


def _today() -> dt.date:
    return dt.datetime.now(dt.timezone.utc).date()


def shown(report: Any) -> str:
    """Return the CSV text, followed by the status and location of each file."""
    status = "written" if report.written else "unchanged"
    lines = [report.found.csv().decode(), f"{status}: {report.csv}", f"{status}: {report.png}"]
    return "\n".join(lines)


def record(report: Any) -> Mapping[str, Any]:
    """Return the result as fields of a JSON object."""
    found: Monthly = report.found
    return {
        "country": found.country,
        "day": found.day.isoformat(),
        "months": [_month(total) for total in found.totals],
        "unreported_days": found.unreported,
        "csv": report.csv,
        "png": report.png,
        "written": report.written,
    }


def _month(total: Total) -> dict[str, Any]:
    month = total.year_month.replace("_", "-")
    return {"month": month, "cases": total.cases, "deaths": total.deaths}


if __name__ == "__main__":
    cli.run(covid_monthly, shown, record=record)
