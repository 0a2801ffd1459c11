"""The drawing of a month: its pictures, and the table of its medians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monthly.month import Month


@dataclass(frozen=True)
class Picture:
    """One picture of a report.

    Attributes:
        title: subject and month, also drawn in the picture; plain text, like `about` and `note`.
        about: description for readers who cannot see the image.
        png: the image.
        note: what the picture leaves out; empty if nothing.
    """

    title: str
    about: str
    png: bytes = field(repr=False)
    note: str = ""


@dataclass(frozen=True)
class Drawing:
    """The part of a month's page that is drawn from its rows.

    Attributes:
        pictures: the pictures for which the month has data.
        typical: the table of medians in markdown; empty if there is none.
    """

    pictures: tuple[Picture, ...]
    typical: str


def draw(month: Month, parquet: Path, names: Mapping[int, str]) -> Drawing:
    """Count the rows of a month and draw them.

    Args:
        month: the month.
        parquet: its Parquet file.
        names: names of numbered places.
    """
    # Imported late: matplotlib takes a second to import, and only drawing needs it.
    from monthly.report.counts import count_month
    from monthly.report.page import typical_markdown
    from monthly.report.pictures import pictures

    counts = count_month(month, parquet)
    return Drawing(tuple(pictures(counts, names)), typical_markdown(counts))
