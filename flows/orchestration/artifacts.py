"""Artifacts of a run: tables and pages in the Prefect UI."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    Artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter
from prefect.context import FlowRunContext
from prefect.runtime import deployment

from covid.monthly import Monthly
from monthly.history import MonthHistory, history_page
from monthly.ledger import Entry
from monthly.markdown import escaped
from monthly.price_words import PlannedMonths, price_lines
from monthly.result import MonthResult, from_record, quality_markdown, table_artifact, to_record
from orchestration.wording import in_ui
from row_groups.report import FileLine
from row_groups.report import table_artifact as files_artifact

#: Type of the artifact with the results of a run's months.
MONTHS = "month-results"


def _create(create: Callable[..., Any], *what: Any, **more: Any) -> None:
    """Create an artifact in the event loop of the run, with its client.

    From a task, Prefect would start an event loop for each artifact, with a new client and new
    connections, which takes longer than the artifact.
    """
    run = FlowRunContext.get()
    loop = getattr(run and run.client, "_loop", None)
    if loop is None:  # on a Dask worker, for example
        create(*what, **more)
    else:
        asyncio.run_coroutine_threadsafe(create(*what, **more, _sync=False), loop).result()


def show_months(lines: Sequence[MonthResult], description: str) -> None:
    """Create a table of the months of a parent run."""
    _create(
        create_table_artifact, table_artifact(lines, in_ui), key="months", description=description
    )


def show_plan(lines: PlannedMonths, description: str) -> None:
    """Create the page with the months of a plan and its price."""
    rows = table_artifact(lines, in_ui)
    head = [*rows[0]]
    cells = (" | ".join(escaped(row[name]) for name in head) for row in rows)
    table = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {row} |" for row in cells)]
    price = [f"- {escaped(line)}" for line in price_lines(lines.price)] if lines.price else []
    _create(
        create_markdown_artifact,
        "\n".join([f"# {escaped(description)}", "", *table, "", *price]),
        key="plan",
        description=description,
    )


def return_months(lines: Sequence[MonthResult]) -> None:
    """Store the results of a deployment's run for a run that waits for it in another process.

    Prefect returns no result across processes unless they share a result storage, which agents
    need not have. An artifact is in the database of the API that they do share.
    """
    if deployment.id:
        made: Any = Artifact  # its type hints require what it does not
        _create(made(type=MONTHS, data=[to_record(line) for line in lines]).create)


async def returned_months(client: PrefectClient, run_id: UUID) -> list[MonthResult]:
    """Return the results that a run has stored; empty if it ended before it stored any."""
    which = ArtifactFilter.parse_obj(
        {"flow_run_id": {"any_": [run_id]}, "type": {"any_": [MONTHS]}}
    )
    found = await client.read_artifacts(artifact_filter=which)
    return [from_record(record) for each in found for record in json.loads(str(each.data))]


def show_history(histories: Sequence[MonthHistory], description: str) -> None:
    """Create the page with the history of months."""
    _create(
        create_markdown_artifact,
        f"# {escaped(description)}\n\n{history_page(histories)}",
        key="history",
        description=description,
    )


def show_files(lines: Sequence[FileLine], description: str) -> None:
    """Create a table of the files of a run."""
    _create(
        create_table_artifact,
        files_artifact(lines, in_ui),
        key="row-groups",
        description=description,
    )


def show_quality(entry: Entry, where: str, unlike: Sequence[str] = ()) -> None:
    """Create the page with the quality report of a month; see `quality_markdown`."""
    _show_page(entry, quality_markdown(entry, where, unlike), "quality")


def show_report(entry: Entry, markdown: str, link: str) -> None:
    """Create the page with the report of a month, and a link to its file if the UI can open it."""
    _show_page(entry, markdown, "report")
    if not is_web_link(link):
        return
    _create(
        create_link_artifact,
        link,
        link_text=link,
        key=_key(entry, "report-link"),
        description=f"Report of {entry.dataset} {entry.year_month} as a page of HTML",
    )


def show_catalog(markdown: str) -> None:
    """Create the page with the catalog."""
    _create(
        create_markdown_artifact,
        markdown,
        key="catalog",
        description="What is stored, by dataset and month",
    )


def show_verdicts(markdown: str, description: str) -> None:
    """Create the page with the verdicts of a verification."""
    _create(create_markdown_artifact, markdown, key="verify", description=description)


def is_web_link(link: str) -> bool:
    """Return whether the UI can open a link; browsers do not let web pages open file URLs."""
    return link.startswith(("http://", "https://"))


def _show_page(entry: Entry, markdown: str, what: str) -> None:
    _create(
        create_markdown_artifact,
        markdown,
        key=_key(entry, what),
        description=f"{what.capitalize()} of {entry.dataset} {entry.year_month}",
    )


def _key(entry: Entry, what: str) -> str:
    """Return the key of a month's artifact; Prefect's keys have no underscores."""
    return f"{entry.dataset.replace('_', '-')}-{entry.year_month}-{what}"


def show_chart(found: Monthly, png: bytes) -> None:
    """Create the page with the monthly chart and table of a country."""
    rows = [f"| {t.year_month} | {t.cases:,} | {t.deaths:,} |" for t in found.totals]
    country = escaped(found.country)
    image = f"![{country} by month](data:image/png;base64,{base64.b64encode(png).decode()})"
    table = "\n".join(["| month | cases | deaths |", "|---|---:|---:|", *rows])
    _create(
        create_markdown_artifact,
        f"# {country}\n\n{image}\n\n{table}\n\nData: ECDC, fetched on {found.day}",
        key=f"covid-monthly-{re.sub('[^a-z0-9]+', '-', found.country.lower()).strip('-')}",
        description=f"COVID-19 in {found.country} by month",
    )
