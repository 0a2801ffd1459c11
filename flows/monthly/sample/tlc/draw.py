"""The rows of a generated month before they are trips: order, oddities, random numbers.

The random numbers come from PCG64, whose stream numpy guarantees, so they do not depend on
the processor or on the version of Python or numpy.
"""

from __future__ import annotations

import datetime as dt
from enum import IntEnum
from functools import cache

import numpy as np
import numpy.typing as npt

from monthly.month import Month
from monthly.sample.tlc.eras import Ints

#: Incremented whenever the same month and size produce a different file than before.
SAMPLE_VERSION = 1
#: Relative traffic in the hours of a working day, of a weekend day, and from Monday to Sunday.
WORKDAY = (8, 5, 3, 2, 3, 6, 15, 28, 34, 31, 29, 31, 34, 34, 37, 40, 40, 45, 48, 44, 38, 35, 28, 18)
WEEKEND = (
    (34, 30, 25, 19, 12, 6, 6, 9, 15, 22, 29, 34) + (38, 38, 38, 38, 40, 42, 41, 36) + (35,) * 4
)
DAYS = (8, 9, 9, 10, 10, 10, 8)
#: Percentage of rows without a meter record, which come last; from 2019 on.
UNMETERED = {"green": 40, "yellow": 5}


#: The order decides what is drawn.
DATASETS = ("yellow", "green", "fhv", "fhvhv")


class Odd(IntEnum):
    """An oddity of a row; each row has at most one."""

    ZERO_DISTANCE = 1
    NEGATIVE = 2
    OUT_OF_MONTH = 3
    BACKWARDS = 4
    TWIN = 5


#: Odd rows per 10,000, about as many as in green 2020-10.
ODD_ROWS = {
    Odd.ZERO_DISTANCE: 300,
    Odd.NEGATIVE: 20,
    Odd.OUT_OF_MONTH: 2,
    Odd.BACKWARDS: 1,
    Odd.TWIN: 1,
}


def seconds_of(day: dt.date) -> int:
    """Return the seconds from 1970-01-01 to the start of a day."""
    return (day - dt.date(1970, 1, 1)).days * 86_400


#: Random numbers drawn per row, more than any dataset needs.
DICE = 24


def _spread_out() -> Ints:
    """Return the oddity of each of 10,000 consecutive rows; the first rows have one of each."""
    odd = np.zeros(10_000, np.int64)
    for kind, count in ODD_ROWS.items():
        odd[3 + 2 * kind + np.arange(count) * len(odd) // count] = kind
    return odd


_ODD = _spread_out()


class Draw:
    """The rows of one chunk: row numbers, oddities, pickup times and random numbers."""

    def __init__(self, month: Month, start: int, stop: int, rows: int) -> None:
        number = np.arange(start, stop)
        odd = _ODD[number % len(_ODD)]
        self.twin = (odd == Odd.TWIN).astype(np.int64)
        # a twin copies the number and dice of the previous row, which is never odd itself
        source = np.arange(len(number)) - self.twin
        self.month, self.number, self.odd = month, number[source], odd[source]
        self._dice = iter(_dice(month, start, len(number))[:, source])
        percent = UNMETERED.get(month.dataset, 0) if month.year >= 2019 else 0
        metered = rows - rows * percent // 100
        self.unmetered = self.number >= metered
        self.pickup = np.where(
            self.odd == Odd.OUT_OF_MONTH, self._strays(), self._pickups(metered, rows)
        )

    def pick(self, choices: Ints) -> Ints:
        """Return one of the choices for each row, all equally likely."""
        chosen: Ints = choices[next(self._dice).astype(np.uint32) * len(choices) >> 16]
        return chosen

    def _pickups(self, metered: int, rows: int) -> Ints:
        """Return pickups in order of time, first for metered rows, then for unmetered rows."""
        begins, weights = _busy_hours(self.month)
        place = self.number - np.where(self.unmetered, metered, 0)
        places = np.where(self.unmetered, rows - metered, metered)
        jitter = next(self._dice).astype(np.int64) * begins[-1] >> 16
        when = (place * begins[-1] + jitter) // places
        hour = np.searchsorted(begins, when, "right") - 1
        second = hour * 3_600 + (when - begins[hour]) // weights[hour]
        pickups: Ints = second + seconds_of(self.month.first_day)
        return pickups

    def _strays(self) -> Ints:
        """Return pickups in the last hour of 2008, in the hour before the month and after it."""
        nth = self.number // (len(_ODD) // ODD_ROWS[Odd.OUT_OF_MONTH])
        ends = (dt.date(2009, 1, 1), self.month.first_day, self.month.next.first_day)
        hours = np.array([seconds_of(end) for end in ends]) - [3_600, 3_600, 0]
        strays: Ints = hours[nth % 3] + nth % 3_600
        return strays


def _dice(month: Month, start: int, size: int) -> npt.NDArray[np.uint16]:
    dataset = DATASETS.index(month.dataset)
    bits = np.random.PCG64([SAMPLE_VERSION, dataset, month.year, month.month, start])
    raw = bits.random_raw(size * DICE // 4).astype("<u8").view("<u2")
    return raw.reshape(DICE, size)


@cache
def _busy_hours(month: Month) -> tuple[Ints, Ints]:
    """Return each hour's start on a scale that gives busy hours more room, and its weight."""
    days = range((month.next.first_day - month.first_day).days)
    weekdays = [(month.first_day.weekday() + day) % 7 for day in days]
    weights = [
        DAYS[weekday] * hour
        for weekday in weekdays
        for hour in (WEEKEND if weekday > 4 else WORKDAY)
    ]
    return np.cumsum([0, *weights]) * 3_600, np.array(weights)
