"""One month of one dataset: the unit of planning, conversion, storage and replacement."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from core.errors import UsageError

#: A dataset, by the zoomcamp's name.
Color = Literal["yellow", "green", "fhv", "fhvhv"]
#: First month that TLC published, by dataset (TLC trip record data page).
FIRST_MONTHS = {
    "yellow": (2009, 1),
    "green": (2013, 8),
    "fhv": (2015, 1),
    "fhvhv": (2019, 2),
}
#: Maximum number of months TLC takes to publish one (its trip record data page says two).
PUBLICATION_MONTHS = 3
_YEAR_MONTH = re.compile(r"(\d{4})-(\d{1,2})")


@dataclass(frozen=True, order=True)
class Month:
    """One month of one dataset.

    Attributes:
        dataset: yellow, green, fhv or fhvhv.
        year: four digits.
        month: 1 to 12.
    """

    dataset: str
    year: int
    month: int

    def __post_init__(self) -> None:
        if self.dataset not in FIRST_MONTHS:
            known = ", ".join(FIRST_MONTHS)
            raise UsageError(f"dataset {self.dataset!r} is not one of {known}")
        if not 1 <= self.month <= 12:
            raise UsageError(f"{self.dataset}: month {self.month} is not between 1 and 12")
        if (self.year, self.month) < FIRST_MONTHS[self.dataset] or self.year > 9999:
            year, month = FIRST_MONTHS[self.dataset]
            raise UsageError(
                f"{self.dataset} {self.year}-{self.month:02}: TLC publishes {self.dataset} "
                f"from {year}-{month:02} on; choose a later month"
            )

    @property
    def year_month(self) -> str:
        """Return the year and month, such as `2021-01`."""
        return f"{self.year:04}-{self.month:02}"

    @property
    def stem(self) -> str:
        """Return TLC's file name without its extension, such as `yellow_tripdata_2021-01`."""
        return f"{self.dataset}_tripdata_{self.year_month}"

    @property
    def first_day(self) -> dt.date:
        """Return the first day, the value of `file_month` in every row of this month."""
        return dt.date(self.year, self.month, 1)

    @property
    def next(self) -> Month:
        """Return the month after this one."""
        years, month = divmod(self.month, 12)
        return Month(self.dataset, self.year + years, month + 1)

    def unprefixed(self, message: str) -> str:
        """Return a message without the month's name, where it begins with it."""
        return message.removeprefix(f"{self}: ")

    def __str__(self) -> str:
        return f"{self.dataset} {self.year_month}"


def months_of(dataset: str, months: str | Iterable[int], year: int) -> tuple[Month, ...]:
    """Return the months that the user named, sorted and without duplicates.

    Args:
        dataset: yellow, green, fhv or fhvhv.
        months: month numbers of `year`, as a list (`[1, 2]`) or as text (`"1,2"`), months
            (`"2020-11"`), or inclusive ranges (`"2020-11:2021-02"`, `"1:3"`).
        year: the year of plain month numbers.

    Raises:
        UsageError: no month is named, a part is none of these, or a range runs backwards.
    """
    parts = months.split(",") if isinstance(months, str) else [str(n) for n in months]
    named = {month for part in parts if part.strip() for month in _range(dataset, part, year)}
    if not named:
        raise UsageError(
            f"{dataset}: no month named in {months!r}; write 2021-01 or 2020-01:2020-12"
        )
    return tuple(sorted(named))


def latest_months(dataset: str, count: int, today: dt.date) -> tuple[Month, ...]:
    """Return the `count` months before that of `today`, oldest first, none before TLC's first."""
    newest = today.year * 12 + today.month - 2
    first = FIRST_MONTHS[dataset]
    ordinals = range(newest - count + 1, newest + 1)
    pairs = [(ordinal // 12, ordinal % 12 + 1) for ordinal in ordinals]
    return tuple(Month(dataset, *pair) for pair in pairs if pair >= first)


def may_be_unpublished(month: Month, today: dt.date) -> bool:
    """Tell whether a month is so recent that it may not be published yet."""
    ended = month.next
    months_since = (today.year - ended.year) * 12 + today.month - ended.month
    return months_since < PUBLICATION_MONTHS


def _range(dataset: str, text: str, year: int) -> list[Month]:
    ends = [_one(dataset, end, year) for end in text.split(":")]
    if len(ends) > 2 or ends[0] > ends[-1]:
        raise UsageError(f"{dataset}: {text.strip()!r} is not a range; write 2020-01:2020-12")
    found = [ends[0]]
    while found[-1] < ends[-1]:
        found.append(found[-1].next)
    return found


def _one(dataset: str, text: str, year: int) -> Month:
    text = text.strip()
    if text.isdecimal() and len(text) <= 2:
        return Month(dataset, year, int(text))
    match = _YEAR_MONTH.fullmatch(text)
    if not match:
        raise UsageError(
            f"{dataset}: {text!r} is not a month; write 2021-01, or 1 to 12 with a year"
        )
    return Month(dataset, int(match[1]), int(match[2]))
