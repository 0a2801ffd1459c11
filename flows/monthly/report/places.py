"""Counts where the rows of a month are: the busiest places and the cells of a map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from monthly.dataset import Dataset
from monthly.declaration import Map
from monthly.report.amounts import nice
from monthly.report.scan import Scan

#: Number of places that a reader can compare at a glance.
MOST_PLACES = 12
#: Places are first hashed into groups, and only those in the largest groups are counted, so memory
#: stays flat even if every row has its own place. A place with more than one row in a thousand is
#: always counted.
_GROUPS, _LARGEST = 65_536, 1_024
#: Fewest and most cells along the longer side.
_CELLS = (24, 160)
#: Share of the rows left out on each side of an undeclared extent, and its margin.
_LEFT_OUT, _MARGIN = 0.01, 0.1
#: Shortest side of an extent, in degrees: about a kilometre.
_SMALLEST = 0.01


@dataclass(frozen=True)
class Places:
    """The places with the most rows.

    Attributes:
        most: places and their number of rows, most rows first.
        rows: rows that have a place.
    """

    most: tuple[tuple[int | str, int], ...]
    rows: int


@dataclass(frozen=True)
class Cells:
    """The rows of a map.

    Attributes:
        extent: the map.
        side: the side of a cell, in degrees.
        counts: rows by column and row of the map, counted from its south-western corner.
        rows: all rows that have coordinates.
    """

    extent: Map
    side: float
    counts: Mapping[tuple[int, int], int]
    rows: int


def places_of(scan: Scan, dataset: Dataset) -> Places | None:
    """Count the rows of the most frequent places; None if no row has one."""
    name = dataset.roles.place
    column = dataset.column(name) if name else None
    if column is None:
        return None
    place = f'"{name}"' if column.kind == "int64" else f'left(CAST("{name}" AS VARCHAR), 200)'
    from_month = f"FROM (SELECT {place} AS p FROM month) WHERE p IS NOT NULL"
    group = f"hash(p) % {_GROUPS}"
    most = scan.query(
        f"SELECT p, count(*) {from_month} AND {group} IN (SELECT {group} {from_month} "
        f"GROUP BY 1 ORDER BY count(*) DESC LIMIT {_LARGEST}) "
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_PLACES}"
    )
    ((rows,),) = scan.query(f"SELECT count(*) {from_month}")
    return Places(tuple(most), rows) if rows else None


def cells_of(scan: Scan, dataset: Dataset) -> Cells | None:
    """Count the rows by cell of the map; None if no row is on it."""
    x, y = (
        f'CAST("{name}" AS DOUBLE)' for name in (dataset.roles.longitude, dataset.roles.latitude)
    )
    if not (dataset.roles.longitude and dataset.roles.latitude):
        return None
    # Publishers write 0, 0 for an unknown place.
    known = f"abs({x}) <= 180 AND abs({y}) <= 90 AND NOT ({x} = 0 AND {y} = 0)"
    ((rows,),) = scan.query(f"SELECT count(*) FROM month WHERE {known}")
    if not rows:
        return None
    extent = dataset.map or _extent(scan, x, y, known)
    side = _side(extent, rows)
    column, row = (
        f"floor(({x} - ({extent.west})) / {side})",
        f"floor(({y} - ({extent.south})) / {side})",
    )
    found = scan.query(
        f"SELECT CAST({column} AS INTEGER), CAST({row} AS INTEGER), count(*) FROM month "
        f"WHERE {known} AND {x} >= $west AND {x} < $east AND {y} >= $south AND {y} < $north "
        "GROUP BY ALL ORDER BY ALL",
        extent.model_dump(),
    )
    counts = {(column, row): count for column, row, count in found}
    return Cells(extent, side, counts, rows) if counts else None


def _extent(scan: Scan, x: str, y: str, known: str) -> Map:
    """Return an extent that contains most rows, wherever they are."""
    west, east = _most_of(scan, f"CASE WHEN {known} THEN {x} END", 180.0)
    south, north = _most_of(scan, f"CASE WHEN {known} THEN {y} END", 90.0)
    return Map(west=west, east=east, south=south, north=north)


def _most_of(scan: Scan, expression: str, end: float) -> tuple[float, float]:
    spread = scan.spread(expression)
    low, high = spread.quantile(_LEFT_OUT), spread.quantile(1 - _LEFT_OUT)
    margin = max((high - low) * _MARGIN, (_SMALLEST - (high - low)) / 2)
    return max(round(low - margin, 4), -end), min(round(high + margin, 4), end)


def _side(extent: Map, rows: int) -> float:
    """Return the side of a cell: small enough for detail, large enough to be visible."""
    across = max(_CELLS[0], min(_CELLS[1], math.isqrt(rows)))
    widest = max(extent.east - extent.west, extent.north - extent.south)
    return nice(widest / across, (1, 2, 2.5, 5, 10))
