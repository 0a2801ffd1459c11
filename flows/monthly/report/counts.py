"""What the pictures of a month show, counted in its Parquet file in flat memory."""

from __future__ import annotations

import datetime as dt
import glob
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from monthly.columns import BOUNDS
from monthly.datasets import DATASETS, Dataset
from monthly.month import Month

#: What DuckDB may use; the groups below are a few thousand, whatever the month has.
MEMORY = "256MB"
#: Side of a cell of the map, degrees: 280 m to the north, 210 m to the east.
CELL = 0.0025
#: What the map shows, degrees: the city but for the far end of Staten Island.
WEST, EAST, SOUTH, NORTH = -74.10, -73.70, 40.57, 40.91
#: Fares beyond this are counted as this, USD: files hold some of a million.
LARGEST_FARE = 1_000

#: Steps of a unit in which a middle value is found.
STEPS = 100

_SCAN = "SELECT {what}, count(*) FROM read_parquet(?) WHERE {where} GROUP BY ALL ORDER BY ALL"


@dataclass(frozen=True)
class Typical:
    """What is usual in a month, and what the bounds of `monthly.columns.BOUNDS` would change.

    Attributes:
        what: the measure and its unit, "distance, miles".
        bound: what it can plausibly be, in that unit.
        median: half of the trips have less, to a hundredth.
        mean: of all trips.
        mean_within: of the trips within the bound.
        beyond: how many the bound would leave out.
    """

    what: str
    bound: float
    median: float
    mean: float
    mean_within: float
    beyond: int


@dataclass(frozen=True)
class Counts:
    """The counts of one month's trips, by when, where and for how much they began.

    Attributes:
        month: which.
        hours: trips by day and hour of pickup, local time; of the days of the month alone.
        fares: trips by fare in cents, from 0 for what is not positive to `LARGEST_FARE`;
            empty where the file has none.
        zones: trips by taxi zone of the pickup; empty where the file has none.
        cells: trips by column and row of the map, counted from its south-western corner;
            empty where the file has no coordinates.
        typical: distance, duration, speed and amount, those that the file has.
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
    """Counts groups of a file, one column or two at a time.

    Attributes:
        db: where DuckDB runs.
        parquet: the file.
    """

    db: duckdb.DuckDBPyConnection
    parquet: Path

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query of the file, which it calls `read_parquet(?)`."""
        return self.db.execute(sql, [glob.escape(str(self.parquet))]).fetchall()

    def count(self, what: str, where: str, values: list[object]) -> list[tuple[Any, ...]]:
        """Rows of each group and how many there are, in order; `what` makes the groups."""
        query = _SCAN.format(what=what, where=where)
        return self.db.execute(query, [glob.escape(str(self.parquet)), *values]).fetchall()


def _hours(scan: _Scan, month: Month) -> dict[tuple[dt.date, int], int]:
    pickup = DATASETS[month.dataset].pickup
    first = month.first_day
    after = (first + dt.timedelta(days=31)).replace(day=1)
    what = f'CAST("{pickup}" AS DATE), hour("{pickup}")'
    rows = scan.count(what, f'"{pickup}" >= ? AND "{pickup}" < ?', [first, after])
    return {(day, hour): count for day, hour, count in rows}


def _fares(scan: _Scan, dataset: Dataset) -> dict[int, int]:
    if dataset.fare is None:
        return {}
    what = f'CAST(round(greatest(least("{dataset.fare}", {LARGEST_FARE}), 0) * 100) AS INTEGER)'
    return dict(scan.count(what, f'"{dataset.fare}" IS NOT NULL', []))


def _zones(scan: _Scan, dataset: Dataset) -> dict[int, int]:
    return dict(scan.count(f'"{dataset.zone}"', f'"{dataset.zone}" IS NOT NULL', []))


def _cells(scan: _Scan, dataset: Dataset) -> dict[tuple[int, int], int]:
    longitude, latitude = "pickup_longitude", "pickup_latitude"
    if longitude not in dataset.schema.names:
        return {}
    what = (
        f"CAST(floor(({longitude} - ({WEST})) / {CELL}) AS INTEGER), "
        f"CAST(floor(({latitude} - {SOUTH}) / {CELL}) AS INTEGER)"
    )
    inside = f"{longitude} >= ? AND {longitude} < ? AND {latitude} >= ? AND {latitude} < ?"
    rows = scan.count(what, inside, [WEST, EAST, SOUTH, NORTH])
    return {(column, row): count for column, row, count in rows}


def _typical(scan: _Scan, dataset: Dataset) -> Iterator[Typical]:
    """Each measure that the file has a value of; a duration or a speed of trips that took time."""
    minutes = f'date_diff(\'microsecond\', "{dataset.pickup}", "{dataset.dropoff}") / 6e7'
    measures = [("duration, minutes", f"nullif(greatest({minutes}, 0), 0)", BOUNDS.hours * 60)]
    if dataset.distance:
        speed = f'"{dataset.distance}" * 60 / nullif(greatest({minutes}, 0), 0)'
        measures.insert(0, ("distance, miles", f'"{dataset.distance}"', BOUNDS.distance))
        measures.append(("speed, miles an hour", speed, BOUNDS.speed))
    if dataset.total:
        measures.append(("amount, USD", f'"{dataset.total}"', BOUNDS.amount))
    for what, expression, bound in measures:
        if found := _measured(scan, what, expression, bound):
            yield found


def _measured(scan: _Scan, what: str, expression: str, bound: float) -> Typical | None:
    """One measure; in flat memory, as the middle is found among the steps up to the bound."""
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
