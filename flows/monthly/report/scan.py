"""Queries over a month's Parquet file whose results have few groups, whatever the file holds."""

from __future__ import annotations

import glob
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

#: DuckDB's memory limit; a month of any size has only some thousands of groups.
MEMORY = "256MB"
#: Groups per power of ten, in which numbers are counted first, and the power of the first group.
_GROUPS, _FIRST = 50, 100


@dataclass(frozen=True)
class Scan:
    """A Parquet file that is read for each query.

    Attributes:
        db: the DuckDB connection.
        parquet: the file.
    """

    db: duckdb.DuckDBPyConnection
    parquet: Path

    def query(self, sql: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the file, which the SQL calls `month`.

        Args:
            sql: SQL with names from the declaration and numbers, never texts of it.
            values: what its parameters stand for.
        """
        source = "WITH month AS (SELECT * FROM read_parquet($parquet)) "
        path = glob.escape(str(self.parquet))
        return self.db.execute(source + sql, {"parquet": path, **(values or {})}).fetchall()

    def spread(self, expression: str) -> Spread:
        """Count the values of a numeric expression in groups of nearly equal ones."""
        number = f"CAST({expression} AS DOUBLE)"
        # Of a size that no measure has, whose sums would overflow: neither those nor NaN count.
        value = f"CASE WHEN abs({number}) < 1e{_FIRST} THEN {number} END"
        return Spread(self, value, self._groups(value))

    def _groups(self, value: str) -> dict[int, int]:
        rows = self.query(
            f"SELECT {_group('v')}, count(*) FROM (SELECT {value} AS v FROM month) "
            "WHERE v IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        return dict(rows)


@contextmanager
def scanning(parquet: Path) -> Iterator[Scan]:
    """Yield a scan of a Parquet file in constant memory."""
    with duckdb.connect(config={"memory_limit": MEMORY}) as db:
        db.execute("SET preserve_insertion_order = false")
        yield Scan(db, parquet)


def _group(value: str) -> str:
    """Return the group of a value: its sign and its logarithm, in the order of the values."""
    power = f"CAST(floor(log10(abs({value})) * {_GROUPS}) AS INTEGER) + {_FIRST * _GROUPS + 1}"
    sign = f"CAST(sign({value}) AS INTEGER)"
    return f"CASE WHEN abs({value}) < 1e-{_FIRST} THEN 0 ELSE {sign} * ({power}) END"


@dataclass(frozen=True, eq=False)
class Spread:
    """How the values of a numeric expression are spread.

    Attributes:
        scan: the file.
        value: the expression; null where there is no value.
        groups: rows by group of nearly equal values, in order.
    """

    scan: Scan
    value: str
    groups: Mapping[int, int]

    @property
    def rows(self) -> int:
        """Return the number of rows that have a value."""
        return sum(self.groups.values())

    @cached_property
    def whole(self) -> bool:
        """Return whether all values are whole numbers."""
        v = self.value
        ((found,),) = self.scan.query(f"SELECT bool_and({v} = floor({v})) FROM month")
        return bool(found)

    def quantile(self, share: float) -> float:
        """Return the smallest value that this share of all does not exceed, to three digits.

        It is found among finer steps of the one group that it is in. 0 if there are no values.
        """
        group, before = _reached(self.groups, share * self.rows)
        if not group:
            return 0.0
        step = _step(group)
        steps = self.scan.query(
            f"SELECT CAST(round(v / {step!r}) AS BIGINT), count(*) "
            f"FROM (SELECT {self.value} AS v FROM month) WHERE {_group('v')} = {group} "
            "GROUP BY 1 ORDER BY 1"
        )
        return _reached(dict(steps), share * self.rows - before)[0] * step


def _reached(counts: Mapping[int, int], wanted: float) -> tuple[int, int]:
    """Return the first key at which the running count reaches a number, and the count before it."""
    before = 0
    for key, count in counts.items():
        if before + count >= wanted:
            return key, before
        before += count
    return 0, before


def _step(group: int) -> float:
    """Return a power of ten, at most a thousandth of the width of a group."""
    low = 10 ** ((abs(group) - 1) / _GROUPS - _FIRST)
    width = low * (10 ** (1 / _GROUPS) - 1)
    return float(10.0 ** math.floor(math.log10(width / 1_000)))
