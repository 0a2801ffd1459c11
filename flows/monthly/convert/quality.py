"""Quality report of a month: rows that are valid and kept but suspicious."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from monthly.convert.arrays import float64s, floats_of, int64s, midnight
from monthly.dataset import Dataset, term
from monthly.datasets import DATASETS
from monthly.declaration import Bounds
from monthly.month import Month

_ZERO = int64s([0])[0].cast(pa.float64())
_NO_TIME = int64s([0])[0]
_HOUR = 3_600_000_000  # microseconds


@dataclass(frozen=True)
class Quality:
    """The quality report of one month; a figure without a role or bound in the dataset is 0.

    Attributes:
        rows: rows written.
        nulls: null values by column, without columns that have none.
        outside_month: times outside the month of the file.
        end_before_time: rows that end before they begin.
        zero_distance: rows with distance zero.
        negative_amount: negative amounts, mostly refunds.
        implausible_distance: distances above the declared bound.
        implausible_duration: durations above the declared bound.
        implausible_speed: mean speeds above the declared bound.
        implausible_amount: amounts above the declared bound.
        duplicates: rows that repeat an earlier row in every column.
        amount: sum of the amounts; for money, to the cent.
        first_time: earliest time, local; None if there are no times.
        last_time: latest time, local; None if there are no times.
    """

    rows: int
    nulls: Mapping[str, int]
    outside_month: int
    end_before_time: int
    zero_distance: int
    negative_amount: int
    implausible_distance: int
    implausible_duration: int
    implausible_speed: int
    implausible_amount: int
    duplicates: int
    amount: float
    first_time: str | None
    last_time: str | None

    def figures(self, dataset: Dataset) -> dict[str, object]:
        """Return the figures under the dataset's own terms, such as `pickup_outside_month`."""
        return {"rows": self.rows, "nulls": self.nulls} | dict(self._figures(dataset))

    def _figures(self, dataset: Dataset) -> Iterator[tuple[str, object]]:
        roles, bounds = dataset.roles, dataset.bounds
        time, end, amount = map(term, (dataset.words.time, dataset.words.end, dataset.words.amount))
        if roles.time:
            yield f"{time}_outside_month", self.outside_month
        if roles.end:
            yield f"{end}_before_{time}", self.end_before_time
        if roles.distance:
            yield "zero_distance", self.zero_distance
        if roles.amount:
            yield f"negative_{amount}", self.negative_amount
        yield from self._implausible(bounds)
        yield "duplicates", self.duplicates
        if roles.amount:
            yield amount, self.amount
        if roles.time:
            yield f"first_{time}", self.first_time
            yield f"last_{time}", self.last_time

    def _implausible(self, bounds: Bounds) -> Iterator[tuple[str, object]]:
        for name, bound, count in (
            ("distance", bounds.distance, self.implausible_distance),
            ("duration", bounds.hours, self.implausible_duration),
            ("speed", bounds.speed, self.implausible_speed),
            ("amount", bounds.amount, self.implausible_amount),
        ):
            if bound is not None:
                yield f"implausible_{name}", count


