"""The values of a generated month's columns, as text, according to the declaration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from monthly.columns import Column
from monthly.convert.arrays import strings
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.sample.clock import Clock, unit_of
from monthly.sample.draw import MOST, Draw, Ints, as_arrow

#: Digits that always fit an int64.
_DIGITS = 18
#: Ranges in degrees, if the declaration has no map.
_SOMEWHERE = {"latitude": (50.0, 50.2), "longitude": (8.0, 8.3)}
#: The largest amount and the largest distance, unless the bounds are lower.
_AMOUNT, _DISTANCE = 100.0, 10.0
#: Seconds from time to end and distance per hour, unless the bounds are lower.
_SHORTEST, _LONGEST, _SPEED = 300, 3_600, 60.0
#: Distinct values of a place, and of other columns with repeated texts.
_PLACES, _REPEATED = 60, 20


@dataclass(frozen=True)
class Numbers:
    """The numbers of a column: from `low` to `high`, in units of `10**-scale`."""

    low: int
    high: int
    scale: int


class Values:
    """The values of the rows of one chunk of a month."""

    def __init__(self, month: Month, clock: Clock, rows: int, span: tuple[int, int]) -> None:
        self._month, self._dataset, self._clock = month, DATASETS[month.dataset], clock
        self._rows, self._span = rows, span
        self._seconds: Ints = Draw(month, "", *span).number * clock.seconds // max(rows, 1)

    def of(self, column: Column, is_key: bool) -> pa.Array:
        """Return the texts of a column, without nulls.

        Args:
            column: the column.
            is_key: whether every row needs its own value.
        """
        draw = Draw(self._month, column.name, *self._span)
        if texts := _choices(column, self._dataset):
            return strings(texts).take(as_arrow(draw.pick(len(texts))))
        if column.kind in ("timestamp", "date"):
            return self._clock.texts(self._times(column, draw), column)
        if column.kind == "string":
            return self._texts(column, draw, is_key)
        numbers = numbers_of(column, self._dataset)
        units = draw.number if is_key else _drawn(numbers, column, self._dataset, draw)
        return number_texts(units, numbers.scale, self._dataset.text.decimal or ".")

    def _times(self, column: Column, draw: Draw) -> Ints:
        roles, seconds = self._dataset.roles, self._seconds
        if column.name == roles.end:
            shortest, longest = took(self._dataset)
            seconds = seconds + shortest + draw.rank(longest - shortest)
        elif column.name != roles.time and column.kind == "timestamp":
            seconds = seconds + draw.pick(_LONGEST)
        return self._clock.at(seconds, column, column.name == roles.time)

    def _texts(self, column: Column, draw: Draw, is_key: bool) -> pa.Array:
        if is_key:
            return pc.utf8_lpad(as_arrow(draw.number + 1).cast(pa.string()), 8, "0")
        is_place = column.name == self._dataset.roles.place
        word = self._dataset.words.place if is_place else column.name
        numbers = draw.rank(_PLACES) if is_place else draw.pick(_REPEATED)
        words = max(len(column.joined), 1)
        texts = [" ".join([f"{word} {n}", *["x"] * (words - 2)]) for n in range(1, _PLACES + 1)]
        return strings(texts).take(as_arrow(numbers))


def key_of(columns: Sequence[Column], dataset: Dataset, clock: Clock, rows: int) -> Column | None:
    """Return the column that makes the rows unique: the time, else a text, else a number.

    Return None if no column can, as in a file with only booleans.
    """
    free = [c for c in columns if not (_choices(c, dataset) or c.joined)]
    time = next((c for c in columns if c.name == dataset.roles.time), None)
    unit = time and unit_of(time)
    if unit and unit <= 60_000_000 and rows <= clock.seconds * 1_000_000 // max(unit, 1_000_000):
        return time
    texts = [c for c in free if c.kind == "string" and c.name not in _with_role(dataset)]
    numbers = [c for c in free if c.kind in ("int64", "float64", "decimal")]
    large = [c for c in numbers if c.kind != "decimal" or 10 ** c.digits[0] > rows]
    return next(iter([*texts, *sorted(large, key=lambda c: c.name in _with_role(dataset))]), None)


def _with_role(dataset: Dataset) -> set[str]:
    return {*dataset.roles.model_dump().values()}


def _choices(column: Column, dataset: Dataset) -> list[str]:
    """Return the published texts of a column with a fixed set of them, else none."""
    declared = dataset.declared.columns[column.name]
    if texts := [text for text in (*declared.codes, *declared.without_code) if text.strip()]:
        return texts
    if column.flag:
        return ["N", "Y"]
    return ["true", "false"] if column.kind == "boolean" else []


def took(dataset: Dataset) -> tuple[int, int]:
    """Return the shortest and longest duration, in seconds."""
    hours = dataset.bounds.hours
    longest = min(_LONGEST, int(hours * 3_600)) if hours else _LONGEST
    return min(_SHORTEST, longest // 2), max(longest, 1)


def numbers_of(column: Column, dataset: Dataset) -> Numbers:
    """Return the plausible numbers of a column, limited to its digits."""
    degrees = column.name in (dataset.roles.latitude, dataset.roles.longitude)
    scales = {"int64": 0, "float64": 6 if degrees else 2, "decimal": column.digits[1]}
    scale = scales[column.kind]
    digits = min(column.digits[0] if column.kind == "decimal" else _DIGITS, _DIGITS)
    low, high = (
        max(min(int(end * 10**scale), 10**digits - 1), 1 - 10**digits)
        for end in _ends(column.name, dataset)
    )
    return Numbers(low, max(low, high), scale)


def _ends(name: str, dataset: Dataset) -> tuple[float, float]:
    """Return the smallest and largest plausible number of a column."""
    roles, bounds, extent = dataset.roles, dataset.bounds, dataset.map
    if name == roles.latitude:
        return (extent.south, extent.north) if extent else _SOMEWHERE["latitude"]
    if name == roles.longitude:
        return (extent.west, extent.east) if extent else _SOMEWHERE["longitude"]
    if name == roles.distance:
        far = (bounds.speed or _SPEED) * took(dataset)[0] / 3_600
        return 0.0, min(_DISTANCE, far, bounds.distance or _DISTANCE)
    if name == roles.place:
        return 1.0, float(_PLACES)
    amount = _AMOUNT if bounds.amount is None else min(_AMOUNT, bounds.amount)
    return min(0.0, amount), amount


def _drawn(numbers: Numbers, column: Column, dataset: Dataset, draw: Draw) -> Ints:
    """Return random numbers in units: degrees cluster in the middle, others are mostly small."""
    span = numbers.high - numbers.low + 1
    if column.name in (dataset.roles.latitude, dataset.roles.longitude):
        return numbers.low + (draw.pick(span) + draw.pick(span)) // 2
    return numbers.low + draw.rank(min(span, MOST)) * max(span // MOST, 1)


def number_texts(units: Ints, scale: int, mark: str) -> pa.Array:
    """Return numbers, given in units of `10**-scale`, as text with a decimal mark."""
    digits = as_arrow(abs(units)).cast(pa.string())
    if scale:
        padded = pc.utf8_lpad(digits, scale + 1, "0")
        whole = pc.utf8_slice_codeunits(padded, 0, -scale)
        digits = pc.binary_join_element_wise(whole, pc.utf8_slice_codeunits(padded, -scale), mark)
    signs = strings(["", "-"]).take(as_arrow((units < 0).astype("int64")))
    return pc.binary_join_element_wise(signs, digits, "")
