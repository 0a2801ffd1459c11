"""Quality report of a month: rows that are valid and kept, but suspicious."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from monthly.columns import BOUNDS
from monthly.convert.arrays import float64s, int64s, midnight
from monthly.datasets import DATASETS
from monthly.month import Month

_ZERO = int64s([0])[0].cast(pa.float64())
_HOUR = 3_600_000_000  # microseconds
_NO_TIME, _LONGEST = int64s([0, int(BOUNDS.hours * _HOUR)])
_FARTHEST, _DEAREST = float64s([BOUNDS.distance, BOUNDS.amount])
#: Minimum microseconds per mile.
_SPEEDS = float64s([_HOUR / BOUNDS.speed])[0]


@dataclass(frozen=True)
class Quality:
    """The quality report of one month.

    Attributes:
        rows: rows written.
        nulls: null values by column, without columns that have none.
        pickup_outside_month: pickups before or after the month of the file.
        dropoff_before_pickup: trips that end before they begin.
        zero_distance: trips of zero miles; 0 for a dataset without distances.
        negative_total: negative amounts, mostly refunds; 0 for a dataset without amounts.
        implausible_distance: trips longer than the distance in `monthly.columns.BOUNDS`; like the
            next three, 0 for a dataset without the columns it needs.
        implausible_duration: trips longer than the hours in `BOUNDS`.
        implausible_speed: trips faster, on average, than the speed in `BOUNDS`.
        implausible_amount: amounts above the amount in `BOUNDS`.
        duplicates: rows that repeat an earlier row in every column.
        total: sum of the amount in USD, to the cent.
        first_pickup: earliest pickup, local time; None if there are no pickups.
        last_pickup: latest pickup, likewise.
    """

    rows: int
    nulls: Mapping[str, int]
    pickup_outside_month: int
    dropoff_before_pickup: int
    zero_distance: int
    negative_total: int
    implausible_distance: int
    implausible_duration: int
    implausible_speed: int
    implausible_amount: int
    duplicates: int
    total: float
    first_pickup: str | None
    last_pickup: str | None


class Tally:
    """Running quality counts, batch by batch."""

    def __init__(self, month: Month) -> None:
        self._dataset = DATASETS[month.dataset]
        self._start, self._end = midnight(month.first_day), midnight(_first_day_after(month))
        self._odd: Counter[str] = Counter()
        self._nulls: Counter[str] = Counter()
        self._total = 0.0
        self._pickups: list[dt.datetime] = []

    def measure(self, batch: pa.RecordBatch) -> Measured:
        """Measure a batch; pass the result to `merge` to add its counts."""
        dataset = self._dataset
        pickup, dropoff = batch[dataset.pickup], batch[dataset.dropoff]
        outside = pc.or_(pc.less(pickup, self._start), pc.greater_equal(pickup, self._end))
        odd = {
            "pickup_outside_month": _count(outside),
            "dropoff_before_pickup": _count(pc.less(dropoff, pickup)),
        }
        took = pc.subtract(dropoff, pickup).cast(pa.int64())
        odd["implausible_duration"] = _count(pc.greater(took, _LONGEST))
        if dataset.distance:
            miles = batch[dataset.distance]
            odd["zero_distance"] = _count(pc.equal(miles, _ZERO))
            odd["implausible_distance"] = _count(pc.greater(miles, _FARTHEST))
            odd["implausible_speed"] = _count(_too_fast(miles, took))
        if dataset.total:
            odd["negative_total"] = _count(pc.less(batch[dataset.total], _ZERO))
            odd["implausible_amount"] = _count(pc.greater(batch[dataset.total], _DEAREST))
        total = pc.sum(batch[dataset.total]).as_py() if dataset.total else 0.0
        nulls = {n: c.null_count for n, c in zip(batch.schema.names, batch.columns)}
        ends = pc.min_max(pickup).as_py().values()
        return Measured(batch.num_rows, odd, nulls, total or 0.0, [p for p in ends if p])

    def merge(self, measured: Measured) -> None:
        """Add the measures of one batch."""
        self._odd.update({"rows": measured.rows, **measured.odd})
        self._nulls.update(measured.nulls)
        self._total += measured.total
        ends = [*self._pickups, *measured.pickups]
        self._pickups = [min(ends), max(ends)] if ends else []

    def report(self, duplicates: int) -> Quality:
        """Return the quality report of all merged batches."""
        odd = self._odd
        first, last = self._pickups or (None, None)
        return Quality(
            rows=odd["rows"],
            nulls={name: count for name, count in self._nulls.items() if count},
            pickup_outside_month=odd["pickup_outside_month"],
            dropoff_before_pickup=odd["dropoff_before_pickup"],
            zero_distance=odd["zero_distance"],
            negative_total=odd["negative_total"],
            implausible_distance=odd["implausible_distance"],
            implausible_duration=odd["implausible_duration"],
            implausible_speed=odd["implausible_speed"],
            implausible_amount=odd["implausible_amount"],
            duplicates=duplicates,
            total=round(self._total, 2),
            first_pickup=str(first) if first else None,
            last_pickup=str(last) if last else None,
        )


@dataclass(frozen=True)
class Measured:
    """The measures of one batch; see `Quality` for their meaning."""

    rows: int
    odd: Mapping[str, int]
    nulls: Mapping[str, int]
    total: float
    pickups: list[dt.datetime]


def _too_fast(miles: pa.Array, took: pa.Array) -> pa.Array:
    """Tell which trips exceed the speed bound; trips without a duration do not."""
    fast = pc.greater(pc.multiply(miles, _SPEEDS), took.cast(pa.float64(), safe=False))
    return pc.and_(fast, pc.greater(took, _NO_TIME))


def _count(flags: pa.Array) -> int:
    return pc.sum(flags).as_py() or 0


def _first_day_after(month: Month) -> dt.date:
    return (month.first_day + dt.timedelta(days=31)).replace(day=1)
