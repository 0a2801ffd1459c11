"""A revision: what one replacement of a month changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The folder of the editions, which have entries of their own.
EDITIONS = "editions/"


@dataclass(frozen=True)
class Revision:
    """One replacement of a month by a new edition.

    Attributes:
        replaced_at: when, UTC, ISO 8601.
        reason: why, in the words of the plan.
        edition_before: the edition that was replaced, see `monthly.editions`.
        edition_after: the edition that replaced it.
        url_before: source of the replaced edition.
        url_after: source of the new edition.
        rows_before: number of rows of the replaced edition.
        rows_after: number of rows of the new one.
        rows_added: rows that only the new one has, by their hash; None if not compared.
        rows_removed: rows that only the replaced one had.
        rows_unchanged: rows that both have.
        columns_added: columns that only the published file of the new one has.
        columns_removed: columns that only that of the replaced one had.
        totals_before: sums of the columns with a role: amount, price, distance.
        totals_after: the same of the new one.
        drift: schema drift of the new one.
    """

    replaced_at: str
    reason: str
    edition_before: str
    edition_after: str
    url_before: str
    url_after: str
    rows_before: int
    rows_after: int
    rows_added: int | None
    rows_removed: int | None
    rows_unchanged: int | None
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    totals_before: Mapping[str, float | int | str]
    totals_after: Mapping[str, float | int | str]
    drift: Mapping[str, list[str]]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Revision:
        """Return the revision that `record` stored as JSON."""
        lists = ("columns_added", "columns_removed")
        return cls(**{**record, **{name: tuple(record[name]) for name in lists}})

    @property
    def changed_share(self) -> float | None:
        """Return the larger of the shares of rows added and removed; None if not compared."""
        if self.rows_added is None or self.rows_removed is None:
            return None
        return max(self.rows_added, self.rows_removed) / max(self.rows_before, 1)
