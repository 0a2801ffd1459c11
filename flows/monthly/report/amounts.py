"""The histogram of a month's amounts, with bars of a round width that suits their scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monthly.dataset import Dataset
from monthly.report.distribution import LARGEST, Distribution, Measure
from monthly.report.scan import Scan

#: Approximate number of bars in a picture.
_BARS = 60
#: Amounts outside these quantiles are not drawn: a few of a thousand dollars would squeeze all
#: others together.
_LEAST, _MOST = 0.005, 0.99


@dataclass(frozen=True)
class Amounts:
    """The histogram of a month's amounts.

    Attributes:
        rows: rows that have an amount.
        median: the median amount.
        whole: whether all amounts are whole numbers.
        first: the first bar's amount, in bar widths.
        width: the width of a bar, in the unit of the amount.
        bars: rows by bar.
        below: rows below the first bar.
        above: rows above the last one.
    """

    rows: int
    median: float
    whole: bool
    first: int
    width: float
    bars: tuple[int, ...]
    below: int
    above: int

    @property
    def low(self) -> float:
        """Return the lower end of the first bar."""
        return self.first * self.width

    @property
    def high(self) -> float:
        """Return the upper end of the last bar."""
        return (self.first + len(self.bars)) * self.width


def amounts_measure(dataset: Dataset) -> Measure | None:
    """Return the measure of the amounts that the report draws; None if none is declared."""
    name = dataset.roles.price or dataset.roles.amount
    return Measure(f'"{name}"', (_LEAST, 0.5, _MOST)) if name else None


def amounts_of(scan: Scan, measure: Measure, found: Distribution) -> Amounts | None:
    """Count the amounts that the report draws; None if there are none.

    Args:
        scan: the month.
        measure: the result of `amounts_measure`.
        found: its distribution.
    """
    if not found.rows:
        return None
    low, high = _ends(found.quantiles[_LEAST], found.quantiles[_MOST])
    width = nice((high - low or abs(high) or 1.0) / _BARS)
    width = max(width, 1.0) if found.whole else width
    first, last = math.floor(low / width + 1e-9), math.floor(high / width + 1e-9)
    counts = _bars(scan, measure, width, first, last)
    bars = tuple(counts.get(place, 0) for place in range(first, last + 1))
    below, above = counts.get(first - 1, 0), counts.get(last + 1, 0)
    median = found.quantiles[0.5]
    return Amounts(found.rows, median, found.whole, first, width, bars, below, above)


def _ends(low: float, high: float) -> tuple[float, float]:
    """Return the range to draw, from zero unless amounts are negative or far from zero."""
    return (0.0, high) if 0 <= low < high / 2 else (low, high)


def _bars(scan: Scan, measure: Measure, width: float, first: int, last: int) -> dict[int, int]:
    """Return rows by bar, with one more bar for all rows below the first and one above the last."""
    place = f"floor(v / {width!r} + 1e-9)"
    bar = f"CAST(least(greatest({place}, {first - 1}), {last + 1}) AS BIGINT)"
    rows = scan.query(
        f"SELECT {bar}, count(*) FROM (SELECT CAST({measure.expression} AS DOUBLE) AS v FROM month)"
        f" WHERE abs(v) < {LARGEST!r} GROUP BY 1 ORDER BY 1"
    )
    return dict(rows)


def nice(least: float, digits: tuple[float, ...] = (1, 2, 5, 10)) -> float:
    """Return the smallest round number that is at least `least`, such as 0.02 or 500."""
    power = math.floor(math.log10(least))
    rounded = (float(f"{digit}e{power}") for digit in digits)
    return next(value for value in rounded if value >= least * (1 - 1e-9))
