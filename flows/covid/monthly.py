"""Cases and deaths of one country by month, and their CSV file."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import SchemaError
from covid.edition import CASES, COUNTRY, DAY, DEATHS, MONTH, YEAR, Record, number

HEADER = ("year_month", "cases", "deaths")


@dataclass(frozen=True)
class Total:
    """Totals of one country in one month.

    Attributes:
        year_month: the month as the report writes it, `2020_03`.
        cases: reported cases, less corrections.
        deaths: reported deaths, less corrections.
    """

    year_month: str
    cases: int
    deaths: int


@dataclass(frozen=True)
class Monthly:
    """Monthly totals of one country.

    Attributes:
        country: ECDC's name for the country.
        day: day on which the edition was fetched, UTC.
        totals: totals in chronological order.
        unreported: number of days with a missing value, which counts as 0.
    """

    country: str
    day: dt.date
    totals: tuple[Total, ...]
    unreported: int = 0

    @property
    def stem(self) -> str:
        """Return the file name without extension, `covid-monthly-Germany-2020-09-07`."""
        country = re.sub(r"[^\w(),.'-]+", "_", self.country)
        return f"covid-monthly-{country}-{self.day}"

    def csv(self) -> bytes:
        """Return the CSV file: a header, then one line per month."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows((t.year_month, t.cases, t.deaths) for t in self.totals)
        return text.getvalue().encode()


def by_month(records: Iterable[Record], country: str, day: dt.date) -> Monthly:
    """Sum the days of a country by month, including negative corrections.

    Args:
        records: records of an edition, in any order.
        country: ECDC's name for the country, from `find_country`.
        day: day on which the edition was fetched.

    Raises:
        SchemaError: a value is not an integer, a month does not exist, or a day occurs twice.
    """
    records = [record for record in records if record[COUNTRY] == country]
    _refuse_days_twice(country, records)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    unreported = 0
    for record in records:
        found = [number(record, field) for field in (CASES, DEATHS)]
        unreported += None in found
        total = sums[_year_month(record)]
        total[:] = [so_far + (more or 0) for so_far, more in zip(total, found)]
    totals = tuple(Total(month, *sums[month]) for month in sorted(sums))
    return Monthly(country, day, totals, unreported)


def _refuse_days_twice(country: str, records: Iterable[Record]) -> None:
    """Raise if two records of a country have the same date; their sum would count it twice."""
    days: dict[str, list[str]] = defaultdict(list)
    for record in records:
        days[_day(record)].append(str(record.get("dateRep") or _day(record)))
    for day, texts in days.items():
        if day and len(texts) > 1:
            named = " and ".join(dict.fromkeys(texts))
            raise SchemaError(
                f"{country}: {len(texts)} records for the day {named}; give another edition's url"
            )


def _day(record: Record) -> str:
    """Return the day of a record, whatever its notation; empty if the record has none."""
    # A merged edition may write one day as 07/09/2020 and as 2020-09-07.
    day = number(record, DAY) if DAY in record else None
    return f"{_year_month(record)}_{day:02}" if day else str(record.get("dateRep") or "")


def _year_month(record: Record) -> str:
    year, month = number(record, YEAR), number(record, MONTH)
    if not (year and month and 1 <= month <= 12 and 1000 <= year <= 9999):
        raise SchemaError(
            f"{record[COUNTRY]}: {record[YEAR]!r}-{record[MONTH]!r} is not a month; "
            "give another edition's url"
        )
    return f"{year}_{month:02}"
