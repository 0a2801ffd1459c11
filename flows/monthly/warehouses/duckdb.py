"""A DuckDB file as warehouse: SQL on all months with no server to install or run."""

from __future__ import annotations

import datetime as dt
import glob
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from core.disk import free_space
from core.errors import SchemaError, StorageError, UsageError
from monthly.columns import Column
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.month import Month
from monthly.warehouses import (
    LEDGER,
    LoadedMonth,
    Recorded,
    by_month,
    recorded_months,
    refuse_other_count,
    tables_of,
)
from monthly.warehouses.duckdb_opening import MOVE_AWAY, is_damage, opened, real_file
from monthly.warehouses.duckdb_tables import (
    DIALECT,
    FINITE,
    columns_of,
    exists,
    prepare,
    refusal,
    table_of,
    type_of,
)
from monthly.warehouses.month_figures import MonthFigures, months_in
from monthly.warehouses.table_columns import kept_columns, measurable, quoted

#: The ledger's rows; `table_name` is null in those from before 1.10.0, also without the column.
_ROWS = f"(FROM {LEDGER} UNION ALL BY NAME SELECT NULL::VARCHAR AS table_name WHERE false)"
#: What to do about a table that the project's queries fail on.
_RENAME = "rename or drop the table if something else made or changed it, then run again"


