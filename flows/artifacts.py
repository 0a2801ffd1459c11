"""Tables and pages of a run for a person in the UI."""

from __future__ import annotations

from collections.abc import Sequence

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from trips.ledger import Entry
from trips.report import Line, quality_markdown, table_artifact


def show_months(lines: Sequence[Line], description: str) -> None:
    """A table of the months of a parent run."""
    create_table_artifact(  # type: ignore[unused-coroutine] # it is none in a flow that is not async
        table_artifact(lines), key="months", description=description
    )


def show_quality(entry: Entry, where: str) -> None:
    """The quality report of a month; where its report is drawn too, that page follows it."""
    show_page(entry, quality_markdown(entry, where), "Quality")


def show_page(entry: Entry, markdown: str, what: str) -> None:
    """The page of a month, under one key: the newest of its pages is the one that is shown."""
    create_markdown_artifact(  # type: ignore[unused-coroutine] # it is none in a task that is not async
        markdown,
        key=f"{entry.dataset}-{entry.year_month}",
        description=f"{what} of {entry.dataset} {entry.year_month}",
    )


def show_link(entry: Entry, link: str) -> None:
    """Where the month's report is as a file, for who opens or sends it without Prefect."""
    create_link_artifact(  # type: ignore[unused-coroutine] # it is none in a task that is not async
        link,
        link_text=link,
        key=f"{entry.dataset}-{entry.year_month}-report",
        description=f"Report of {entry.dataset} {entry.year_month} as a page of HTML",
    )
