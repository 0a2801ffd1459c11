"""Queries a month's Parquet file with few result groups, whatever the file contains."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.duckdb_instance import instance

#: DuckDB's memory limit; a month of any size has only a few thousand groups.
MEMORY = "256MB"
#: Rows that `Scan.values` yields at a time.
_BATCH_ROWS = 65_536
_FILE = "SELECT * FROM read_parquet($parquet)"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scan:
    """A Parquet file that every query scans.

    Attributes:
        db: the DuckDB connection.
        parquet: the file.
        source: SQL that makes it `month`.
    """

    db: duckdb.DuckDBPyConnection
    parquet: Path
    source: str

    def query(self, sql: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the file, which is `month` in the SQL.

        Args:
            sql: SQL that may contain declared names and numbers, but never declared texts.
            values: the values of its parameters.
        """
        parameters = {**self._parameters(), **(values or {})}
        return self.db.execute(f"{self.source} {sql}", parameters).fetchall()

    def values(self, expressions: Sequence[str]) -> Iterator[list[Floats]]:
        """Yield the values of numeric expressions in batches of rows; NaN for null."""
        numbers = ", ".join(f"CAST({e} AS DOUBLE) AS v{n}" for n, e in enumerate(expressions))
        # `execute` would materialize all rows before the first is read.
        found = self.db.sql(f"{self.source} SELECT {numbers} FROM month", params=self._parameters())
        for batch in found.to_arrow_reader(_BATCH_ROWS):
            yield [column.to_numpy(zero_copy_only=False) for column in batch.columns]

    def _parameters(self) -> dict[str, object]:
        return {"parquet": glob.escape(str(self.parquet))}


@contextmanager
def scanning(parquet: Path, schema: pa.Schema) -> Iterator[Scan]:
    """Yield a scan that reads a Parquet file in constant memory.

    Args:
        parquet: the file.
        schema: its declared columns. Those declared since it was converted are null.
    """
    duck = instance(memory_limit=MEMORY, preserve_insertion_order="false")
    with duck.cursor() as db:
        scan = Scan(db, parquet, f"WITH month AS ({_FILE})")
        scan.query("FROM month LIMIT 0")
        if {*schema.names} - {name for name, *_ in db.description or ()}:
            db.register("declared", schema.empty_table())
            both = f"{_FILE} UNION ALL BY NAME FROM declared"
            scan = replace(scan, source=f"WITH month AS ({both})")
        yield scan
