"""Column figures of a month, measured batch by batch while it is converted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monthly.convert.arrays import numbers_of
from monthly.figures import Figures, as_json

_LOW = np.int64(0xFFFFFFFF)
#: A sum of fewer values than 2**31 that are each below 2**32 fits into 64 bits.
_SAFE = 1 << 32
#: Adds decimals without rounding; Python's default context has 28 digits.
_EXACT = Context(prec=100)


@dataclass(frozen=True)
class Part:
    """The figures of a column in part of a month: like `Figures`, with Python types."""

    count: int
    least: Any
    most: Any
    total: Any


def measure(batch: pa.RecordBatch) -> dict[str, Part]:
    """Return the figures of the columns of a batch."""
    return {name: _part(values) for name, values in zip(batch.schema.names, batch.columns)}


class ColumnFigures:
    """Running figures of the columns of a month."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}

    def merge(self, parts: Mapping[str, Part]) -> None:
        """Add the figures of one batch."""
        for name, part in parts.items():
            known = self._parts.get(name)
            self._parts[name] = _both(known, part) if known else part

    def report(self) -> dict[str, Figures]:
        """Return the figures of all merged batches by column."""
        return {name: _figures(part) for name, part in self._parts.items()}


def _part(values: pa.Array) -> Part:
    count = len(values) - values.null_count
    if not count:
        return Part(0, None, None, None)
    if pa.types.is_float64(values.type):
        return _of_floats(values, count)
    if pa.types.is_dictionary(values.type):
        return _of_texts(values, count)
    ends = pc.min_max(values).as_py()
    return Part(count, ends["min"], ends["max"], _total(values, ends["min"], ends["max"]))


def _of_floats(values: pa.Array, count: int) -> Part:
    # Arrow takes ten times as long for the minimum and maximum of floats.
    numbers = numbers_of(values, np.float64)
    least, most = numbers.min(), numbers.max()
    if not (math.isfinite(least) and math.isfinite(most)):
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            return Part(count, None, None, None)
        least, most = numbers.min(), numbers.max()
    with np.errstate(over="ignore"):  # the sum of the largest floats is infinite
        total = float(numbers.sum())
    return Part(count, float(least), float(most), total)


def _of_texts(values: pa.DictionaryArray, count: int) -> Part:
    """Return the figures of a dictionary whose texts all occur; the total is their bytes."""
    ends = pc.min_max(values.dictionary).as_py()
    total = pc.sum(pc.binary_length(values.dictionary).take(values.indices)).as_py()
    return Part(count, ends["min"], ends["max"], total)


def _total(values: pa.Array, least: Any, most: Any) -> Any:
    kind = values.type
    if pa.types.is_string(kind):
        return pc.sum(pc.binary_length(values)).as_py()
    if pa.types.is_date32(kind):
        return pc.sum(values.view(pa.int32())).as_py()
    if pa.types.is_timestamp(kind):
        return _exact(values)
    if pa.types.is_integer(kind) and not -_SAFE < least <= most < _SAFE:
        return _exact(values)
    if pa.types.is_decimal(kind):
        return pc.sum(values.cast(pa.decimal256(76, kind.scale))).as_py()
    return pc.sum(values).as_py()


def _exact(values: pa.Array) -> int:
    """Return the sum of integers that may not fit into 64 bits."""
    numbers = numbers_of(values, np.int64)
    high, low = numbers >> np.int64(32), numbers & _LOW
    return (int(high.sum()) << 32) + int(low.sum())


def _both(one: Part, other: Part) -> Part:
    if not other.count:
        return one
    if not one.count:
        return other
    return Part(
        one.count + other.count,
        _chosen(min, one.least, other.least),
        _chosen(max, one.most, other.most),
        _sum(one.total, other.total),
    )


def _sum(one: Any, other: Any) -> Any:
    if one is None or other is None:  # floats, none of them finite
        return other if one is None else one
    return _EXACT.add(one, other) if isinstance(one, Decimal) else one + other


def _chosen(which: Any, one: Any, other: Any) -> Any:
    known = [value for value in (one, other) if value is not None]
    return which(known) if known else None


def _figures(part: Part) -> Figures:
    # A sum of floats may overflow.
    fits = not isinstance(part.total, float) or math.isfinite(part.total)
    total = part.total if fits else None
    return Figures(part.count, *map(as_json, (part.least, part.most, total)))
