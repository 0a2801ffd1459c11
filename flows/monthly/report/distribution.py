"""Counts the values of several numeric expressions at once, in two passes over a month's file.

Values are counted in arrays of a fixed size, so memory stays flat whatever the file contains.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from monthly.report.scan import Floats, Scan

Ints = npt.NDArray[np.int64]

#: Values of this size or more are not counted: their sum would overflow.
LARGEST = 1e100
#: The other bits of a float are its group: the sign, the exponent and four bits of the fraction.
_LOWER_BITS = 48
#: Number of groups of positive values, and as many of negative ones.
_SIGNED = 1 << (63 - _LOWER_BITS)
_ALL_BUT_SIGN = np.int64(2**63 - 1)


@dataclass(frozen=True)
class Measure:
    """A numeric expression, and what to find out about its values.

    Attributes:
        expression: SQL on the columns of the month.
        shares: the shares of the quantiles; 0.5 is the median.
        bound: the largest plausible value; None if none is declared.
    """

    expression: str
    shares: tuple[float, ...] = (0.5,)
    bound: float | None = None


@dataclass(frozen=True)
class Distribution:
    """The distribution of those values of a measure that are numbers smaller than LARGEST.

    Attributes:
        rows: number of values.
        whole: whether all values are whole numbers.
        mean: mean of all values; 0 if there are none.
        mean_within: mean of the values within the bound; of all values if none is.
        beyond: number of values beyond the bound.
        quantiles: by share, to three digits; 0 if there are no values.
    """

    rows: int
    whole: bool
    mean: float
    mean_within: float
    beyond: int
    quantiles: Mapping[float, float]


def distributions(scan: Scan, measures: Iterable[Measure]) -> dict[Measure, Distribution]:
    """Return the distribution of each measure.

    The first pass counts groups of nearly equal values. The second divides the groups that contain
    the quantiles into finer steps.
    """
    spreads = [_Spread(measure) for measure in dict.fromkeys(measures)]
    if not spreads:
        return {}
    expressions = [spread.measure.expression for spread in spreads]
    for pieces in scan.values(expressions):
        for spread, values in zip(spreads, pieces):
            spread.count(_counted(values))
    steps = [spread.steps() for spread in spreads]
    for pieces in scan.values(expressions):
        for quantiles, values in zip(steps, pieces):
            groups = _groups(values)
            for quantile in quantiles.values():
                quantile.count(values, groups)
    return {spread.measure: spread.found(found) for spread, found in zip(spreads, steps)}


class _Spread:
    """The counts of a measure's values by group."""

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self._groups = np.zeros(2 * _SIGNED, np.int64)
        self._bound = math.inf if measure.bound is None else measure.bound
        self._whole, self._sum = True, 0.0
        self._within, self._sum_within = 0, 0.0

    def count(self, values: Floats) -> None:
        """Count more values."""
        self._groups += np.bincount(_groups(values) + _SIGNED, minlength=len(self._groups))
        self._whole = self._whole and bool((values == np.floor(values)).all())
        self._sum += float(values.sum())
        within = values[values <= self._bound]
        self._within += len(within)
        self._sum_within += float(within.sum())

    def steps(self) -> dict[float, _Steps]:
        """Return the group of each quantile, with its finer steps still uncounted."""
        reached, rows = np.cumsum(self._groups), int(self._groups.sum())
        found = {}
        for share in self.measure.shares if rows else ():
            place = int(np.searchsorted(reached, share * rows))
            before = int(reached[place] - self._groups[place])
            found[share] = _Steps(place - _SIGNED, share * rows - before)
        return found

    def found(self, steps: Mapping[float, _Steps]) -> Distribution:
        """Return the distribution of all values, with quantiles from the counted steps."""
        rows = int(self._groups.sum())
        mean = self._sum / rows if rows else 0.0
        return Distribution(
            rows=rows,
            whole=self._whole,
            mean=mean,
            mean_within=self._sum_within / self._within if self._within else mean,
            beyond=rows - self._within,
            quantiles={s: steps[s].quantile() if rows else 0.0 for s in self.measure.shares},
        )


class _Steps:
    """The counts of one group's values by finer steps, which lead to a quantile.

    Args:
        group: the group that contains the quantile.
        wanted: the number of the group's values up to the quantile.
    """

    def __init__(self, group: int, wanted: float) -> None:
        self._group, self._wanted = group, wanted
        low, high = _sizes(group)
        # The largest power of ten up to a thousandth of the group's width.
        self._step = float(10.0 ** math.floor(math.log10((high - low) / 1_000)))
        self._counts: Counter[float] = Counter()

    def count(self, values: Floats, groups: Ints) -> None:
        """Count more values; `groups` has the group of each."""
        steps = np.rint(values[groups == self._group] / self._step)
        self._counts.update(dict(zip(*(a.tolist() for a in np.unique(steps, return_counts=True)))))

    def quantile(self) -> float:
        """Return the first value at which the wanted number is reached."""
        steps = sorted(self._counts)
        reached = accumulate(self._counts[step] for step in steps)
        first = next(step for step, count in zip(steps, reached) if count >= self._wanted)
        return first * self._step


def _counted(values: Floats) -> Floats:
    return values[np.abs(values) < LARGEST]


def _groups(values: Floats) -> Ints:
    """Return the group of each value, in the order of the values."""
    bits = (values + 0.0).view(np.int64)  # turns minus zero into zero
    # Read as integers, the bits of positive floats sort as the floats do, those of negative ones in
    # reverse order.
    ordered = bits ^ ((bits >> np.int64(63)) & _ALL_BUT_SIGN)
    groups: Ints = ordered >> np.int64(_LOWER_BITS)
    return groups


def _sizes(group: int) -> tuple[float, float]:
    """Return the smallest absolute value in a group, and the smallest one beyond it."""
    first = group if group >= 0 else ~group
    low, high = (np.array([first, first + 1]) << _LOWER_BITS).view(np.float64).tolist()
    return low, high
