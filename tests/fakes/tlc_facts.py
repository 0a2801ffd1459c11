"""Months of TLC's datasets as the generator writes them, with counts of what they contain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np

from monthly.month import Month
from monthly.sample import tlc
from monthly.sample.tlc.draw import seconds_of
from monthly.sample.tlc.eras import NULL, Era, Ints, era_of
from monthly.sample.tlc.trips import Chunk


@dataclass(frozen=True)
class Facts:
    """The contents of a generated file, counted from the values drawn for it.

    Attributes:
        rows: all rows.
        out_of_month: pickups before or after the file's month.
        negative_totals: rows whose total (fhvhv: base fare) is below zero.
        dropoff_before_pickup: rows that end before they begin.
        zero_distance: rows of 0 miles.
        duplicates: rows that repeat the previous row in every field.
        total_cents: exact sum of the total (fhvhv: base fare), US cents; None if the file has
            no such column.
        payment_types: rows by payment as published (a number, a text, None for null);
            None if the file has no such column.
        nulls: null values, by published column name.
    """

    rows: int
    out_of_month: int
    negative_totals: int
    dropoff_before_pickup: int
    zero_distance: int
    duplicates: int
    total_cents: int | None
    payment_types: Mapping[int | str | None, int] | None
    nulls: Mapping[str, int]

    def __add__(self, other: Facts) -> Facts:
        """Return the combined facts of two parts of one file."""
        names = [field.name for field in fields(self)]
        return Facts(*(_plus(getattr(self, name), getattr(other, name)) for name in names))


def write_sample(month: Month, path: Path, rows: int | None = None) -> Facts:
    """Write a month, and return the facts of the values drawn for it."""
    tlc.write_sample(month, path, rows)
    count = tlc.DEFAULT_ROWS[month.dataset] if rows is None else rows
    is_parquet = path.suffix == ".parquet"
    era = era_of(month, is_parquet)
    chunks = (chunk for chunk, _ in tlc.parts(month, era, count, is_parquet))
    return reduce(add, (_count(month, era, chunk) for chunk in chunks))


def _count(month: Month, era: Era, chunk: Chunk) -> Facts:
    """Count the facts of one chunk; a column that the era lacks has no oddities."""
    pickup, total = chunk["pickup"], chunk.get("total", chunk.get("base_fare"))
    start, end = seconds_of(month.first_day), seconds_of(month.next.first_day)
    dropoff = chunk.get("dropoff", pickup)
    return Facts(
        rows=len(pickup),
        out_of_month=_true((pickup < start) | (pickup >= end)),
        negative_totals=0 if total is None else _true(total < 0),
        dropoff_before_pickup=_true(dropoff < pickup),
        zero_distance=_true(chunk.get("distance", pickup) == 0),
        duplicates=_true(chunk["twin"]),
        total_cents=None if total is None else int(total.sum()),
        payment_types=_payments(era, chunk["payment"]) if "payment" in chunk else None,
        nulls={name: _true(chunk[key] == NULL) for name, key in zip(era.names, era.keys)},
    )


def _payments(era: Era, codes: Ints) -> dict[int | str | None, int]:
    texts = era.texts.get("payment")
    found: dict[int | str | None, int] = {}
    for code, count in zip(*(a.tolist() for a in np.unique(codes, return_counts=True))):
        name = None if code == NULL else texts[code] if texts else code
        found[name] = found.get(name, 0) + count
    return found


def _plus(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping):
        return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
    return None if one is None else one + other


def _true(rows: Any) -> int:
    return int(np.count_nonzero(rows))
