"""The ledger of a PostgreSQL database: the source of each month, and its rejected rows.

`loaded_months` has one row per month, `rejected_rows` one per row that `flows/ingest_data.py`
could not convert, as there is no bucket to keep those in.
The column `object_sha256` has the checksum of what was loaded: the Parquet object, or the published
file where `flows/ingest_data.py` loaded it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from psycopg2.extras import execute_values

from core.errors import Conflict, Remedy, StorageError
from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.month import Month
from monthly.unreadable_entry import is_newer, newer_advice
from monthly.warehouses import (
    LEDGER,
    UNPIN_HERE,
    LoadedMonth,
    Recorded,
    by_month,
    recorded_months,
    stored_entry,
    tables_of,
)
from monthly.warehouses.postgres_ledger_tables import REJECTED, has_ledger

#: The table that a month was loaded into; null before 1.10.0, also if there is no such column.
_TABLE = "to_jsonb(kept) ->> 'table_name'"
#: A dataset's ledger rows whose partitions exist: dropping the table drops its months.
_LOADED = f"""
FROM {LEDGER} AS kept WHERE dataset = %(dataset)s
AND coalesce({_TABLE}, %(table)s) = %(table)s AND EXISTS (
  SELECT FROM pg_inherits WHERE inhparent = to_regclass(quote_ident(%(table)s))
  AND inhrelid = to_regclass(quote_ident(%(table)s || to_char(file_month, '_YYYY_MM'))))
"""


#: Loaded rows, and whether the partition's statistics prove that they are still there: each month
#: is its own table, so its counters start at zero with the load. TRUNCATE empties the table but
#: keeps the counters; a reset or a crash restarts them, after the load. A session reports its
#: counts within seconds of ending or going idle: until then its changes are not visible.
_PROVEN = f"""
SELECT object_sha256, rows,
  CASE WHEN part.oid IS NULL OR has_table_privilege(part.oid, 'SELECT')
    THEN part.oid::regclass::text ELSE format('%%I WHERE file_month = %%L', %(table)s, file_month)
  END,
  pg_stat_get_tuples_inserted(part.oid) = rows AND pg_stat_get_tuples_updated(part.oid) = 0
  AND pg_stat_get_tuples_deleted(part.oid) = 0
  AND loaded_at > coalesce(greatest(pg_stat_get_bgwriter_stat_reset_time(),
    (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database())), '-infinity')
  AND (rows = 0) = (pg_relation_size(part.oid) = 0),
  nullif({_TABLE}, %(table)s)
FROM {LEDGER} AS kept LEFT JOIN pg_class AS part
  ON part.oid = to_regclass(quote_ident(%(table)s || to_char(file_month, '_YYYY_MM')))
  AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = part.oid
    AND inhparent = to_regclass(quote_ident(%(table)s)))
