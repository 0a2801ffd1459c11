"""Artifacts of a run: tables and pages in the Prefect UI."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from covid.monthly import Monthly
from monthly.ledger import Entry
from monthly.result import MonthResult, quality_markdown, table_artifact
from row_groups.report import FileLine
from row_groups.report import table_artifact as files_artifact


def show_months(lines: Sequence[MonthResult], description: str) -> None:
    """Create a table of the months of a parent run."""
    create_table_artifact(  # type: ignore[unused-coroutine] # it is none in a flow that is not async
        table_artifact(lines), key="months", description=description
    )


def show_files(lines: Sequence[FileLine], description: str) -> None:
    """Create a table of the files of a run."""
    create_table_artifact(  # type: ignore[unused-coroutine] # it is none in a flow that is not async
        files_artifact(lines), key="row-groups", description=description
    )


def show_quality(entry: Entry, where: str) -> None:
    """Create the page with the quality report of a month."""
    _show_page(entry, quality_markdown(entry, where), "quality")


def show_report(entry: Entry, markdown: str, link: str) -> None:
    """Create the page with the report of a month, and a link to its file if the UI can open it."""
    _show_page(entry, markdown, "report")
    if not is_web_link(link):
        return
    create_link_artifact(  # type: ignore[unused-coroutine] # it is none in a task that is not async
        link,
        link_text=link,
        key=f"{entry.dataset}-{entry.year_month}-report-link",
        description=f"Report of {entry.dataset} {entry.year_month} as a page of HTML",
    )


def is_web_link(link: str) -> bool:
    """Tell whether the UI can open a link; browsers do not let web pages open file URLs."""
    return link.startswith(("http://", "https://"))


def _show_page(entry: Entry, markdown: str, what: str) -> None:
    create_markdown_artifact(  # type: ignore[unused-coroutine] # it is none in a task that is not async
        markdown,
        key=f"{entry.dataset}-{entry.year_month}-{what}",
        description=f"{what.capitalize()} of {entry.dataset} {entry.year_month}",
    )


def show_chart(found: Monthly, png: bytes) -> None:
    """Create the page with the monthly chart and table of a country."""
    rows = [f"| {t.year_month} | {t.cases:,} | {t.deaths:,} |" for t in found.totals]
    image = f"![{found.country} by month](data:image/png;base64,{base64.b64encode(png).decode()})"
    table = "\n".join(["| month | cases | deaths |", "|---|---:|---:|", *rows])
    create_markdown_artifact(  # type: ignore[unused-coroutine] # it is none in a task that is not async
        f"# {found.country}\n\n{image}\n\n{table}\n\nData: ECDC, fetched on {found.day}",
        key=f"covid-monthly-{re.sub('[^a-z0-9]+', '-', found.country.lower()).strip('-')}",
        description=f"COVID-19 in {found.country} by month",
    )
