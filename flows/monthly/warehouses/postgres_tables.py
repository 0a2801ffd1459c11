"""A dataset's table in PostgreSQL and its partitions, one per month."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg2.errors import DatatypeMismatch, UndefinedTable
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from core.errors import Conflict, SchemaError
from monthly.columns import Column, Kind
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.warehouses.month_figures import Dialect, MonthFigures, months_in
from monthly.warehouses.table_columns import (
    Changes,
    TableColumn,
    changes_of,
    misfit,
    quoted,
    refuse,
)

#: Type names as PostgreSQL's catalog spells them.
TYPES: Mapping[Kind, str] = {
    "int64": "bigint",
    "float64": "double precision",
    "string": "text",
    "timestamp": "timestamp without time zone",
    "date": "date",
    "boolean": "boolean",
}
#: Columns that one query measures: PostgreSQL returns at most 1,664 values in a row.
_AT_ONCE = 400
_FINITE = " FILTER (WHERE {c} NOT IN ('NaN', 'Infinity', '-Infinity'))"


def type_of(column: Column) -> str:
    """Return PostgreSQL's type of a column."""
    whole, scale = column.digits
    return f"numeric({whole},{scale})" if column.kind == "decimal" else TYPES[column.kind]


def partition_of(month: Month, table: str = "") -> str:
    """Return the table with the rows of one month, `green_trips_2020_10`.

    Args:
        month: the month.
        table: the table that it is a partition of; the declared one if empty.
    """
    return f"{table or DATASETS[month.dataset].table}_{month.year_month.replace('-', '_')}"


DIALECT = Dialect(
    quoted,
    totals={
        "int64": "SUM({c})",
        "float64": f"SUM({{c}}){_FINITE}",
        "string": "SUM(octet_length({c}))",
        # Before version 14, EXTRACT returns a float, which is exact for seconds and microseconds.
        "timestamp": "SUM(CAST(extract(epoch FROM date_trunc('second', {c})) AS bigint) * 1000000 "
        "+ CAST(extract(microseconds FROM {c}) AS bigint) % 1000000)",
        "date": "SUM({c} - DATE '1970-01-01')",
        "boolean": "SUM(CAST({c} AS integer))",
        "decimal": "SUM({c})",
    },
    ends={
        "float64": (f"MIN({{c}}){_FINITE}", f"MAX({{c}}){_FINITE}"),
        "string": ('MIN({c} COLLATE "C")', 'MAX({c} COLLATE "C")'),  # by code point
        "boolean": ("bool_and({c})", "bool_or({c})"),
    },
)
_UTF8 = "convert_to({c}, 'UTF8')"
_LIKE_UTF8 = f"convert_from(decode({{end}}(encode({_UTF8}, 'hex') COLLATE \"C\"), 'hex'), 'UTF8')"
#: The same for a database of another encoding, in whose bytes texts differ in length and order.
_RECODING = replace(
    DIALECT,
    totals={**DIALECT.totals, "string": f"SUM(octet_length({_UTF8}))"},
    ends={
        **DIALECT.ends,
        "string": (_LIKE_UTF8.replace("{end}", "MIN"), _LIKE_UTF8.replace("{end}", "MAX")),
    },
)


def figures_in(
    sql: Cursor, dataset: Dataset, columns: Sequence[Column], months: Sequence[Month] | None
) -> dict[Month, MonthFigures]:
    """Return the figures of months in the dataset's table; empty if there is no table.

    Raises:
        SchemaError: something else created the table, or a column has another type.
    """
    found = columns_of(sql, dataset.table)
    if not found:
        return {}
    if error := refusal_in(sql, dataset):
        raise error
    # Names that differ only in case are different columns.
    types = {name: column.type for name, column in found.items()}
    there = [column for column in columns if types.get(column.name) == type_of(column)]
    is_utf8 = sql.connection.get_parameter_status("server_encoding") == "UTF8"
    dialect, measured = DIALECT if is_utf8 else _RECODING, dict[Month, MonthFigures]()
    for start in range(0, max(len(there), 1), _AT_ONCE):
        some = there[start : start + _AT_ONCE]
        sql.execute(dialect.query(quoted(dataset.table), some, months))
        for month, more in months_in(dataset, some, sql).items():
            known = measured[month].columns if month in measured else {}
            measured[month] = MonthFigures(more.rows, {**known, **more.columns})
    return measured


