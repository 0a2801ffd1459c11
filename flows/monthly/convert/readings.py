"""How the text of a file is read: what a person asks for, what the file settles, what stays open.

Most files need nothing of this: ISO times, a decimal point, UTF-8. Only where a value could be
read in two ways is the whole file looked at, and one reading chosen for all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from core.errors import UsageError

Order = Literal["month-first", "day-first", "year-first"]
Utc = Literal["local", "utc"]
Mark = Literal["point", "comma"]
#: The parameters of the flows: `auto` leaves it to the file.
DateOrder = Literal["auto", "month-first", "day-first", "year-first"]
UtcTimes = Literal["auto", "local", "utc"]
DecimalMark = Literal["auto", "point", "comma"]


class Unsettled(Exception):
    """A value has several readings, and the whole file has not been looked at yet."""


@dataclass(frozen=True)
class Rules:
    """What a person asks of the conversion of a month.

    Attributes:
        strict: an unknown column, or a required one that is absent or empty, is an error.
        max_reject_share: the month fails if more than this share of its rows is rejected.
        max_outside_share: the month fails if more than this share of its pickups is not in it.
        date_order: of dates in digits, 2/1/21.
        utc_times: what a time marked as UTC is: New York's clock under that mark (local), or
            an instant (utc).
        decimal_mark: of numbers written as text.
    """

    strict: bool = True
    max_reject_share: float = 0.001
    max_outside_share: float = 0.5
    date_order: DateOrder = "auto"
    utc_times: UtcTimes = "auto"
    decimal_mark: DecimalMark = "auto"

    def __post_init__(self) -> None:
        """Refuse what is not one of the choices.

        Raises:
            UsageError: for the first such value.
        """
        for name, choices in (
            ("date_order", DateOrder),
            ("utc_times", UtcTimes),
            ("decimal_mark", DecimalMark),
        ):
            value = getattr(self, name)
            if value not in get_args(choices):
                raise UsageError(f"{name} {value!r}: write {', '.join(get_args(choices))}")


@dataclass(frozen=True)
class Readings:
    """How one file is read.

    Attributes:
        near_year: the year of the file, which decides the century of years of two digits.
        order: of dates in digits; None while none was seen.
        utc: what times marked as UTC are; None while none was seen.
        mark: the decimal mark; None while a number without one was seen.
        encoding: of a text file.
        empty: places of the columns that are left out: they mean the same as another one and
            are null in every row.
        settled: whether the whole file was looked at.
        notes: what was decided, and on what evidence.
    """

    near_year: int = 2020
    order: Order | None = None
    utc: Utc | None = None
    mark: Mark | None = None
    encoding: str = "utf-8"
    empty: frozenset[int] = frozenset()
    settled: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def asked(cls, rules: Rules, near_year: int) -> Readings:
        """Return what a person decided before the file was looked at."""
        return cls(
            near_year=near_year,
            order=None if rules.date_order == "auto" else rules.date_order,
            utc=None if rules.utc_times == "auto" else rules.utc_times,
            mark=None if rules.decimal_mark == "auto" else rules.decimal_mark,
        )

    def look(self) -> None:
        """Ask for a look at the whole file, unless there was one.

        Raises:
            Unsettled: there was none yet.
        """
        if not self.settled:
            raise Unsettled
