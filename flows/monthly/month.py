"""One month of one dataset: the unit of planning, conversion, storage and replacement."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.errors import UsageError
from monthly.datasets import DATASETS, dataset

if TYPE_CHECKING:
    Color = str
else:
    #: A dataset, by the name of its declaration. A Literal, so that forms offer the names.
    Color = Literal[tuple(DATASETS)]
_YEAR_MONTH = re.compile(r"(\d{4})-(\d{1,2})")


@dataclass(frozen=True, order=True)
class Month:
    """One month of one dataset.

    Attributes:
        dataset: name of the dataset.
        year: four digits.
        month: 1 to 12.
    """

    dataset: str
    year: int
    month: int

    def __post_init__(self) -> None:
        first = dataset(self.dataset).first_month
        if not 1 <= self.month <= 12:
            raise UsageError(f"{self.dataset}: month {self.month} is not between 1 and 12")
        if (self.year, self.month) < first or self.year > 9999:
            raise UsageError(
                f"{self.dataset} {self.year}-{self.month:02}: {self.dataset} is published from "
                f"{first[0]}-{first[1]:02} on; choose a later month, or correct first_month in "
                "its declaration"
            )

    @property
    def year_month(self) -> str:
        """Return the year and month, such as `2021-01`."""
        return f"{self.year:04}-{self.month:02}"

    @property
    def stem(self) -> str:
        """Return the name of the month's objects, such as `yellow_tripdata_2021-01`."""
        file = DATASETS[self.dataset].declared.file
        return file.format(dataset=self.dataset, year_month=self.year_month)

    @property
    def first_day(self) -> dt.date:
        """Return the first day, the value of `file_month` in every row of this month."""
        return dt.date(self.year, self.month, 1)

    @property
    def last_day(self) -> int:
        """Return the number of the last day, 28 to 31."""
        return calendar.monthrange(self.year, self.month)[1]

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


def months_of(color: str, months: str | Iterable[int], year: int) -> tuple[Month, ...]:
    """Return the months that the user named, sorted and without duplicates.

    Args:
        color: name of the dataset.
        months: month numbers of `year`, as a list (`[1, 2]`) or as text (`"1,2"`), months
            (`"2020-11"`), or inclusive ranges (`"2020-11:2021-02"`, `"1:3"`).
        year: the year of plain month numbers.

    Raises:
        UsageError: no month is named, a part is not one of these, or a range runs backwards.
    """
    parts = months.split(",") if isinstance(months, str) else [str(n) for n in months]
    named = {month for part in parts if part.strip() for month in _range(color, part, year)}
    if not named:
        raise UsageError(f"{color}: no months given; name some, such as 2021-01 or 2020-01:2020-12")
    return tuple(sorted(named))


def latest_months(color: str, count: int, today: dt.date) -> tuple[Month, ...]:
    """Return the `count` months before that of `today`, oldest first, none before the first."""
    newest = today.year * 12 + today.month - 2
    first = dataset(color).first_month
    ordinals = range(newest - count + 1, newest + 1)
    pairs = [(ordinal // 12, ordinal % 12 + 1) for ordinal in ordinals]
    return tuple(Month(color, *pair) for pair in pairs if pair >= first)


def months_of_stems(color: str, stems: Iterable[str]) -> list[Month]:
    """Return the months of these object names (see `Month.stem`), ignoring other names."""
    file = DATASETS[color].declared.file.format(dataset=color, year_month="\n")
    pattern = re.compile(re.escape(file).replace("\\\n", r"(\d{4})-(0[1-9]|1[0-2])"))
    found = (match for stem in stems if (match := pattern.fullmatch(stem)))
    pairs = [(int(match[1]), int(match[2])) for match in found]
    return [Month(color, *pair) for pair in pairs if pair >= dataset(color).first_month]


def may_be_unpublished(month: Month, today: dt.date) -> bool:
    """Return whether a month is so recent that it may not be published yet."""
    ended = month.next
    months_since = (today.year - ended.year) * 12 + today.month - ended.month
    return months_since < DATASETS[month.dataset].declared.published_after


def _range(color: str, text: str, year: int) -> list[Month]:
    ends = [_one(color, end, year) for end in text.split(":")]
    if len(ends) > 2 or ends[0] > ends[-1]:
        wanted = "the first month and the last" if len(ends) > 2 else "the earlier month first"
        what = f"{color}: {text.strip()!r} is not a range"
        raise UsageError(f"{what}; write {wanted}: 2020-01:2020-12")
    found = [ends[0]]
    while found[-1] < ends[-1]:
        found.append(found[-1].next)
    return found


def _one(color: str, text: str, year: int) -> Month:
    text = text.strip()
    if text.isdecimal() and len(text) <= 2:
        return Month(color, year, int(text))
    match = _YEAR_MONTH.fullmatch(text)
    if not match:
        raise UsageError(
            f"{color}: {text!r} is not a month; write 2021-01, 2020-01:2020-12 for a range, or 1 "
            "to 12 for a month of the year"
        )
    return Month(color, int(match[1]), int(match[2]))
