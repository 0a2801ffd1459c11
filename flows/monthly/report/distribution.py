"""Counts the values of several numeric expressions at once, mostly in one pass over a month's file.

Values are counted in arrays of a fixed size, so memory stays flat whatever the file contains.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

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
#: Groups next to that of a quantile that are divided with it: a sixteenth of its size each.
_NEAR = 1
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

    The first pass counts groups of nearly equal values. It also divides the groups in which the
    first values have the quantiles, and those next to them, into finer steps. If a quantile of all
    values lies elsewhere, a second pass divides its group.
    """
    spreads = [_Spread(measure) for measure in dict.fromkeys(measures)]
    for spread, values in _each(scan, spreads):
        spread.count(values)
    missed = [spread for spread in spreads if spread.divide_others()]
    for spread, values in _each(scan, missed):
        spread.count_steps(values, _groups(values))
    return {spread.measure: spread.found() for spread in spreads}


def _each(scan: Scan, spreads: Sequence[_Spread]) -> Iterator[tuple[_Spread, Floats]]:
    """Scan the file and yield the values of each measure, in batches of rows."""
    for pieces in scan.values([each.measure.expression for each in spreads]) if spreads else ():
        yield from zip(spreads, map(_counted, pieces))


class _Spread:
    """The counts of a measure's values by group, and of some groups by finer steps."""

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self._groups = np.zeros(2 * _SIGNED, np.int64)
        self._steps: dict[int, _Steps] = {}
        self._divided: dict[int, _Steps] = {}
        self._bound = math.inf if measure.bound is None else measure.bound
        self._whole, self._sum = True, 0.0
        self._within, self._sum_within = 0, 0.0

    def count(self, values: Floats) -> None:
        """Count more values."""
        groups = _groups(values)
        self._groups += np.bincount(groups + _SIGNED, minlength=len(self._groups))
        if not self._steps:
            near = {group + n for group, _ in self._quantiles() for n in range(-_NEAR, _NEAR + 1)}
            self._steps = {group: _Steps(group) for group in near if -_SIGNED <= group < _SIGNED}
        self.count_steps(values, groups)
        self._whole = self._whole and bool((values == np.floor(values)).all())
        self._sum += float(values.sum())
        within = values[values <= self._bound]
        self._within += len(within)
        self._sum_within += float(within.sum())

    def count_steps(self, values: Floats, groups: Ints) -> None:
        """Count more values by finer steps; `groups` has the group of each."""
        for steps in self._steps.values():
            steps.count(values[groups == steps.group])

    def divide_others(self) -> bool:
        """Prepare to count quantiles' groups that are not divided; return whether there are any.

        The steps of the others are kept apart, so that they are not counted again.
        """
        wanted = {group for group, _ in self._quantiles()}
        self._divided |= self._steps
        self._steps = {group: _Steps(group) for group in wanted - self._divided.keys()}
        return bool(self._steps)

    def _quantiles(self) -> list[tuple[int, float]]:
        """Return for each quantile its group, and the number of the group's values up to it."""
        reached, rows = np.cumsum(self._groups), int(self._groups.sum())
        found = []
        for share in self.measure.shares if rows else ():
            place = int(np.searchsorted(reached, share * rows))
            before = int(reached[place] - self._groups[place])
            found.append((place - _SIGNED, share * rows - before))
        return found

    def found(self) -> Distribution:
        """Return the distribution of all values."""
        rows, steps = int(self._groups.sum()), self._divided | self._steps
        mean = self._sum / rows if rows else 0.0
        quantiles = [steps[group].quantile(wanted) for group, wanted in self._quantiles()]
        return Distribution(
            rows=rows,
            whole=self._whole,
            mean=mean,
            mean_within=self._sum_within / self._within if self._within else mean,
            beyond=rows - self._within,
            quantiles=dict(zip(self.measure.shares, quantiles or repeat(0.0))),
        )


class _Steps:
    """The counts of one group's values by finer steps, which lead to its quantiles.

    Args:
        group: the group.
    """

    def __init__(self, group: int) -> None:
        self.group = group
        low, high = _ends(group)
        # The largest power of ten up to a thousandth of the group's width.
        self._step = float(10.0 ** math.floor(math.log10((high - low) / 1_000)))
        self._first = math.floor(low / self._step)
        self._counts = np.zeros(math.ceil(high / self._step) - self._first + 1, np.int64)

    def count(self, values: Floats) -> None:
        """Count more values of the group."""
        steps = np.rint(values / self._step).astype(np.int64) - self._first
        self._counts += np.bincount(steps, minlength=len(self._counts))

    def quantile(self, wanted: float) -> float:
        """Return the first value at which the wanted number is reached."""
        reached = np.cumsum(self._counts)
        return float(self._first + np.searchsorted(reached, max(wanted, 1))) * self._step


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


def _ends(group: int) -> tuple[float, float]:
    """Return the ends of the values in a group, in order."""
    first = group if group >= 0 else ~group
    near, far = (np.array([first, first + 1]) << _LOWER_BITS).view(np.float64).tolist()
    return (near, far) if group >= 0 else (-far, -near)
