"""The tables of the ledger in a PostgreSQL database: created, and brought up to date."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from monthly.warehouses import LEDGER

REJECTED = "rejected_rows"
_COLUMNS = {
    LEDGER: "dataset text, file_month date, object_sha256 text NOT NULL, rows bigint NOT NULL, "
    "schema_version integer NOT NULL, loaded_at timestamptz NOT NULL, entry jsonb NOT NULL, "
    "source text, table_name text, PRIMARY KEY (dataset, file_month)",
    REJECTED: "dataset text, file_month date, line bigint, reason text NOT NULL, "
    "text text NOT NULL",
}


def has_ledger(sql: Cursor) -> bool:
    """Return whether the ledger exists; without it, no month was ever loaded."""
    sql.execute("SELECT to_regclass(%s) IS NOT NULL", [LEDGER])
    return bool(sql.fetchone()[0])


def make_ledger(sql: Cursor) -> None:
    """Create the ledger tables if no schema of the search path has them."""
    # A new table in a schema earlier in the search path would hide all months.
    new = [table for table in _COLUMNS if not _can_write(sql, table)]
    for table in new:
        sql.execute(f"CREATE TABLE IF NOT EXISTS {table} ({_COLUMNS[table]})")
    if (REJECTED in new and _can_write(sql, REJECTED)) or _publishes_no_deletes(sql):
        sql.execute(f"ALTER TABLE {REJECTED} REPLICA IDENTITY FULL")
    if not _has_column(sql, "source"):  # a ledger from before 1.1
        sql.execute(f"ALTER TABLE {LEDGER} ADD COLUMN source text")
        sql.execute(f"UPDATE {LEDGER} SET source = entry ->> 'url'")
    if not _has_column(sql, "table_name"):  # one from before 1.10.0
        sql.execute(f"ALTER TABLE {LEDGER} ADD COLUMN table_name text")


def _can_write(sql: Cursor, table: str) -> bool:
    """Return whether the search path finds the table, and this user may insert rows into it."""
    sql.execute("SELECT has_table_privilege(to_regclass(%s)::oid, 'INSERT')", [table])
    return bool(sql.fetchone()[0])


def _publishes_no_deletes(sql: Cursor) -> bool:
    """Return whether a publication makes deletes of rejected rows fail, and this user may mend it.

    A replica finds a deleted row by its key, and these have none.
    """
    sql.execute(
        "SELECT relreplident = 'd' AND pg_has_role(relowner, 'USAGE') AND NOT EXISTS "
        "(SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary) AND EXISTS (SELECT "
        "FROM pg_publication_tables WHERE (schemaname, tablename) = (nspname, relname)) "
        "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace "
        "WHERE c.oid = to_regclass(%s)",
        [REJECTED],
    )
    return bool(sql.fetchone()[0])


def _has_column(sql: Cursor, name: str) -> bool:
    sql.execute(
        "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) "
        "AND attname = %s AND NOT attisdropped)",
        [LEDGER, name],
    )
    return bool(sql.fetchone()[0])
