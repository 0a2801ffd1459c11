"""The page of a month that is held: why, then its pictures and its quality."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.storage.bucket import Bucket
from monthly.datasets import DATASETS
from monthly.gates.judging import Finding
from monthly.ledger import Entry
from monthly.markdown import escaped
from monthly.month import Month
from monthly.report.drawing import Drawing, draw
from monthly.report.page import page_html, page_markdown
from monthly.report.place_names import place_names
from monthly.result import title_of


def held_page(
    month: Month,
    entry: Entry,
    parquet: Path | None,
    bucket: Bucket,
    where: str,
    findings: Sequence[Finding],
) -> str:
    """Return the page of a held month as HTML.

    Args:
        month: the month.
        entry: its entry, before it has an object.
        parquet: the converted month; None for a page without pictures.
        bucket: the bucket with the names of places.
        where: where the month is set aside.
        findings: why it is held.
    """
    found = "\n".join(f"- {escaped(each.text)}" for each in findings)
    first = [
        "**This month is held: it is not in the ledger, and no warehouse has it.**",
        f"## What is unusual\n\n{found}",
    ]
    drawn = _drawn(month, parquet, bucket) if parquet else Drawing((), "")
    more = [drawn.typical] if drawn.typical else []
    page = page_markdown(entry, where, drawn.pictures, more, first)
    return page_html(f"{title_of(entry)}, HELD", page)


def _drawn(month: Month, parquet: Path, bucket: Bucket) -> Drawing:
    return draw(month, parquet, place_names(bucket, DATASETS[month.dataset].declared.place_names))
