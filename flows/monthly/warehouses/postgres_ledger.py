"""What a PostgreSQL database remembers of its months: where each came from, and what it lost.

`loaded_months` has a row for each month, `rejected_rows` one for each row that
`flows/ingest_data.py` could not convert: there is no bucket to keep those in.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from psycopg2.extras import execute_values

from monthly.ledger import Entry
from monthly.month import Month
from monthly.warehouses import Held

LEDGER, REJECTED = "loaded_months", "rejected_rows"
#: The rows of a dataset whose partitions are there: a table that was dropped took its months along.
#: Its name is put together here: monthly.datasets imports Arrow, which an unchanged month need not.
_LOADED = f"""
FROM {LEDGER} WHERE dataset = %s AND EXISTS (
  SELECT FROM pg_inherits WHERE inhparent = to_regclass(dataset || '_trips')
  AND inhrelid = to_regclass(dataset || '_trips_' || to_char(file_month, 'YYYY_MM')))
"""


#: Rows that were loaded, and whether the statistics of the partition prove that they are there:
#: a month is a table of its own, so its counters began at zero with the load. TRUNCATE leaves the
#: counters and empties the table; a reset or a crash begins them again, after the load. A session
#: tells its counts when it ends or falls idle, within some seconds: until then its change is not
#: seen.
_PROVEN = f"""
SELECT object_sha256, rows, part.oid::regclass::text,
  pg_stat_get_tuples_inserted(part.oid) = rows AND pg_stat_get_tuples_updated(part.oid) = 0
  AND pg_stat_get_tuples_deleted(part.oid) = 0
  AND loaded_at > coalesce(greatest(pg_stat_get_bgwriter_stat_reset_time(),
    (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database())), '-infinity')
  AND (rows = 0) = (pg_relation_size(part.oid) = 0)
FROM {LEDGER} LEFT JOIN pg_class AS part
  ON part.oid = to_regclass(dataset || '_trips_' || to_char(file_month, 'YYYY_MM'))
  AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = part.oid
    AND inhparent = to_regclass(dataset || '_trips'))
WHERE dataset = %s AND file_month = %s
"""


def has_ledger(sql: Cursor) -> bool:
    """Whether any month was ever loaded."""
    sql.execute("SELECT to_regclass(%s) IS NOT NULL", [LEDGER])
    return bool(sql.fetchone()[0])


def make_ledger(sql: Cursor) -> None:
    """Make the tables if they are not there."""
    sql.execute(
        f"CREATE TABLE IF NOT EXISTS {LEDGER} (dataset text, file_month date, "
        "object_sha256 text NOT NULL, rows bigint NOT NULL, schema_version integer NOT NULL, "
        "loaded_at timestamptz NOT NULL, entry jsonb NOT NULL, source text, "
        "PRIMARY KEY (dataset, file_month))"
    )
    if not _has_sources(sql):  # a ledger of before 1.1
        sql.execute(f"ALTER TABLE {LEDGER} ADD COLUMN source text")
        sql.execute(f"UPDATE {LEDGER} SET source = entry ->> 'url'")
    sql.execute(
        f"CREATE TABLE IF NOT EXISTS {REJECTED} (dataset text, file_month date, "
        "line bigint, reason text NOT NULL, text text NOT NULL)"
    )


def checksums(sql: Cursor, dataset: str) -> dict[Month, str]:
    """The SHA-256 of the loaded object by month."""
    sql.execute(f"SELECT file_month, object_sha256 {_LOADED}", [dataset])
    return {Month(dataset, day.year, day.month): sha256 for day, sha256 in sql}


def held_in(sql: Cursor, month: Month) -> Held | None:
    """What is there of a month that was loaded; its rows are counted unless proven."""
    sql.execute(_PROVEN, _key(month))
    row = sql.fetchone()
    if row is None:
        return None
    sha256, loaded, partition, proven = row
    if partition is None:
        return Held(sha256, loaded, 0)
    if not proven:
        sql.execute(f"SELECT count(*) FROM {partition}")
    return Held(sha256, loaded, loaded if proven else sql.fetchone()[0])


def entry_in(sql: Cursor, month: Month) -> Entry | None:
    """Return what was said of the month when it was loaded, None if it was not.

    The entry outlives a table that was dropped or detached: `held_in` says what is left.
    """
    sql.execute(f"SELECT entry FROM {LEDGER} WHERE dataset = %s AND file_month = %s", _key(month))
    found = sql.fetchone()
    return Entry(**found[0]) if found else None


def remember(sql: Cursor, month: Month, entry: Entry, rejects: Path | None) -> None:
    """Put what was loaded in place of what was said of the month before.

    Args:
        sql: of the transaction that loads the month.
        month: which.
        entry: what was loaded.
        rejects: CSV of line, reason and text, as `monthly.convert.rejects` writes it.
    """
    sql.execute(
        f"INSERT INTO {LEDGER} (dataset, file_month, object_sha256, rows, schema_version, "
        "loaded_at, entry, source) VALUES (%s, %s, %s, %s, %s, now(), %s, %s) "
        "ON CONFLICT (dataset, file_month) DO UPDATE SET object_sha256 = excluded.object_sha256, "
        "rows = excluded.rows, schema_version = excluded.schema_version, "
        "loaded_at = excluded.loaded_at, entry = excluded.entry, source = excluded.source",
        [
            *_key(month),
            entry.object_sha256,
            entry.rows_written,
            entry.schema_version,
            _json(entry),
            entry.url,
        ],
    )
    sql.execute(f"DELETE FROM {REJECTED} WHERE dataset = %s AND file_month = %s", _key(month))
    if rejects:
        with rejects.open(encoding="utf-8", newline="") as file:
            rows = ([*_key(month), *row.values()] for row in csv.DictReader(file))
            execute_values(sql, f"INSERT INTO {REJECTED} VALUES %s", rows)


def replace_entry(sql: Cursor, month: Month, entry: Entry) -> None:
    """Remember another entry of the object that is loaded, a new ETag say."""
    sql.execute(
        f"UPDATE {LEDGER} SET entry = %s, source = %s "
        "WHERE dataset = %s AND file_month = %s AND object_sha256 = %s",
        [_json(entry), entry.url, *_key(month), entry.object_sha256],
    )


def forget(sql: Cursor, month: Month) -> None:
    """Remove what is remembered of a month."""
    for table in (LEDGER, REJECTED):
        sql.execute(f"DELETE FROM {table} WHERE dataset = %s AND file_month = %s", _key(month))


def _has_sources(sql: Cursor) -> bool:
    sql.execute(
        "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) "
        "AND attname = 'source' AND NOT attisdropped)",
        [LEDGER],
    )
    return bool(sql.fetchone()[0])


def _key(month: Month) -> list[object]:
    return [month.dataset, month.first_day]


def _json(entry: Entry) -> str:
    return json.dumps(asdict(entry))
