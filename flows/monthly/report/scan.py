"""Queries a month's Parquet file with few result groups, whatever the file contains."""

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

#: DuckDB's memory limit; a month of any size has only a few thousand groups.
MEMORY = "256MB"
#: Groups per power of ten for a first count, and the powers of ten that they cover either way.
_GROUPS, _FIRST = 50, 100


@dataclass(frozen=True)
class Scan:
    """A Parquet file that every query scans.

    Attributes:
        db: the DuckDB connection.
        parquet: the file.
    """

    db: duckdb.DuckDBPyConnection
    parquet: Path

    def query(self, sql: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the file, which is `month` in the SQL.

        Args:
            sql: SQL that may contain declared names and numbers, but never declared texts.
            values: the values of its parameters.
        """
        source = "WITH month AS (SELECT * FROM read_parquet($parquet)) "
        path = glob.escape(str(self.parquet))
        return self.db.execute(source + sql, {"parquet": path, **(values or {})}).fetchall()

    def spread(self, expression: str) -> Spread:
        """Count the values of a numeric expression in groups of nearly equal values."""
        number = f"CAST({expression} AS DOUBLE)"
        # Skip NaN and absurdly large values, whose sums would overflow.
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
    """Yield a scan that reads a Parquet file in constant memory."""
    with duckdb.connect(config={"memory_limit": MEMORY}) as db:
        db.execute("SET preserve_insertion_order = false")
        yield Scan(db, parquet)


def _group(value: str) -> str:
    """Return SQL for the group of a value: its sign and logarithm, in the order of the values."""
    power = f"CAST(floor(log10(abs({value})) * {_GROUPS}) AS INTEGER) + {_FIRST * _GROUPS + 1}"
    sign = f"CAST(sign({value}) AS INTEGER)"
    return f"CASE WHEN abs({value}) < 1e-{_FIRST} THEN 0 ELSE {sign} * ({power}) END"


@dataclass(frozen=True, eq=False)
class Spread:
    """The distribution of a numeric expression.

    Attributes:
        scan: the file.
        value: the expression, null where there is no value.
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
        """Return a quantile to three digits; 0 if there are no values.

        A second query divides the group that contains it into finer steps.
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
    """Return the first key whose running count reaches a number, and the count before it."""
    before = 0
    for key, count in counts.items():
        if before + count >= wanted:
            return key, before
        before += count
    return 0, before


def _step(group: int) -> float:
    """Return the largest power of ten up to a thousandth of a group's width."""
    low = 10 ** ((abs(group) - 1) / _GROUPS - _FIRST)
    width = low * (10 ** (1 / _GROUPS) - 1)
    return float(10.0 ** math.floor(math.log10(width / 1_000)))
