"""A dataset's table in PostgreSQL and its partitions, one per month."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from core.errors import SchemaError
from monthly.columns import Column, Kind
from monthly.datasets import DATASETS, Dataset
from monthly.month import Month

#: Type names as PostgreSQL's catalog spells them.
TYPES: Mapping[Kind, str] = {
    "int64": "bigint",
    "float64": "double precision",
    "string": "text",
    "timestamp": "timestamp without time zone",
    "date": "date",
    "boolean": "boolean",
}


def type_of(column: Column) -> str:
    """Return PostgreSQL's type of a column."""
    whole, scale = column.digits
    return f"numeric({whole},{scale})" if column.kind == "decimal" else TYPES[column.kind]


def partition_of(month: Month) -> str:
    """Return the table with the rows of one month, `green_trips_2020_10`."""
    return f"{DATASETS[month.dataset].table}_{month.year_month.replace('-', '_')}"


def prepare(sql: Cursor, month: Month) -> None:
    """Create the dataset's table or add new columns as declared.

    Raises:
        SchemaError: something else created a table of that name.
    """
    dataset = DATASETS[month.dataset]
    if not _exists(sql, dataset.table):
        columns = ", ".join(_definition(column) for column in dataset.columns)
        sql.execute(f"CREATE TABLE {dataset.table} ({columns}) PARTITION BY LIST (file_month)")
    _refuse_other_kind(sql, month, dataset)
    there = _columns(sql, dataset.table)
    _refuse_other_types(month, dataset, {name: found for name, (found, _) in there.items()})
    for column in dataset.columns:
        if column.name not in there:
            sql.execute(f"ALTER TABLE {dataset.table} ADD COLUMN {_definition(column)}")
        if there.get(column.name, ("", None))[1] != column.about:
            name = f'{dataset.table}."{column.name}"'
            sql.execute(f"COMMENT ON COLUMN {name} IS %s", [column.about])


def create_new(sql: Cursor, month: Month) -> str:
    """Create an empty table for the month, not yet a partition, and return its name.

    It copies the partition that it will replace, indexes included, or else the columns in the
    catalog: a LIKE of the dataset's table would lock that table until the rows have arrived.
    Its CHECK saves the swap a scan of all rows, its default saves copying the month's column.
    It disappears if the transaction rolls back.
    """
    partition, table = partition_of(month), DATASETS[month.dataset].table
    if _exists(sql, partition):
        columns = f"LIKE {partition} INCLUDING ALL"
    else:
        found = _columns(sql, table).items()
        columns = ", ".join(f'"{name}" {type_name}' for name, (type_name, _) in found)
    new = f"{partition}_new"
    day = month.first_day
    sql.execute(
        f"CREATE TABLE {new} ({columns}, CONSTRAINT {new}_month "
        f"CHECK (file_month IS NOT NULL AND file_month = DATE '{day}'))"
    )
    sql.execute(f"ALTER TABLE {new} ALTER file_month SET DEFAULT DATE '{day}'")
    return new


def swap(sql: Cursor, month: Month, new: str) -> None:
    """Put a filled table in place of the month's partition."""
    partition, table = partition_of(month), DATASETS[month.dataset].table
    drop_partition(sql, month)
    if _exists(sql, partition):  # somebody detached it and may need it
        sql.execute(f"ALTER TABLE {partition} RENAME TO {_free_name(sql, f'{partition}_detached')}")
    sql.execute(f"ALTER TABLE {new} RENAME TO {partition}")
    sql.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES IN ('{month.first_day}')"
    )
    sql.execute(
        f"ALTER TABLE {partition} DROP CONSTRAINT {new}_month, ALTER file_month DROP DEFAULT"
    )


def count_rows(sql: Cursor, month: Month) -> int:
    """Count the rows of the month's partition; 0 without one."""
    partition = partition_of(month)
    if not _is_partition(sql, partition, DATASETS[month.dataset].table):
        return 0
    sql.execute(f"SELECT count(*) FROM {partition}")
    return int(sql.fetchone()[0])


def drop_partition(sql: Cursor, month: Month) -> None:
    """Remove the month's partition; a table that somebody detached stays."""
    partition, table = partition_of(month), DATASETS[month.dataset].table
    if _is_partition(sql, partition, table):
        sql.execute(f"ALTER TABLE {table} DETACH PARTITION {partition}")
        sql.execute(f"DROP TABLE {partition}")


def _definition(column: Column) -> str:
    return f'"{column.name}" {type_of(column)}'


def _exists(sql: Cursor, table: str) -> bool:
    sql.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
    return bool(sql.fetchone()[0])


def _free_name(sql: Cursor, name: str) -> str:
    """Return the name, with the first number that makes it free if it is taken."""
    names = (name if n == 1 else f"{name}_{n}" for n in itertools.count(1))
    return next(free for free in names if not _exists(sql, free))


def _is_partition(sql: Cursor, partition: str, table: str) -> bool:
    sql.execute(
        "SELECT EXISTS (SELECT FROM pg_inherits "
        "WHERE inhrelid = to_regclass(%s) AND inhparent = to_regclass(%s))",
        [partition, table],
    )
    return bool(sql.fetchone()[0])


def _columns(sql: Cursor, table: str) -> dict[str, tuple[str, str | None]]:
    """Return each column's type and comment in order, from the catalog, which locks no table."""
    sql.execute(
        "SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) "
        "FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 "
        "AND NOT attisdropped ORDER BY attnum",
        [table],
    )
    return {name: (type_name, comment) for name, type_name, comment in sql}


def _refuse_other_kind(sql: Cursor, month: Month, dataset: Dataset) -> None:
    sql.execute(
        "SELECT pg_get_partkeydef(oid) FROM pg_class WHERE oid = to_regclass(%s)", [dataset.table]
    )
    key = sql.fetchone()[0]
    if key != "LIST (file_month)":
        found = f"partitioned by {key}" if key else "not partitioned, as to_sql makes them"
        raise SchemaError(
            f"{month}: table {dataset.table} was made by something else (it is {found}); "
            f"ALTER TABLE {dataset.table} RENAME TO {dataset.table}_old, or drop it, "
            "then run again"
        )


def _refuse_other_types(month: Month, dataset: Dataset, there: Mapping[str, str]) -> None:
    wrong = [
        f"{c.name} is {there[c.name]}, not {type_of(c)}"
        for c in dataset.columns
        if c.name in there and there[c.name] != type_of(c)
    ]
    if wrong:
        raise SchemaError(
            f"{month}: table {dataset.table} was made by something else ({'; '.join(wrong)}); "
            f"DROP TABLE {dataset.table}, or rename it and each of its partitions, then run again: "
            "its months count as not loaded"
        )
