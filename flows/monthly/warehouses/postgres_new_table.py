"""The table that a load into PostgreSQL fills, before it replaces the month's partition."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from monthly.columns import FILE_MONTH, Column
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.warehouses.postgres_tables import (
    columns_of,
    identities,
    is_partition,
    partition_of,
)
from monthly.warehouses.table_columns import quoted

#: The columns and CHECK constraints of a table as CREATE TABLE takes them. A partition must have
#: all of them; PostgreSQL itself adds indexes and foreign keys to it.
_DEFINITIONS = """
SELECT definition FROM (
SELECT attnum AS place, quote_ident(attname) || ' ' || format_type(atttypid, atttypmod)
  || CASE WHEN attcollation <> typcollation
    THEN ' COLLATE ' || attcollation::regcollation ELSE '' END
  || CASE WHEN adbin IS NULL THEN '' WHEN attgenerated = ''
    THEN ' DEFAULT ' || pg_get_expr(adbin, adrelid)
    ELSE ' GENERATED ALWAYS AS (' || pg_get_expr(adbin, adrelid)
      || CASE attgenerated WHEN 's' THEN ') STORED' ELSE ') VIRTUAL' END END
  || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END AS definition
FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 32767, 'CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE conrelid = to_regclass(%(table)s) AND contype = 'c'
) AS found ORDER BY place
"""


def create_new(sql: Cursor, month: Month, kept: Sequence[Column]) -> str:
    """Create an empty table for the month, not yet a partition, and return its name.

    The new table copies the partition that it will replace, indexes included, or else the
    definition of the dataset's table in the catalog: LIKE would lock that table until the rows have
    arrived. The new table's CHECK saves the swap a scan of all rows, and its default saves copying
    the month's column. It disappears if the transaction rolls back.

    Args:
        sql: cursor of the transaction.
        month: the month to load.
        kept: undeclared columns of the month, which the table has.
    """
    partition, table = partition_of(month), DATASETS[month.dataset].table
    if is_partition(sql, partition, table):  # a detached table may lack newer columns
        # PostgreSQL attaches no table that has its own identity column.
        columns = f"LIKE {quoted(partition)} INCLUDING ALL EXCLUDING IDENTITY"
    else:
        sql.execute(_DEFINITIONS, {"table": quoted(table)})
        columns = ", ".join(definition for (definition,) in sql)
    new, day = f"{partition}_new", month.first_day
    sql.execute(
        f"CREATE TABLE {quoted(new)} ({columns}, CONSTRAINT {quoted(f'{new}_month')} "
        f"CHECK (file_month IS NOT NULL AND file_month = DATE '{day}')){_tablespace(sql, month)}"
    )
    _give_to_owner(sql, table, new)
    _set_defaults(sql, month, new, kept)
    _draw_from_identities(sql, table, new)
    return new


def _tablespace(sql: Cursor, month: Month) -> str:
    """Return the clause for the tablespace of the month's partition; of the table without one."""
    sql.execute(
        "SELECT ' TABLESPACE ' || quote_ident(spcname) FROM pg_class "
        "LEFT JOIN pg_tablespace ON pg_tablespace.oid = reltablespace "
        "AND has_tablespace_privilege(spcname, 'CREATE') "
        "WHERE pg_class.oid IN (to_regclass(%s), to_regclass(%s)) ORDER BY relkind = 'p' LIMIT 1",
        [quoted(partition_of(month)), quoted(DATASETS[month.dataset].table)],
    )
    found = sql.fetchone()
    return (found[0] or "") if found else ""  # nothing for the default one


def _give_to_owner(sql: Cursor, table: str, new: str) -> None:
    """Give the new table to the role that owns the dataset's: any member can then replace it."""
    # Since version 16, a member may inherit a role's rights without being allowed to become it.
    right = "SET" if sql.connection.server_version >= 160_000 else "USAGE"
    sql.execute(
        "SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class "
        "WHERE oid = to_regclass(%s) AND relowner <> quote_ident(current_user)::regrole "
        f"AND pg_has_role(relowner, 'USAGE') AND pg_has_role(relowner, '{right}') "
        "AND has_schema_privilege("
        "relowner, (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(%s)), 'CREATE')",
        [quoted(table), quoted(new)],
    )
    if found := sql.fetchone():
        sql.execute(f"ALTER TABLE {quoted(new)} OWNER TO {found[0]}")


def _set_defaults(sql: Cursor, month: Month, new: str, kept: Sequence[Column]) -> None:
    """Set the defaults of columns that a COPY leaves out: null, and the month in `file_month`.

    A default that a user set on a declared column, or on a column kept from any month, applies only
    to rows that the user inserts.
    """
    dataset = DATASETS[month.dataset]
    loaded = [column.name for column in (*dataset.columns, *kept)]
    others = [name for name, found in columns_of(sql, dataset.table).items() if found.is_kept]
    names = [name for name in dict.fromkeys((*loaded, *others)) if name != FILE_MONTH.name]
    none = ", ".join(f"ALTER {quoted(name)} DROP DEFAULT" for name in names)
    day = f"ALTER {FILE_MONTH.name} SET DEFAULT DATE '{month.first_day}'"
    sql.execute(f"ALTER TABLE {quoted(new)} {day}{none and ', '}{none}")


def _draw_from_identities(sql: Cursor, table: str, new: str) -> None:
    """Number the rows from the table's identity sequences; the new table cannot have its own."""
    for column, sequence in identities(sql, table):
        default = f"SET DEFAULT nextval({sequence})"
        sql.execute(f"ALTER TABLE {quoted(new)} ALTER {quoted(column)} {default}")