class Tally:
    """Running quality counts, batch by batch."""

    def __init__(self, month: Month) -> None:
        self._dataset = DATASETS[month.dataset]
        self._start, self._end = midnight(month.first_day), midnight(month.next.first_day)
        self._odd: Counter[str] = Counter()
        self._nulls: Counter[str] = Counter()
        self._amount = 0.0
        self._times: list[dt.datetime] = []

    def measure(self, batch: pa.RecordBatch) -> Measured:
        """Measure a batch; pass the result to `merge` to add its counts."""
        roles, odd, times = self._dataset.roles, Counter[str](), []
        took = None
        if roles.time:
            time = _as_time(batch[roles.time])
            times = [end for end in pc.min_max(time).as_py().values() if end]
            odd["outside_month"] = _count(self._outside(time)) if self._may_stray(times) else 0
            if roles.end:
                took = pc.subtract(batch[roles.end], time).cast(pa.int64())
        odd.update(self._of_duration(took))
        odd.update(self._of_distance(batch, took))
        amount = _as_float(batch[roles.amount]) if roles.amount else None
        odd.update(self._of_amount(amount))
        total = pc.sum(amount).as_py() if amount is not None else 0.0
        nulls = {n: c.null_count for n, c in zip(batch.schema.names, batch.columns)}
        return Measured(batch.num_rows, odd, nulls, total or 0.0, times)

    def _may_stray(self, ends: list[dt.datetime]) -> bool:
        """Return whether the earliest or latest time is on or outside the bounds of the month."""
        start, end = self._start.as_py(), self._end.as_py()
        return not all(start < time < end for time in ends)

    def _outside(self, time: pa.Array) -> pa.Array:
        """Flag the times outside the month; the end of its last interval is inside."""
        if self._dataset.declared.interval == "end":
            return pc.or_(pc.less_equal(time, self._start), pc.greater(time, self._end))
        return pc.or_(pc.less(time, self._start), pc.greater_equal(time, self._end))

    def _of_duration(self, took: pa.Array | None) -> dict[str, int]:
        hours = self._dataset.bounds.hours
        if took is None:
            return {}
        long = int64s([int(hours * _HOUR)])[0] if hours else None
        return {
            "end_before_time": _count(pc.less(took, _NO_TIME)),
            "implausible_duration": _count(pc.greater(took, long)) if long else 0,
        }

    def _of_distance(self, batch: pa.RecordBatch, took: pa.Array | None) -> dict[str, int]:
        roles, bounds = self._dataset.roles, self._dataset.bounds
        if not roles.distance:
            return {}
        distance = _as_float(batch[roles.distance])
        odd = {"zero_distance": _count(pc.equal(distance, _ZERO))}
        if bounds.distance:
            odd["implausible_distance"] = _count(_above(distance, bounds.distance))
        if bounds.speed and took is not None:
            odd["implausible_speed"] = _count(_too_fast(distance, took, bounds.speed))
        return odd

    def _of_amount(self, amount: pa.Array | None) -> dict[str, int]:
        bound = self._dataset.bounds.amount
        if amount is None:
            return {}
        odd = {"negative_amount": _count(pc.less(amount, _ZERO))}
        if bound is not None:
            odd["implausible_amount"] = _count(_above(amount, bound))
        return odd

    def merge(self, measured: Measured) -> None:
        """Add the measurements of one batch."""
        self._odd.update({"rows": measured.rows, **measured.odd})
        self._nulls.update(measured.nulls)
        self._amount += measured.amount
        ends = [*self._times, *measured.times]
        self._times = [min(ends), max(ends)] if ends else []

    def report(self, duplicates: int) -> Quality:
        """Return the quality report of all merged batches."""
        odd = self._odd
        first, last = self._times or (None, None)
        is_money = re.fullmatch("[A-Z]{3}", self._dataset.units.amount)
        return Quality(
            rows=odd["rows"],
            nulls={name: count for name, count in self._nulls.items() if count},
            outside_month=odd["outside_month"],
            end_before_time=odd["end_before_time"],
            zero_distance=odd["zero_distance"],
            negative_amount=odd["negative_amount"],
            implausible_distance=odd["implausible_distance"],
            implausible_duration=odd["implausible_duration"],
            implausible_speed=odd["implausible_speed"],
            implausible_amount=odd["implausible_amount"],
            duplicates=duplicates,
            amount=round(self._amount, 2 if is_money else 6),
            first_time=str(first) if first else None,
            last_time=str(last) if last else None,
        )


@dataclass(frozen=True)
class Measured:
    """The measurements of one batch; see `Quality` for their meaning."""

    rows: int
    odd: Mapping[str, int]
    nulls: Mapping[str, int]
    amount: float
    times: list[dt.datetime]


def _too_fast(distance: pa.Array, took: pa.Array, bound: float) -> pa.Array:
    """Flag the rows that exceed the speed bound; rows without a duration do not."""
    shortest = pc.multiply(distance, float64s([_HOUR / bound])[0])
    fast = pc.greater(shortest, took.cast(pa.float64(), safe=False))
    return pc.and_(fast, pc.greater(took, _NO_TIME))


def _above(values: pa.Array, bound: float) -> pa.Array:
    return pc.greater(values, float64s([bound])[0])


def _as_time(values: pa.Array) -> pa.Array:
    return values.cast(pa.timestamp("us")) if pa.types.is_date32(values.type) else values


def _as_float(values: pa.Array) -> pa.Array:
    return floats_of(values) if values.type != pa.float64() else values


def _count(flags: pa.Array) -> int:
    return pc.sum(flags).as_py() or 0
