"""Cases and deaths of one country by month, and the CSV file that holds them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import SchemaError
from covid.edition import CASES, COUNTRY, DEATHS, MONTH, YEAR, Record, number

HEADER = ("year_month", "cases", "deaths")


@dataclass(frozen=True)
class Total:
    """One month of one country.

    Attributes:
        year_month: `2020_03`, as the report writes it.
        cases: reported in it, less what was corrected.
        deaths: likewise.
    """

    year_month: str
    cases: int
    deaths: int


@dataclass(frozen=True)
class Monthly:
    """One country by month.

    Attributes:
        country: ECDC's name of it.
        day: on which the edition was fetched, UTC.
        totals: in order of time.
        unreported: how many of its days lack a number, which counts as none.
    """

    country: str
    day: dt.date
    totals: tuple[Total, ...]
    unreported: int = 0

    @property
    def stem(self) -> str:
        """The name of its files without their ending, `covid-monthly-Germany-2020-09-07`."""
        country = re.sub(r"[^\w(),.'-]+", "_", self.country)
        return f"covid-monthly-{country}-{self.day}"

    def csv(self) -> bytes:
        """The file: a header, then a line a month."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows((t.year_month, t.cases, t.deaths) for t in self.totals)
        return text.getvalue().encode()


def by_month(records: Iterable[Record], country: str, day: dt.date) -> Monthly:
    """Sum the days of a country; negative corrections count as they stand.

    Args:
        records: of an edition, in any order.
        country: ECDC's name of it, from `find_country`.
        day: on which the edition was fetched.

    Raises:
        SchemaError: a value is no whole number, or a month none of the calendar's.
    """
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    unreported = 0
    for record in (r for r in records if r[COUNTRY] == country):
        found = [number(record, field) for field in (CASES, DEATHS)]
        unreported += None in found
        total = sums[_year_month(record)]
        total[:] = [so_far + (more or 0) for so_far, more in zip(total, found)]
    totals = tuple(Total(month, *sums[month]) for month in sorted(sums))
    return Monthly(country, day, totals, unreported)


def _year_month(record: Record) -> str:
    year, month = number(record, YEAR), number(record, MONTH)
    if not (year and month and 1 <= month <= 12 and 1000 <= year <= 9999):
        raise SchemaError(
            f"{record[COUNTRY]}: {record[YEAR]!r}-{record[MONTH]!r} is no month; "
            "give another edition's url"
        )
    return f"{year}_{month:02}"
