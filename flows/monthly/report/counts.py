"""The counts behind a month's pictures, taken from its Parquet file in constant memory."""

from __future__ import annotations

import datetime as dt
import glob
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from monthly.datasets import DATASETS, Dataset
from monthly.month import Month

#: DuckDB's memory limit; a month of any size has only a few thousand of the groups below.
MEMORY = "256MB"
#: Side of a map cell, degrees: 280 m north to south, 210 m east to west.
CELL = 0.0025
#: Higher fares are counted as this, USD: files contain fares of a million.
LARGEST_FARE = 1_000

#: Steps per unit when computing a median.
STEPS = 100

_SCAN = "SELECT {what}, count(*) FROM read_parquet(?) WHERE {where} GROUP BY ALL ORDER BY ALL"


@dataclass(frozen=True)
class Typical:
    """The typical value of a measure, and the effect of its declared bound.

    Attributes:
        what: the measure and its unit, such as "distance, miles".
        bound: the largest plausible value, in that unit.
        median: median, to a hundredth.
        mean: mean of all trips.
        mean_within: mean of the trips within the bound.
        beyond: number of trips beyond the bound.
    """

    what: str
    bound: float
    median: float
    mean: float
    mean_within: float
    beyond: int


@dataclass(frozen=True)
class Counts:
    """The counts of one month's trips by pickup time, pickup place and fare.

    Attributes:
        month: the month.
        hours: trips by day and hour of pickup, local time; only days of the month.
        fares: trips by fare in cents, from 0 for fares that are not positive to `LARGEST_FARE`;
            empty if the file has none.
        zones: trips by taxi zone of the pickup; empty if the file has none.
        cells: trips by column and row of the map, counted from its south-western corner;
            empty if the file has no coordinates.
        typical: distance, duration, speed and amount, as far as the file has them.
    """

    month: Month
    hours: Mapping[tuple[dt.date, int], int]
    fares: Mapping[int, int]
    zones: Mapping[int, int]
    cells: Mapping[tuple[int, int], int]
    typical: tuple[Typical, ...] = ()


def count_month(month: Month, parquet: Path) -> Counts:
    """Count the trips of a month's Parquet file, as `monthly.convert.to_parquet` writes it."""
    dataset = DATASETS[month.dataset]
    with duckdb.connect(config={"memory_limit": MEMORY}) as db:
        db.execute("SET preserve_insertion_order = false")
        scan = _Scan(db, parquet)
        return Counts(
            month=month,
            hours=_hours(scan, month),
            fares=_fares(scan, dataset),
            zones=_zones(scan, dataset),
            cells=_cells(scan, dataset),
            typical=tuple(_typical(scan, dataset)),
        )


@dataclass(frozen=True)
class _Scan:
    """A Parquet file, counted in groups by one or two columns at a time.

    Attributes:
        db: the DuckDB connection.
        parquet: the file.
    """

    db: duckdb.DuckDBPyConnection
    parquet: Path

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the file, which the SQL reads as `read_parquet(?)`."""
        return self.db.execute(sql, [glob.escape(str(self.parquet))]).fetchall()

    def count(self, what: str, where: str, values: list[object]) -> list[tuple[Any, ...]]:
        """Return each group and its number of rows, in order; `what` defines the groups."""
        query = _SCAN.format(what=what, where=where)
        return self.db.execute(query, [glob.escape(str(self.parquet)), *values]).fetchall()


def _hours(scan: _Scan, month: Month) -> dict[tuple[dt.date, int], int]:
    pickup = DATASETS[month.dataset].roles.time
    first = month.first_day
    after = (first + dt.timedelta(days=31)).replace(day=1)
    what = f'CAST("{pickup}" AS DATE), hour("{pickup}")'
    rows = scan.count(what, f'"{pickup}" >= ? AND "{pickup}" < ?', [first, after])
    return {(day, hour): count for day, hour, count in rows}


def _fares(scan: _Scan, dataset: Dataset) -> dict[int, int]:
    if not dataset.roles.price:
        return {}
    price = dataset.roles.price
    what = f'CAST(round(greatest(least("{price}", {LARGEST_FARE}), 0) * 100) AS INTEGER)'
    return dict(scan.count(what, f'"{price}" IS NOT NULL', []))


def _zones(scan: _Scan, dataset: Dataset) -> dict[int, int]:
    place = dataset.roles.place
    return dict(scan.count(f'"{place}"', f'"{place}" IS NOT NULL', [])) if place else {}


def _cells(scan: _Scan, dataset: Dataset) -> dict[tuple[int, int], int]:
    longitude, latitude, extent = dataset.roles.longitude, dataset.roles.latitude, dataset.map
    if not (longitude and latitude and extent):
        return {}
    what = (
        f"CAST(floor(({longitude} - ({extent.west})) / {CELL}) AS INTEGER), "
        f"CAST(floor(({latitude} - ({extent.south})) / {CELL}) AS INTEGER)"
    )
    inside = f"{longitude} >= ? AND {longitude} < ? AND {latitude} >= ? AND {latitude} < ?"
    rows = scan.count(what, inside, [extent.west, extent.east, extent.south, extent.north])
    return {(column, row): count for column, row, count in rows}


def _typical(scan: _Scan, dataset: Dataset) -> Iterator[Typical]:
    """Yield each measure that has values; duration and speed only count trips that took time."""
    roles, bounds = dataset.roles, dataset.bounds
    minutes = f'date_diff(\'microsecond\', "{roles.time}", "{roles.end}") / 6e7'
    longest = (bounds.hours or 0) * 60
    measures = [("duration, minutes", f"nullif(greatest({minutes}, 0), 0)", longest)]
    if roles.distance:
        speed = f'"{roles.distance}" * 60 / nullif(greatest({minutes}, 0), 0)'
        measures.insert(0, ("distance, miles", f'"{roles.distance}"', bounds.distance or 0))
        measures.append(("speed, miles an hour", speed, bounds.speed or 0))
    if roles.amount:
        measures.append(("amount, USD", f'"{roles.amount}"', bounds.amount or 0))
    for what, expression, bound in measures:
        if found := _measured(scan, what, expression, bound):
            yield found


def _measured(scan: _Scan, what: str, expression: str, bound: float) -> Typical | None:
    """Return one measure; the median is found among the steps up to the bound, to save memory."""
    values = f"SELECT {expression} AS v FROM read_parquet(?) WHERE {expression} IS NOT NULL"
    mean = f"SELECT avg(v), avg(v) FILTER (v <= {bound}), count(*) FILTER (v > {bound})"
    ((of_all, within, beyond),) = scan.query(f"{mean} FROM ({values})")
    if within is None:
        return None
    step = f"CAST(round(greatest(least(v, {bound}), -{bound}) * {STEPS}) AS BIGINT)"
    steps = scan.query(f"SELECT {step}, count(*) FROM ({values}) GROUP BY 1 ORDER BY 1")
    return Typical(what, bound, _middle(steps) / STEPS, of_all, within, beyond)


def _middle(steps: list[tuple[int, int]]) -> int:
    half, so_far = sum(count for _, count in steps) / 2, 0
    for step, count in steps:
        so_far += count
        if so_far >= half:
            return step
    return 0
