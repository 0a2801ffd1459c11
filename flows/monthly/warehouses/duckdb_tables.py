"""The tables of a DuckDB file: one of each dataset, and the ledger of loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb

from core.errors import SchemaError
from monthly.columns import FILE_MONTH, Column, Kind
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.warehouses import LEDGER
from monthly.warehouses.month_figures import Dialect
from monthly.warehouses.table_columns import (
    Changes,
    TableColumn,
    changes_of,
    misfit,
    quoted,
    refuse,
)

TYPES: Mapping[Kind, str] = {
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "string": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "boolean": "BOOLEAN",
}
_FINITE = " FILTER (WHERE isfinite({c}))"
#: Matches a table of this name in the current schema only. DuckDB ignores the case of names.
_HERE = (
    "database_name = current_database() AND schema_name = current_schema() "
    "AND lower(table_name) = lower(?)"
)


def type_of(column: Column) -> str:
    """Return DuckDB's type of a column."""
    return column.type.upper() if column.kind == "decimal" else TYPES[column.kind]


def table_of(dataset: Dataset) -> str:
    """Return the dataset's table as SQL takes it; its name may be a reserved word."""
    return quoted(dataset.table)


def columns_of(db: duckdb.DuckDBPyConnection, dataset: Dataset) -> dict[str, TableColumn]:
    """Return the columns of the dataset's table by lower-case name."""
    query = f"SELECT column_name, data_type, comment FROM duckdb_columns() WHERE {_HERE}"
    rows = db.execute(query, [dataset.table]).fetchall()
    return {name.lower(): TableColumn(name, kind, about or "") for name, kind, about in rows}


def exists(db: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Return whether there is a table of this name."""
    return _comment(db, table) is not None


def prepare(db: duckdb.DuckDBPyConnection, month: Month, kept: Sequence[Column]) -> None:
    """Create the tables or change their columns as declared.

    Args:
        db: connection in the transaction of a load.
        month: the month to load.
        kept: undeclared columns of the month, kept as text.

    Raises:
        SchemaError: a column has another type; nothing is changed.
    """
    dataset = DATASETS[month.dataset]
    _make_ledger(db)
    comment = _comment(db, dataset.table)
    if comment is None:  # whoever dropped the table dropped its months
        db.execute(
            f"CREATE TABLE {table_of(dataset)} ({', '.join(map(_defined, dataset.columns))})"
        )
        db.execute(
            f"DELETE FROM {LEDGER} "
            "WHERE dataset = $1 AND lower(coalesce(table_name, $2)) = lower($2)",
            [dataset.name, dataset.table],
        )
    if comment != dataset.declared.title:
        db.execute(f"COMMENT ON TABLE {table_of(dataset)} IS {_text(dataset.declared.title)}")
    changes = _changes(db, dataset, kept)
    refuse(month, _error(dataset, changes))
    _carry_out(db, table_of(dataset), changes)


def refusal(db: duckdb.DuckDBPyConnection, dataset: Dataset) -> SchemaError | None:
    """Return why the dataset's table cannot take its columns, or None."""
    if not exists(db, dataset.table):
        return None
    return _error(dataset, _changes(db, dataset, ()))


def _make_ledger(db: duckdb.DuckDBPyConnection) -> None:
    db.execute(
        f"CREATE TABLE IF NOT EXISTS {LEDGER} (dataset VARCHAR, file_month DATE, "
        "object_sha256 VARCHAR, rows BIGINT, schema_version INTEGER, loaded_at TIMESTAMP, "
        "source VARCHAR, entry VARCHAR, table_name VARCHAR, PRIMARY KEY (dataset, file_month))"
    )
    # A ledger from before 1.1 has no source, one from before 1.3 no entry, 1.10.0 no table.
    for column in ("source", "entry", "table_name"):
        db.execute(f"ALTER TABLE {LEDGER} ADD COLUMN IF NOT EXISTS {column} VARCHAR")


def _changes(db: duckdb.DuckDBPyConnection, dataset: Dataset, kept: Sequence[Column]) -> Changes:
    by_name = columns_of(db, dataset)
    columns = (*dataset.columns, *kept)
    there = {c.name: by_name[c.name.lower()] for c in columns if c.name.lower() in by_name}
    return changes_of(columns, there, by_name, type_of)


def _error(dataset: Dataset, changes: Changes) -> SchemaError | None:
    """Return why a table that exists cannot take the columns, or None."""
    way_out = f"rename or drop {dataset.table}"
    if FILE_MONTH in changes.added and not changes.wrong:  # old rows would stay beside new ones
        return SchemaError(
            f"table {dataset.table} has no column {FILE_MONTH.name}, which tells its months apart",
            f"rename the column back, or {way_out}, then run again: its months then count as not "
            "loaded",
        )
    return misfit(dataset, dataset.table, changes, way_out)


def _carry_out(db: duckdb.DuckDBPyConnection, table: str, changes: Changes) -> None:
    for column, aside in changes.replaced.items():
        names = f"{quoted(column.name)} TO {quoted(aside.name)}"
        db.execute(f"ALTER TABLE {table} RENAME COLUMN {names}")
    for column in (*changes.replaced, *changes.added):
        db.execute(f"ALTER TABLE {table} ADD COLUMN {_defined(column)}")
    for column in changes.described:
        db.execute(f"COMMENT ON COLUMN {table}.{quoted(column.name)} IS {_text(column.about)}")


def _comment(db: duckdb.DuckDBPyConnection, table: str) -> str | None:
    """Return the comment of a table, which may be empty; None if there is no such table."""
    query = f"SELECT coalesce(comment, '') FROM duckdb_tables() WHERE {_HERE}"
    row = db.execute(query, [table]).fetchone()
    return str(row[0]) if row else None


def _defined(column: Column) -> str:
    return f"{quoted(column.name)} {type_of(column)}"


def _text(text: str) -> str:
    """Return a text as a literal: a comment takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


DIALECT = Dialect(
    quoted,
    totals={
        "int64": "SUM({c})",
        "float64": "SUM({c})",
        "string": "SUM(strlen({c}))",
        "timestamp": "SUM(CAST(epoch_us({c}) AS HUGEINT))",
        "date": "SUM({c} - DATE '1970-01-01')",
        "boolean": "SUM(CAST({c} AS INTEGER))",
        "decimal": "SUM({c})",
    },
)
#: The same for floats that are not all finite; the filter takes ten times as long as the sum.
FINITE = replace(
    DIALECT,
    totals={**DIALECT.totals, "float64": f"SUM({{c}}){_FINITE}"},
    ends={"float64": (f"MIN({{c}}){_FINITE}", f"MAX({{c}}){_FINITE}")},
)
