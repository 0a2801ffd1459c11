"""The share of the objects that a verification reads in full, different ones each week."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass

from core.errors import UsageError
from monthly.month import Month

#: A Monday.
_FIRST_WEEK = dt.date(1970, 1, 5)


@dataclass(frozen=True)
class Share:
    """The share of the objects to read in full, without a record of what was read before.

    Attributes:
        groups: number of groups of months, of which each week reads one; 0 to read nothing.
        week: number of the week.
    """

    groups: int
    week: int

    @classmethod
    def of(cls, text: str, today: dt.date) -> Share:
        """Return a share such as `10%`: of ten groups, the one whose turn it is this week.

        Raises:
            UsageError: the text is not a share.
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
        percent = float(match[1]) if match else -1.0
        if not 0 <= percent <= 100:
            raise UsageError(
                f"read_data {text!r} is not a share of the objects; write 0%, 10% or 100%"
            )
        week = (today - _FIRST_WEEK).days // 7
        return cls(math.ceil(100 / percent) if percent else 0, week)

    def has(self, month: Month) -> bool:
        """Return whether to read the object of a month in full."""
        ordinal = month.year * 12 + month.month
        return bool(self.groups) and ordinal % self.groups == self.week % self.groups
