"""What the pictures of a month show, counted in its Parquet file in flat memory."""

from __future__ import annotations

import datetime as dt
import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from trips.datasets import DATASETS, Dataset
from trips.months import Month

#: What DuckDB may use; the groups below are a few thousand, whatever the month has.
MEMORY = "256MB"
#: Side of a cell of the map, degrees: 280 m to the north, 210 m to the east.
CELL = 0.0025
#: What the map shows, degrees: the city but for the far end of Staten Island.
WEST, EAST, SOUTH, NORTH = -74.10, -73.70, 40.57, 40.91
#: Fares beyond this are counted as this, USD: files hold some of a million.
LARGEST_FARE = 1_000

_SCAN = "SELECT {what}, count(*) FROM read_parquet(?) WHERE {where} GROUP BY ALL ORDER BY ALL"


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
    """

    month: Month
    hours: Mapping[tuple[dt.date, int], int]
    fares: Mapping[int, int]
    zones: Mapping[int, int]
    cells: Mapping[tuple[int, int], int]


def count_month(month: Month, parquet: Path) -> Counts:
    """Count the trips of a month's Parquet file, as `trips.convert` writes it."""
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
