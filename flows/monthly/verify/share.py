"""The share of the objects that a verification reads in full, different ones each week."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from fractions import Fraction

from core.errors import UsageError
from monthly.month import Month

#: A Monday.
_FIRST_WEEK = dt.date(1970, 1, 5)


@dataclass(frozen=True)
class Share:
    """The share of the objects to read in full, without a record of what was read before.

    Attributes:
        part: part of the objects to read each week, from 0 to 1.
        week: number of the week.
    """

    part: Fraction
    week: int

    @classmethod
    def of(cls, text: str, today: dt.date) -> Share:
        """Return a share such as `10%`: the part of the objects whose turn it is this week.

        Raises:
            UsageError: the text is not a share.
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
        part = Fraction(match[1]) / 100 if match else Fraction(-1)
        if not 0 <= part <= 1:
            raise UsageError(
                f"read_data {text!r} is not a share of the objects; write 0%, 10% or 100%"
            )
        return cls(part, (today - _FIRST_WEEK).days // 7)

    def has(self, month: Month) -> bool:
        """Return whether to read the object of a month in full.

        The months to read are evenly spaced and move on by one each week: at 10%, ten weeks read
        every month.
        """
        ordinal = month.year * 12 + month.month
        return (ordinal - self.week) * self.part % 1 < self.part