def prepare(sql: Cursor, month: Month, kept: Sequence[Column]) -> None:
    """Create the dataset's table or change its columns as declared.

    Args:
        sql: cursor of a transaction that changes nothing else.
        month: the month to load.
        kept: undeclared columns of the month, kept as text.

    Raises:
        SchemaError: something else created a table of that name, or a column has another type.
    """
    dataset = DATASETS[month.dataset]
    table = quoted(dataset.table)
    if not _exists(sql, dataset.table):
        columns = ", ".join(_definition(column) for column in dataset.columns)
        sql.execute(f"CREATE TABLE {table} ({columns}) PARTITION BY LIST (file_month)")
    there = _table(sql, dataset.table)
    assert there is not None  # noqa: S101 - it was just created
    refuse(month, _other_kind(there))
    if there.about != dataset.declared.title:
        sql.execute(f"COMMENT ON TABLE {table} IS %s", [dataset.declared.title])
    found = columns_of(sql, dataset.table)
    changes = changes_of((*dataset.columns, *kept), found, found, type_of)
    refuse(month, _misfit(dataset, there, changes))
    _carry_out(sql, table, changes)


def refusal_in(sql: Cursor, dataset: Dataset) -> SchemaError | None:
    """Return why the dataset's table cannot take its columns, or None."""
    there = _table(sql, dataset.table)
    if there is None:
        return None
    found = columns_of(sql, dataset.table)
    changes = changes_of(dataset.columns, found, found, type_of)
    return _other_kind(there) or _misfit(dataset, there, changes)


def _carry_out(sql: Cursor, table: str, changes: Changes) -> None:
    for column, aside in changes.replaced.items():
        names = f"{quoted(column.name)} TO {quoted(aside.name)}"
        sql.execute(f"ALTER TABLE {table} RENAME COLUMN {names}")
    for column in (*changes.replaced, *changes.added):
        sql.execute(f"ALTER TABLE {table} ADD COLUMN {_definition(column)}")
    for column in changes.described:
        sql.execute(f"COMMENT ON COLUMN {table}.{quoted(column.name)} IS %s", [column.about])


def swap(sql: Cursor, month: Month, new: str) -> None:
    """Put a filled table in place of the month's partition.

    Raises:
        Conflict: somebody changed the dataset's table since the new one was created.
    """
    name = partition_of(month)
    partition, table = quoted(name), quoted(DATASETS[month.dataset].table)
    drop_partition(sql, month)
    if _exists(sql, name):  # somebody detached it and may need it
        free = _free_name(sql, f"{name}_detached")
        sql.execute(f"ALTER TABLE {partition} RENAME TO {quoted(free)}")
    sql.execute(f"ALTER TABLE {quoted(new)} RENAME TO {partition}")
    for column, _ in identities(sql, DATASETS[month.dataset].table):
        sql.execute(f"ALTER TABLE {partition} ALTER {quoted(column)} DROP DEFAULT")
    attach = f"ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES IN ('{month.first_day}')"
    try:
        sql.execute(attach)
    except (DatatypeMismatch, UndefinedTable) as error:
        said = str(error).partition("\n")[0]
        raise Conflict(
            f"{month}: table {DATASETS[month.dataset].table} was changed while the month was "
            f"being loaded ({said}); run again"
        ) from error
    sql.execute(
        f"ALTER TABLE {partition} DROP CONSTRAINT {quoted(f'{new}_month')}, "
        "ALTER file_month DROP DEFAULT"
    )


