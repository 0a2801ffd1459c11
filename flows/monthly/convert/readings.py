"""Readings of ambiguous values: what the user asks for, what the file settles, what is open.

Most files have ISO times, a decimal point and UTF-8, and need none of this. Only if a value can be
read in two ways is the whole file surveyed, and one reading chosen for all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from core.errors import UsageError
from monthly.convert.zones import UTC_ZONES
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.month import Month

Order = Literal["month-first", "day-first", "year-first"]
Utc = Literal["local", "utc"]
Mark = Literal["point", "comma"]
#: Parameters of the flows; `auto` lets the file decide.
DateOrder = Literal["auto", "month-first", "day-first", "year-first"]
UtcTimes = Literal["auto", "local", "utc"]
DecimalMark = Literal["auto", "point", "comma"]
#: The same for undeclared columns; `auto` is what the declaration says.
NewColumns = Literal["auto", "fail", "drop", "keep"]


#: The limits that are shares, with an example of each.
_SHARES = {
    "max_reject_share": "0.01 for one in a hundred",
    "max_outside_share": "0.5 for half of them",
}


class Unsettled(Exception):
    """A value has several readings, and the file has not been surveyed yet."""


@dataclass(frozen=True)
class Rules:
    """Options of the conversion of a month.

    Attributes:
        strict: an unknown column, or a required one that is missing or empty, is an error.
        max_reject_share: the month fails if more than this share of its rows is rejected; None
            for the limit that the dataset declares.
        max_outside_share: the month fails if more than this share of its times is outside it;
            None likewise.
        date_order: the order of all-digit dates such as 2/1/21.
        utc_times: the meaning of a time marked as UTC: the dataset's local time despite the mark
            (local), or an instant (utc).
        decimal_mark: the decimal mark of numbers written as text.
        new_columns: what becomes of undeclared columns.
    """

    strict: bool = True
    max_reject_share: float | None = None
    max_outside_share: float | None = None
    date_order: DateOrder = "auto"
    utc_times: UtcTimes = "auto"
    decimal_mark: DecimalMark = "auto"
    new_columns: NewColumns = "auto"

    def __post_init__(self) -> None:
        """Refuse values that are not among the choices.

        Raises:
            UsageError: a value is not one of its choices.
        """
        for name, choices in (
            ("date_order", DateOrder),
            ("utc_times", UtcTimes),
            ("decimal_mark", DecimalMark),
            ("new_columns", NewColumns),
        ):
            value = getattr(self, name)
            if value not in get_args(choices):
                raise UsageError(f"{name} {value!r}: write {', '.join(get_args(choices))}")

    def checked(self, what: Month | str) -> Rules:
        """Return these rules if their limits are shares.

        Args:
            what: the month, or the dataset of several months, to name in the error.

        Raises:
            UsageError: a limit is not from 0 to 1.
        """
        for name, example in _SHARES.items():
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise UsageError(
                    f"{what}: {name} {share} is not a share of the rows; write it from 0 to 1, "
                    f"{example}"
                )
        return self

    def limit_of_rejects(self, month: Month) -> float:
        """Return the share of rejected rows above which the month fails."""
        declared = DATASETS[month.dataset].declared.limits.rejected
        return declared if self.max_reject_share is None else self.max_reject_share

    def limit_outside(self, month: Month) -> float:
        """Return the share of times outside the month above which it fails."""
        declared = DATASETS[month.dataset].declared.limits.outside
        return declared if self.max_outside_share is None else self.max_outside_share


@dataclass(frozen=True)
class Readings:
    """The readings of one file.

    Attributes:
        near_year: the year of the file, which decides the century of two-digit years.
        zone: the time zone of the dataset; empty if it is not declared.
        nulls: texts that mean "no value" in this dataset, besides the usual ones.
        order: the order of all-digit dates; None until one is seen.
        utc: the meaning of times marked as UTC; None until one is seen.
        mark: the decimal mark; None until a number needs one.
        encoding: the encoding of a text file.
        new_columns: what becomes of undeclared columns.
        empty: positions of the columns to leave out: they mean the same as another column and
            are null in every row.
        settled: whether the whole file was surveyed.
        notes: what was decided, and on what evidence.
    """

    near_year: int
    zone: str
    nulls: tuple[str, ...]
    order: Order | None = None
    utc: Utc | None = None
    mark: Mark | None = None
    encoding: str = "utf-8"
    new_columns: NewColumns = "auto"
    empty: frozenset[int] = frozenset()
    settled: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def declared(cls, dataset: Dataset, near_year: int) -> Readings:
        """Return the readings that the declaration gives."""
        marks: Mapping[str | None, Mark | None] = {",": "comma", ".": "point", None: None}
        return cls(
            near_year=near_year,
            zone=dataset.zone,
            nulls=tuple(dataset.text.nulls),
            utc=_utc_of(dataset.zone),
            mark=marks[dataset.text.decimal],
            encoding=dataset.text.encoding or "utf-8",
        )

    @classmethod
    def asked(cls, rules: Rules, month: Month) -> Readings:
        """Return the readings that rules and declaration give, before any survey of the file."""
        declared = cls.declared(DATASETS[month.dataset], month.year)
        return replace(
            declared,
            order=None if rules.date_order == "auto" else rules.date_order,
            utc=declared.utc if rules.utc_times == "auto" else rules.utc_times,
            mark=declared.mark if rules.decimal_mark == "auto" else rules.decimal_mark,
            new_columns=rules.new_columns,
        )

    def require_survey(self) -> None:
        """Require a survey of the whole file, unless it was already surveyed.

        Raises:
            Unsettled: the file was not surveyed yet.
        """
        if not self.settled:
            raise Unsettled


def _utc_of(zone: str) -> Utc | None:
    """Return the only meaning of a time marked as UTC in some zones; None where there are two."""
    if zone in UTC_ZONES:
        return "utc"
    return None if zone else "local"
