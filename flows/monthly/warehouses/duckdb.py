"""A DuckDB file as warehouse: SQL on all months with no server to install or run."""

from __future__ import annotations

import datetime as dt
import glob
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from core.disk import free_space
from core.errors import AccountingError, Remedy, SchemaError, StorageError
from monthly.columns import Column, Kind
from monthly.datasets import DATASETS, Dataset
from monthly.ledger import Entry
from monthly.month import Month
from monthly.warehouses import Held
from monthly.warehouses.duckdb_opening import opened

TYPES: Mapping[Kind, str] = {
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "string": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "boolean": "BOOLEAN",
}
LEDGER = "loaded_months"
#: Matches a table of this name in the current schema only.
_HERE = "database_name = current_database() AND schema_name = current_schema() AND table_name = ?"


@dataclass(frozen=True)
class DuckDBFile:
    """A DuckDB database file.

    Attributes:
        path: absolute path; the first load creates the file.
        memory_limit: memory limit of a load, in DuckDB's notation.
    """

    path: Path
    memory_limit: str = "1GB"

    def name(self) -> str:
        """Return the path of the file."""
        return str(self.path)

    def loaded(self, dataset: str) -> dict[Month, str]:
        """Return the loaded object's SHA-256 by month, creating no file; see `Warehouse`."""
        if not self.path.exists():
            return {}
        with self._connect(read_only=True) as db:
            if not (_exists(db, LEDGER) and _exists(db, DATASETS[dataset].table)):
                return {}
            rows = db.execute(
                f"SELECT file_month, object_sha256 FROM {LEDGER} WHERE dataset = ?",
                [dataset],
            ).fetchall()
        return {Month(dataset, day.year, day.month): sha256 for day, sha256 in rows}

    def held(self, month: Month) -> Held | None:
        """Return the state of a month, creating no file; see `Warehouse`."""
        table = DATASETS[month.dataset].table
        if not self.path.exists():
            return None
        with self._connect(read_only=True) as db:
            if not _exists(db, LEDGER):
                return None
            there = f"SELECT count(*) FROM {table} WHERE file_month = $2"
            row = db.execute(
                f"SELECT object_sha256, rows, ({there if _exists(db, table) else 'SELECT 0'}) "
                f"FROM {LEDGER} WHERE dataset = $1 AND file_month = $2",
                [month.dataset, month.first_day],
            ).fetchone()
        return Held(*row) if row else None

    def rows(self, month: Month) -> int:
        """Count the rows of a month, creating no file; see `Warehouse`."""
        table = DATASETS[month.dataset].table
        if not self.path.exists():
            return 0
        with self._connect(read_only=True) as db:
            return _count(db, table, month.first_day) if _exists(db, table) else 0

    def drop(self, month: Month) -> None:
        """Remove a month and its ledger row in one transaction; see `Warehouse`."""
        if not self.path.exists():
            return
        table, day = DATASETS[month.dataset].table, month.first_day
        with self._connect(read_only=False) as db, _transaction(db, month, self.path):
            if _exists(db, table):
                db.execute(f"DELETE FROM {table} WHERE file_month = ?", [day])
            if _exists(db, LEDGER):
                which = [month.dataset, day]
                db.execute(f"DELETE FROM {LEDGER} WHERE dataset = ? AND file_month = ?", which)

    def load(self, month: Month, entry: Entry, parquet: Path) -> int:
        """Replace the month and its ledger row in one transaction; see `Warehouse`."""
        dataset = DATASETS[month.dataset]
        with self._connect(read_only=False) as db, _transaction(db, month, self.path):
            _prepare(db, month, dataset)
            rows = _replace(db, month, dataset, parquet)
            if rows != entry.rows_written:
                raise AccountingError(
                    f"{month}: {self.path} counted {rows} rows where the ledger has "
                    f"{entry.rows_written}; nothing was changed",
                    Remedy("force", True),
                )
            _remember(db, month, entry)
        return rows

    def query(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, for interactive use."""
        with self._connect(read_only=False) as db:
            return db.execute(sql, parameters).fetchall()

    @contextmanager
    def _connect(self, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        with opened(self.path, read_only) as db:
            db.execute("SET memory_limit = ?", [self.memory_limit])
            yield db


def _exists(db: duckdb.DuckDBPyConnection, table: str) -> bool:
    query = f"SELECT count(*) FROM duckdb_tables() WHERE {_HERE}"
    return db.execute(query, [table]).fetchone() == (1,)


def _prepare(db: duckdb.DuckDBPyConnection, month: Month, dataset: Dataset) -> None:
    """Create the tables or add new columns as declared; refuse other types."""
    is_new = not _exists(db, dataset.table)
    columns = ", ".join(f'"{c.name}" {type_of(c)}' for c in dataset.columns)
    db.execute(f"CREATE TABLE IF NOT EXISTS {dataset.table} ({columns})")
    db.execute(
        f"CREATE TABLE IF NOT EXISTS {LEDGER} (dataset VARCHAR, file_month DATE, "
        "object_sha256 VARCHAR, rows BIGINT, schema_version INTEGER, loaded_at TIMESTAMP, "
        "source VARCHAR, PRIMARY KEY (dataset, file_month))"
    )
    # A ledger from before 1.1 has no source column.
    db.execute(f"ALTER TABLE {LEDGER} ADD COLUMN IF NOT EXISTS source VARCHAR")
    if is_new:  # dropping the table dropped its months
        db.execute(f"DELETE FROM {LEDGER} WHERE dataset = ?", [dataset.name])
    query = f"SELECT column_name, data_type, comment FROM duckdb_columns() WHERE {_HERE}"
    found = db.execute(query, [dataset.table]).fetchall()
    there = {name: data_type for name, data_type, _ in found}
    described = {name: comment for name, _, comment in found}
    _refuse_other_types(month, dataset, there)
    for column in dataset.columns:
        if column.name not in there:
            db.execute(f'ALTER TABLE {dataset.table} ADD COLUMN "{column.name}" {type_of(column)}')
        if described.get(column.name) != column.about:
            _describe(db, dataset, column)


def _refuse_other_types(month: Month, dataset: Dataset, there: Mapping[str, str]) -> None:
    wrong = [
        f"{c.name} is {there[c.name]}, not {type_of(c)}"
        for c in dataset.columns
        if c.name in there and there[c.name] != type_of(c)
    ]
    if wrong:
        raise SchemaError(
            f"{month}: table {dataset.table} was made by something else ({'; '.join(wrong)}); "
            "rename or drop it, then run again"
        )


def _describe(db: duckdb.DuckDBPyConnection, dataset: Dataset, column: Column) -> None:
    about = column.about.replace("'", "''")
    db.execute(f"COMMENT ON COLUMN {dataset.table}.\"{column.name}\" IS '{about}'")


def type_of(column: Column) -> str:
    """Return DuckDB's type of a column."""
    return column.type.upper() if column.kind == "decimal" else TYPES[column.kind]


@contextmanager
def _transaction(db: duckdb.DuckDBPyConnection, month: Month, path: Path) -> Iterator[None]:
    db.begin()
    try:
        yield
        db.commit()
    except BaseException as error:
        with suppress(duckdb.Error):  # the error may already have ended the transaction
            db.rollback()
        if not isinstance(error, duckdb.Error):
            raise
        said = str(error).partition("\n")[0]  # the rest repeats the statement
        raise StorageError(
            f"{month}: {path} refused the load ({said}); {free_space(path.parent)} there; "
            "the month is as before"
        ) from error


def _replace(db: duckdb.DuckDBPyConnection, month: Month, dataset: Dataset, parquet: Path) -> int:
    day = month.first_day
    name = glob.escape(str(parquet))  # DuckDB expands glob patterns
    db.execute(f"DELETE FROM {dataset.table} WHERE file_month = ?", [day])
    db.execute(f"INSERT INTO {dataset.table} BY NAME SELECT * FROM read_parquet(?)", [name])
    return _count(db, dataset.table, day)


def _count(db: duckdb.DuckDBPyConnection, table: str, day: dt.date) -> int:
    row = db.execute(f"SELECT count(*) FROM {table} WHERE file_month = ?", [day]).fetchone()
    return int(row[0]) if row else 0


def _remember(db: duckdb.DuckDBPyConnection, month: Month, entry: Entry) -> None:
    db.execute(
        f"INSERT OR REPLACE INTO {LEDGER} (dataset, file_month, object_sha256, rows, "
        "schema_version, loaded_at, source) VALUES (?, ?, ?, ?, ?, now()::TIMESTAMP, ?)",
        [
            month.dataset,
            month.first_day,
            entry.object_sha256,
            entry.rows_written,
            entry.schema_version,
            entry.url,
        ],
    )
