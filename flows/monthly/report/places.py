"""Counts where the rows of a month are: the busiest places and the cells of a map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from monthly.dataset import Dataset
from monthly.declaration import Map
from monthly.report.amounts import nice
from monthly.report.distribution import Distribution, Measure
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


def extent_measures(dataset: Dataset) -> tuple[Measure, ...]:
    """Return the measures of longitude and latitude for the extent; none if a map is declared."""
    if dataset.map or not _has_coordinates(dataset):
        return ()
    x, y, known = _coordinates(dataset)
    shares = (_LEFT_OUT, 1 - _LEFT_OUT)
    return tuple(Measure(f"CASE WHEN {known} THEN {degrees} END", shares) for degrees in (x, y))


def cells_of(
    scan: Scan, dataset: Dataset, measured: Mapping[Measure, Distribution]
) -> Cells | None:
    """Count the rows by cell of the map; None if no row is on it.

    Args:
        scan: the month.
        dataset: its dataset.
        measured: the distributions of its `extent_measures`.
    """
    if not _has_coordinates(dataset):
        return None
    x, y, known = _coordinates(dataset)
    ((rows,),) = scan.query(f"SELECT count(*) FROM month WHERE {known}")
    if not rows:
        return None
    extent = dataset.map or _extent(*(measured[m] for m in extent_measures(dataset)))
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


def _has_coordinates(dataset: Dataset) -> bool:
    return bool(dataset.roles.longitude and dataset.roles.latitude)


def _coordinates(dataset: Dataset) -> tuple[str, str, str]:
    """Return SQL for longitude, latitude, and whether a row has them."""
    x, y = (
        f'CAST("{name}" AS DOUBLE)' for name in (dataset.roles.longitude, dataset.roles.latitude)
    )
    # Publishers write 0, 0 for an unknown place.
    return x, y, f"abs({x}) <= 180 AND abs({y}) <= 90 AND NOT ({x} = 0 AND {y} = 0)"


def _extent(x: Distribution, y: Distribution) -> Map:
    """Return an extent that contains most rows, wherever they are."""
    (west, east), (south, north) = _most_of(x, 180.0), _most_of(y, 90.0)
    return Map(west=west, east=east, south=south, north=north)


def _most_of(degrees: Distribution, end: float) -> tuple[float, float]:
    low, high = degrees.quantiles[_LEFT_OUT], degrees.quantiles[1 - _LEFT_OUT]
    margin = max((high - low) * _MARGIN, (_SMALLEST - (high - low)) / 2)
    return max(round(low - margin, 4), -end), min(round(high + margin, 4), end)


def _side(extent: Map, rows: int) -> float:
    """Return the side of a cell: small enough for detail, large enough to be visible."""
    across = max(_CELLS[0], min(_CELLS[1], math.isqrt(rows)))
    widest = max(extent.east - extent.west, extent.north - extent.south)
    return nice(widest / across, (1, 2, 2.5, 5, 10))