WHERE dataset = %(dataset)s AND file_month = %(file_month)s
"""


def schema_in(sql: Cursor) -> str:
    """Return the schema that new tables are created in, the first of the search path."""
    sql.execute("SELECT current_schema()")
    return str(sql.fetchone()[0])


def checksums(sql: Cursor, dataset: str) -> dict[Month, str]:
    """Return the SHA-256 of the loaded object by month."""
    values = {"dataset": dataset, "table": DATASETS[dataset].table}
    sql.execute(f"SELECT file_month, object_sha256 {_LOADED}", values)
    return by_month(dataset, sql)


def tables_in(sql: Cursor, month: Month) -> list[str]:
    """Return the tables that may have rows of a month; see `tables_of`."""
    found = None
    if has_ledger(sql):
        query = (
            f"SELECT {_TABLE} FROM {LEDGER} AS kept WHERE dataset = %s AND file_month = %s "
            f"AND NOT EXISTS (SELECT FROM {LEDGER} AS other WHERE other.dataset <> kept.dataset "
            f"AND other.file_month = kept.file_month "
            f"AND to_jsonb(other) ->> 'table_name' = {_TABLE})"
        )
        sql.execute(query, _key(month))
        found = sql.fetchone()
    return tables_of(month, found[0] if found else None)


def recorded_in(sql: Cursor, dataset: str) -> dict[Month, Recorded]:
    """Return the rows of a dataset by month, whether or not their partitions exist."""
    sql.execute(f"SELECT * FROM {LEDGER} WHERE dataset = %s", [dataset])
    names = [column.name for column in sql.description]
    return recorded_months(dataset, (dict(zip(names, row)) for row in sql))


def loaded_month_in(sql: Cursor, month: Month) -> LoadedMonth | None:
    """Return the state of a loaded month; count its rows unless statistics prove them."""
    values = {"dataset": month.dataset, "table": DATASETS[month.dataset].table}
    sql.execute(_PROVEN, values | {"file_month": month.first_day})
    row = sql.fetchone()
    if row is None:
        return None
    sha256, loaded, partition, proven, elsewhere = row
    found = loaded if proven else 0
    if partition and not proven:
        sql.execute(f"SELECT count(*) FROM {partition}")
        found = sql.fetchone()[0]
    return LoadedMonth(sha256, loaded, found, elsewhere=elsewhere)


def entry_in(sql: Cursor, month: Month, garbled_too: bool = False) -> Entry | None:
    """Return the month's entry from when it was loaded, None if it was not.

    The entry outlives a dropped or detached table: `loaded_month_in` returns the actual state.

    Args:
        sql: cursor of a transaction.
        month: the month.
        garbled_too: for a garbled entry, return None, so that it can be replaced.

    Raises:
        StorageError: the entry is garbled, and pinned, of a newer version or not to be replaced.
    """
    sql.execute(f"SELECT entry FROM {LEDGER} WHERE dataset = %s AND file_month = %s", _key(month))
    found = sql.fetchone()
    entry = stored_entry(found[0]) if found else None
    if found and entry is None:
        _refuse_garbled(sql, month, found[0], garbled_too)
    return entry


def _refuse_garbled(sql: Cursor, month: Month, stored: object, may_replace: bool) -> None:
    """Refuse a garbled entry; a pinned or newer one cannot be replaced either."""
    what = f"its row of {LEDGER} in the database {sql.connection.info.dbname}"
    if isinstance(stored, dict) and stored.get("pinned"):
        raise StorageError(
            f"{month}: {what} is pinned, but has no entry that this version can read",
            "unpin the month with the version that pinned it",
        )
    if is_newer(json.dumps(stored)):
        raise StorageError(f"{month}: {what} was written by a newer version", *newer_advice("row"))
    if not may_replace:
        raise StorageError(
            f"{month}: {what} has no entry that this version can read",
            Remedy("force", True, "to load it again", flow="ingest_data"),
        )


def refuse_changed(
    month: Month, there: Entry | None, expected: Collection[str] | None, label: str
) -> None:
    """Refuse to replace a month that another run has pinned or replaced since it was planned.

    Args:
        month: the month.
        there: the month's current entry.
        expected: checksums of published files, one of which must be loaded; "" if none may be,
            None for any.
        label: the database, for the message.

    Raises:
        Conflict: the month was pinned or replaced.
    """
    if there and there.pinned:
        raise Conflict(f"{month} was pinned in {label} meanwhile; run again")
    if expected is not None and (there.source_sha256 if there else "") not in expected:
        raise Conflict(f"{month} was replaced in {label} meanwhile; run again")


def refuse_pinned(sql: Cursor, month: Month, label: str) -> None:
    """Refuse to replace a pinned month that no bucket has, whichever version pinned it.

    The pin of a month with an object is its bucket's: an unpin there must reach the database.

    Raises:
        StorageError: the month is pinned and has no object.
    """
    sql.execute(
        f"SELECT left(entry ->> 'pinned', 10) FROM {LEDGER} WHERE dataset = %s AND file_month = %s "
        "AND entry ->> 'pinned' <> '' AND coalesce(entry ->> 'object_key', '') = ''",
        _key(month),
    )
    if found := sql.fetchone():
        raise StorageError(
            f"{month}: pinned in {label} on {found[0]}, where it was loaded without a bucket",
            UNPIN_HERE,
        )


def remember(sql: Cursor, month: Month, entry: Entry, rejects: Path | None) -> None:
    """Replace the month's ledger row and rejected rows with those of a load.

    Args:
        sql: cursor of the transaction that loads the month.
        month: the month.
        entry: ledger entry of the load.
        rejects: CSV of line, reason and text, as `monthly.convert.rejects` writes it.
    """
    sql.execute(
        f"INSERT INTO {LEDGER} (dataset, file_month, object_sha256, rows, schema_version, "
        "loaded_at, entry, source, table_name) "
        "VALUES (%s, %s, %s, %s, %s, now(), %s, %s, %s) "
        "ON CONFLICT (dataset, file_month) DO UPDATE SET object_sha256 = excluded.object_sha256, "
        "rows = excluded.rows, schema_version = excluded.schema_version, "
        "loaded_at = excluded.loaded_at, entry = excluded.entry, source = excluded.source, "
        "table_name = excluded.table_name",
        [
            *_key(month),
            entry.loaded_sha256,
            entry.rows_written,
            entry.schema_version,
            _json(entry),
            entry.url,
            DATASETS[month.dataset].table,
        ],
    )
    sql.execute(f"DELETE FROM {REJECTED} WHERE dataset = %s AND file_month = %s", _key(month))
    if rejects:
        # Imported late: Arrow takes 0.25 s to import, and rejected rows come from a conversion.
        from monthly.convert.rejects import read_rejects

        rows = ([*_key(month), *row] for row in read_rejects(rejects))
        names = "dataset, file_month, line, reason, text"
        execute_values(sql, f"INSERT INTO {REJECTED} ({names}) VALUES %s", rows)


def replace_entry(sql: Cursor, month: Month, entry: Entry) -> None:
    """Replace the entry of the loaded object, for example with a new ETag."""
    sql.execute(
        f"UPDATE {LEDGER} SET entry = %s, source = %s "
        "WHERE dataset = %s AND file_month = %s AND object_sha256 = %s",
        [_json(entry), entry.url, *_key(month), entry.loaded_sha256],
    )


def forget(sql: Cursor, month: Month) -> None:
    """Remove a month's ledger row and rejected rows."""
    for table in (LEDGER, REJECTED):
        sql.execute(f"DELETE FROM {table} WHERE dataset = %s AND file_month = %s", _key(month))


def _key(month: Month) -> list[object]:
    return [month.dataset, month.first_day]


def _json(entry: Entry) -> str:
    # Some databases of another encoding than UTF-8 take a letter, but not its escape.
    return json.dumps(asdict(entry), ensure_ascii=False)