@dataclass(frozen=True)
class DuckDBFile:
    """A DuckDB database file.

    Attributes:
        path: absolute path; the first load creates the file.
        memory_limit: memory limit of a load, in DuckDB's notation.
    """

    path: Path
    memory_limit: str = "1GB"
    # The ledger has local time without a zone.
    newest_load: ClassVar[str] = "max(loaded_at)::timestamptz"

    def name(self) -> str:
        """Return the path of the file."""
        return str(self.path)

    def schema(self) -> str:
        """Return DuckDB's default schema."""
        return "main"

    def loaded(self, dataset: str) -> dict[Month, str]:
        """Return the loaded object's SHA-256 by month, creating no file; see `Warehouse`."""
        table = DATASETS[dataset].table
        if not self.path.exists():
            return {}
        with self._reading(dataset) as db:
            if not (exists(db, LEDGER) and exists(db, table)):
                return {}
            rows = db.execute(
                f"SELECT file_month, object_sha256 FROM {_ROWS} "
                "WHERE dataset = $1 AND lower(coalesce(table_name, $2)) = lower($2)",
                [dataset, table],
            ).fetchall()
        return by_month(dataset, rows)

    def loaded_month(self, month: Month) -> LoadedMonth | None:
        """Return the state of a month, creating no file; see `Warehouse`."""
        dataset = DATASETS[month.dataset]
        if not self.path.exists():
            return None
        with self._reading(str(month)) as db:
            if not exists(db, LEDGER):
                return None
            there = f"SELECT count(*) FROM {table_of(dataset)} WHERE file_month = $2"
            row = db.execute(
                "SELECT object_sha256, rows, "
                f"({there if exists(db, dataset.table) else 'SELECT 0'}), "
                "false, CASE WHEN lower(table_name) <> lower($3) THEN table_name END "
                f"FROM {_ROWS} WHERE dataset = $1 AND file_month = $2",
                [month.dataset, month.first_day, dataset.table],
            ).fetchone()
        return LoadedMonth(*row) if row else None

    def recorded(self, dataset: str) -> dict[Month, Recorded]:
        """Return the ledger's rows by month, creating no file; see `Warehouse`."""
        if not self.path.exists():
            return {}
        with self._reading(dataset) as db:
            if not exists(db, LEDGER):
                return {}
            found = db.execute(f"SELECT * FROM {LEDGER} WHERE dataset = ?", [dataset])
            names = [column[0] for column in found.description]
            return recorded_months(dataset, (dict(zip(names, row)) for row in found.fetchall()))

    def figures(
        self, dataset: str, columns: Sequence[Column], months: Sequence[Month] | None = None
    ) -> dict[Month, MonthFigures]:
        """Return the figures of months, creating no file; see `Warehouse`."""
        which = DATASETS[dataset]
        if not self.path.exists():
            return {}
        with self._reading(dataset) as db:
            if not exists(db, which.table):
                return {}
            if error := refusal(db, which):
                raise error
            there = measurable(columns, columns_of(db, which), type_of)
            for dialect in (DIALECT, FINITE):
                rows = db.execute(dialect.query(table_of(which), there, months)).fetchall()
                found = months_in(which, there, rows)
                if all(month.is_finite for month in found.values()):
                    break
        return found

    def rows(self, month: Month) -> int:
        """Count the rows of a month, creating no file; see `Warehouse`."""
        if not self.path.exists():
            return 0
        with self._reading(str(month)) as db:
            return sum(_count(db, table, month.first_day) for table in _tables(db, month))

    def drop(self, month: Month) -> None:
        """Remove a month and its ledger row in one transaction; see `Warehouse`."""
        if not self.path.exists():
            return
        with self._connect(str(month)) as db, _transaction(db, month, self.path):
            for table in _tables(db, month):
                db.execute(f"DELETE FROM {quoted(table)} WHERE file_month = ?", [month.first_day])
            if exists(db, LEDGER):
                which = [month.dataset, month.first_day]
                db.execute(f"DELETE FROM {LEDGER} WHERE dataset = ? AND file_month = ?", which)

    def refusal(self, dataset: str) -> SchemaError | None:
        """Return why the table cannot take the declared columns, creating no file."""
        if not self.path.exists():
            return None
        with self._reading(dataset) as db:
            return refusal(db, DATASETS[dataset])

    def load(self, month: Month, entry: Entry, parquet: Path) -> int:
        """Replace the month and its ledger row in one transaction; see `Warehouse`."""
        dataset = DATASETS[month.dataset]
        kept = kept_columns(dataset, entry)
        names = [column.name for column in (*dataset.columns, *kept)]
        with self._connect(str(month)) as db, _transaction(db, month, self.path):
            prepare(db, month, kept)
            rows = _replace(db, month, parquet, names)
            refuse_other_count(month, self.name(), rows, entry)
            _remember(db, month, entry)
        return rows

    def query(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, for interactive use."""
        with self._connect("query") as db:
            return db.execute(sql, parameters).fetchall()

    @contextmanager
    def _connect(self, what: str, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        with opened(what, self.path, read_only) as db:
            try:
                db.execute("SET memory_limit = ?", [self.memory_limit])
            except duckdb.ParserException as error:
                raise UsageError(
                    f"the block of {self.path} has the memory_limit {self.memory_limit!r} "
                    f"({error}); write it like 1GB"
                ) from error
            yield db

    @contextmanager
    def _reading(self, what: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for reading, and convert DuckDB's errors."""
        with self._connect(what, read_only=True) as db:
            try:
                yield db
            except duckdb.Error as error:
                advice = MOVE_AWAY if is_damage(error) else _RENAME
                message = f"{what}: {self.path} cannot be read ({_said(error)}); {advice}"
                raise StorageError(message) from error


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
        advice = MOVE_AWAY if is_damage(error) else "correct what it names, then run again"
        raise StorageError(
            f"{month}: {path} refused the load ({_said(error)}); "
            f"{free_space(real_file(path).parent)} there; "
            f"the month is as before; {advice}"
        ) from error


def _said(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0]  # the rest repeats the statement


def _replace(
    db: duckdb.DuckDBPyConnection, month: Month, parquet: Path, names: Sequence[str]
) -> int:
    """Replace the rows; a column that the file lacks is null, one of no name is left out."""
    dataset, day = DATASETS[month.dataset], month.first_day
    file = glob.escape(str(parquet))  # DuckDB expands glob patterns
    nulls = "".join(f", NULL AS {quoted(name)}" for name in _lacking(db, dataset, file, names))
    db.execute(f"DELETE FROM {table_of(dataset)} WHERE file_month = ?", [day])
    db.execute(
        f"INSERT INTO {table_of(dataset)} BY NAME "
        f"SELECT COLUMNS(lambda name: list_contains($1, name)){nulls} FROM read_parquet($2)",
        [names, file],
    )
    return _count(db, dataset.table, day)


def _lacking(
    db: duckdb.DuckDBPyConnection, dataset: Dataset, file: str, names: Sequence[str]
) -> list[str]:
    """Return the columns that loads fill but this file lacks; no default may fill them."""
    found = db.execute("SELECT * FROM read_parquet(?) LIMIT 0", [file]).description
    there = {name.lower() for name, *_ in found if name in names}
    loaded = {name.lower() for name in names}
    columns = columns_of(db, dataset).items()
    return [c.name for low, c in columns if low not in there and (low in loaded or c.is_kept)]


def _tables(db: duckdb.DuckDBPyConnection, month: Month) -> list[str]:
    """Return the existing tables that may have rows of a month."""
    row = None
    if exists(db, LEDGER):
        query = (
            f"SELECT table_name FROM {_ROWS} AS own WHERE dataset = ? AND file_month = ? "
            f"AND NOT EXISTS (FROM {_ROWS} AS other WHERE other.dataset <> own.dataset AND "
            "other.file_month = own.file_month AND lower(other.table_name) = lower(own.table_name))"
        )
        row = db.execute(query, [month.dataset, month.first_day]).fetchone()
    return [table for table in tables_of(month, row[0] if row else None) if exists(db, table)]


def _count(db: duckdb.DuckDBPyConnection, table: str, day: dt.date) -> int:
    query = f"SELECT count(*) FROM {quoted(table)} WHERE file_month = ?"
    row = db.execute(query, [day]).fetchone()
    return int(row[0]) if row else 0


def _remember(db: duckdb.DuckDBPyConnection, month: Month, entry: Entry) -> None:
    """Delete and insert the row: a copy by CREATE TABLE AS has no key for INSERT OR REPLACE."""
    which = [month.dataset, month.first_day]
    db.execute(f"DELETE FROM {LEDGER} WHERE dataset = ? AND file_month = ?", which)
    db.execute(
        f"INSERT INTO {LEDGER} (dataset, file_month, object_sha256, rows, "
        "schema_version, loaded_at, source, entry, table_name) "
        "VALUES (?, ?, ?, ?, ?, now()::TIMESTAMP, ?, ?, ?)",
        [
            *which,
            entry.loaded_sha256,
            entry.rows_written,
            entry.schema_version,
            entry.url,
            json.dumps(asdict(entry)),
            DATASETS[month.dataset].table,
        ],
    )
