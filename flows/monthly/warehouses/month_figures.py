"""Column figures of a table by month, computed by the warehouse in one query."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monthly.columns import Column, Kind
from monthly.dataset import Dataset
from monthly.figures import Figures, as_json
from monthly.month import Month

_ENDS = ("MIN({c})", "MAX({c})")


@dataclass(frozen=True)
class MonthFigures:
    """The figures of one month in a warehouse's table.

    Attributes:
        rows: the number of rows.
        columns: the figures of each requested column that the table has.
    """

    rows: int
    columns: Mapping[str, Figures]

    @property
    def is_finite(self) -> bool:
        """Return whether all figures are finite."""
        ends = (end for each in self.columns.values() for end in (each.least, each.most))
        return all(math.isfinite(end) for end in ends if isinstance(end, float))


@dataclass(frozen=True)
class Dialect:
    """How a warehouse writes the aggregates of a column `{c}`; see `Figures`.

    Attributes:
        quoted: quotes a name for SQL.
        totals: the sum by kind of column.
        ends: the minimum and maximum of the kinds that MIN and MAX do not accept.
        of_all: the clause for all months; a table may refuse a query without one.
    """

    quoted: Callable[[str], str]
    totals: Mapping[Kind, str]
    ends: Mapping[Kind, tuple[str, str]] = field(default_factory=dict)
    of_all: str = ""

    def query(self, table: str, columns: Sequence[Column], months: Sequence[Month] | None) -> str:
        """Return the query for the figures of months; None for all months."""
        shown = ["file_month", "COUNT(*)", *(a for c in columns for a in self._aggregates(c))]
        named = ", ".join(f"{expression} AS f{n}" for n, expression in enumerate(shown))
        days = ", ".join(f"DATE '{month.first_day}'" for month in months or ())
        where = f" WHERE file_month IN ({days})" if days else self.of_all
        return f"SELECT {named} FROM {table}{where} GROUP BY file_month"

    def _aggregates(self, column: Column) -> Iterator[str]:
        templates = ("COUNT({c})", *self.ends.get(column.kind, _ENDS), self.totals[column.kind])
        return (template.format(c=self.quoted(column.name)) for template in templates)


def months_in(
    dataset: Dataset, columns: Sequence[Column], rows: Iterable[Sequence[Any]]
) -> dict[Month, MonthFigures]:
    """Return the figures by month from the rows of a `Dialect.query`.

    Rows of a month that the dataset cannot have come from no load and are left out.
    """
    found = {}
    for day, count, *values in rows:
        if is_month(dataset, day):
            quads = zip(*[iter(values)] * 4)
            figures = {c.name: _figures(c.kind, *quad) for c, quad in zip(columns, quads)}
            found[Month(dataset.name, day.year, day.month)] = MonthFigures(count, figures)
    return found


def is_month(dataset: Dataset, day: dt.date | None) -> bool:
    """Return whether a day is the first of a month that the dataset can have."""
    return day is not None and day.day == 1 and (day.year, day.month) >= dataset.first_month


def _figures(kind: Kind, count: int, least: Any, most: Any, total: Any) -> Figures:
    if total is not None and kind not in ("float64", "decimal"):
        total = int(total)
    return Figures(count, as_json(least), as_json(most), as_json(total) if count else None)
