"""Queries a month's Parquet file with few result groups, whatever the file contains."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from core.duckdb_instance import instance

#: DuckDB's memory limit; a month of any size has only a few thousand groups.
MEMORY = "256MB"
#: Rows that `Scan.values` yields at a time.
_BATCH_ROWS = 65_536
_SOURCE = "WITH month AS (SELECT * FROM read_parquet($parquet))"
Floats = npt.NDArray[np.float64]


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
        parameters = {**self._parameters(), **(values or {})}
        return self.db.execute(f"{_SOURCE} {sql}", parameters).fetchall()

    def values(self, expressions: Sequence[str]) -> Iterator[list[Floats]]:
        """Yield the values of numeric expressions in batches of rows; NaN for null."""
        numbers = ", ".join(f"CAST({e} AS DOUBLE) AS v{n}" for n, e in enumerate(expressions))
        # `execute` would materialize all rows before the first is read.
        found = self.db.sql(f"{_SOURCE} SELECT {numbers} FROM month", params=self._parameters())
        for batch in found.to_arrow_reader(_BATCH_ROWS):
            yield [column.to_numpy(zero_copy_only=False) for column in batch.columns]

    def _parameters(self) -> dict[str, object]:
        return {"parquet": glob.escape(str(self.parquet))}


@contextmanager
def scanning(parquet: Path) -> Iterator[Scan]:
    """Yield a scan that reads a Parquet file in constant memory."""
    duck = instance(memory_limit=MEMORY, preserve_insertion_order="false")
    with duck.cursor() as db:
        yield Scan(db, parquet)