def count_rows(sql: Cursor, month: Month, table: str = "") -> int:
    """Count the rows of the month's partition; 0 without one. See `partition_of`."""
    partition = partition_of(month, table)
    if not is_partition(sql, partition, table or DATASETS[month.dataset].table):
        return 0
    sql.execute(f"SELECT count(*) FROM {quoted(partition)}")
    return int(sql.fetchone()[0])


def drop_partition(sql: Cursor, month: Month, table: str = "") -> None:
    """Remove the month's partition; a table that somebody detached stays. See `partition_of`."""
    partition, table = partition_of(month, table), table or DATASETS[month.dataset].table
    if is_partition(sql, partition, table):
        sql.execute(f"ALTER TABLE {quoted(table)} DETACH PARTITION {quoted(partition)}")
        sql.execute(f"DROP TABLE {quoted(partition)}")


def _definition(column: Column) -> str:
    return f"{quoted(column.name)} {type_of(column)}"


def _exists(sql: Cursor, table: str) -> bool:
    sql.execute("SELECT to_regclass(%s) IS NOT NULL", [quoted(table)])
    return bool(sql.fetchone()[0])


def _free_name(sql: Cursor, name: str) -> str:
    """Return the name, with the first number that makes it free if it is taken."""
    names = (name if n == 1 else f"{name}_{n}" for n in itertools.count(1))
    return next(free for free in names if not _exists(sql, free))


def is_partition(sql: Cursor, partition: str, table: str) -> bool:
    """Return whether a table is a partition of another one."""
    sql.execute(
        "SELECT EXISTS (SELECT FROM pg_inherits "
        "WHERE inhrelid = to_regclass(%s) AND inhparent = to_regclass(%s))",
        [quoted(partition), quoted(table)],
    )
    return bool(sql.fetchone()[0])


@dataclass(frozen=True)
class _Table:
    """A table of the catalog.

    Attributes:
        name: the name as SQL takes it, quoted if need be.
        key: the partition key, such as `LIST (file_month)`; None if it is not partitioned.
        about: the comment; empty if there is none.
    """

    name: str
    key: str | None
    about: str


def _table(sql: Cursor, table: str) -> _Table | None:
    sql.execute(
        "SELECT oid::regclass::text, pg_get_partkeydef(oid), "
        "coalesce(obj_description(oid, 'pg_class'), '') FROM pg_class WHERE oid = to_regclass(%s)",
        [quoted(table)],
    )
    row = sql.fetchone()
    return _Table(*row) if row else None


def columns_of(sql: Cursor, table: str) -> dict[str, TableColumn]:
    """Return the columns in order by name, from the catalog, which locks no table."""
    sql.execute(
        "SELECT attname, format_type(atttypid, atttypmod), "
        "coalesce(col_description(attrelid, attnum), '') "
        "FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 "
        "AND NOT attisdropped ORDER BY attnum",
        [quoted(table)],
    )
    return {row[0]: TableColumn(*row) for row in sql}


def identities(sql: Cursor, table: str) -> list[tuple[str, str]]:
    """Return the identity columns of a table, each with its sequence as an SQL literal."""
    sql.execute(
        "SELECT attname, quote_literal(pg_get_serial_sequence(%(table)s, attname)) "
        "FROM pg_attribute WHERE attrelid = to_regclass(%(table)s) AND attidentity <> ''",
        {"table": quoted(table)},
    )
    return list(sql.fetchall())


def _other_kind(table: _Table) -> SchemaError | None:
    if table.key == "LIST (file_month)":
        return None
    how = f"partitioned by {table.key}" if table.key else "not partitioned, as to_sql makes them"
    bare = table.name.strip('"')
    old = quoted(f"{bare}_old") if bare != table.name else f"{bare}_old"
    return SchemaError(
        f"table {table.name} was made by something else (it is {how})",
        f"ALTER TABLE {table.name} RENAME TO {old}, or drop it, then run again",
    )


def _misfit(dataset: Dataset, table: _Table, changes: Changes) -> SchemaError | None:
    way_out = f"DROP TABLE {table.name}, or rename it and each of its partitions"
    return misfit(dataset, table.name, changes, way_out)
