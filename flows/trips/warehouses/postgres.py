"""A PostgreSQL database as warehouse: one partition a month, swapped in whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from trips.errors import AccountingError, Busy, StorageError, Unavailable
from trips.ledger import Entry
from trips.months import Month

LEDGER = "loaded_months"
#: Seconds to wait for another load of the same month: longer than any month takes.
WAIT_SECONDS = 300
#: Seconds to wait for readers to let a month be swapped. New readers queue behind the swap
#: while it waits, so this is also the longest that they can be kept.
SWAP_SECONDS = 3
#: What passes by itself: a lost connection (08), a server that starts or stops (57P), too
#: many connections, a deadlock. An error of the client alone, a refused connection say, has
#: no code.
_PASSING = ("08", "57P", "53300", "40P01", "40001")
#: What a server says before it has a code for the client, and will say again.
_REFUSED = ("authentication failed", "no password supplied", "does not exist", "pg_hba.conf")


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL database, version 13 or newer.

    Attributes:
        label: what it is called in reports; without a user or a password.
        connect: makes a psycopg2 connection.
    """

    label: str
    connect: Callable[[], Connection] = field(repr=False)

    def name(self) -> str:
        """Host, port and database."""
        return self.label

    def loaded(self, dataset: str) -> dict[Month, str]:
        """The SHA-256 of the loaded object by month; see `Warehouse`. Makes no table."""
        with self._transaction(dataset) as sql:
            if not _has_ledger(sql):
                return {}
            sql.execute(
                f"SELECT file_month, object_sha256 FROM {LEDGER} WHERE dataset = %s", [dataset]
            )
            return {Month(dataset, day.year, day.month): sha256 for day, sha256 in sql}

    def entry(self, month: Month) -> Entry | None:
        """What the ledger said of the month when it was loaded; None if it was not."""
        with self._transaction(str(month)) as sql:
            if not _has_ledger(sql):
                return None
            sql.execute(
                f"SELECT entry FROM {LEDGER} WHERE dataset = %s AND file_month = %s", _key(month)
            )
            found = sql.fetchone()
        return Entry(**found[0]) if found else None

    def confirm(self, month: Month, entry: Entry) -> None:
        """Remember another entry of the object that is loaded, a new ETag say."""
        with self._transaction(str(month)) as sql:
            sql.execute(
                f"UPDATE {LEDGER} SET entry = %s "
                "WHERE dataset = %s AND file_month = %s AND object_sha256 = %s",
                [_json(entry), *_key(month), entry.object_sha256],
            )

    def load(self, month: Month, entry: Entry, parquet: Path) -> int:
        """Replace the month and its ledger row in one transaction; see `Warehouse`."""
        # Not at the top: Arrow takes a quarter of a second, which an unchanged month need not pay.
        from trips.warehouses.postgres_copy import copy_rows
        from trips.warehouses.postgres_tables import create_new, prepare, swap

        with self._transaction(str(month)) as sql:
            _take(sql, LEDGER, SWAP_SECONDS)  # one at a time makes or alters what months share
            _make_ledger(sql)
            prepare(sql, month)
        with self._transaction(str(month)) as sql:
            if not _take(sql, month.stem, WAIT_SECONDS) and _sha256(sql, month) == (
                entry.object_sha256
            ):
                return entry.rows_written  # loaded by the run that this one waited for
            new = create_new(sql, month)
            rows = copy_rows(sql, month, new, parquet)
            self._compare(month, rows, entry)
            _remember(sql, month, entry)
            _limit_waiting(sql, SWAP_SECONDS)
            swap(sql, month, new)
        return rows

    def _compare(self, month: Month, rows: int, entry: Entry) -> None:
        if rows != entry.rows_written:
            raise AccountingError(
                f"{month}: {self.label} counted {rows} rows where the ledger has "
                f"{entry.rows_written}; nothing was changed; run again with --force"
            )

    @contextmanager
    def _transaction(self, what: str) -> Iterator[Cursor]:
        """A transaction on a connection of its own; its errors are told by what they mean."""
        try:
            with closing(self.connect()) as db, db, db.cursor() as sql:
                # A limit that a provider sets for people's queries is none for a month.
                sql.execute("SET LOCAL statement_timeout = 0")
                _limit_waiting(sql, SWAP_SECONDS)
                yield sql
        except psycopg2.Error as error:
            raise _meant(what, self.label, error) from error


def _meant(what: str, label: str, error: psycopg2.Error) -> StorageError:
    said = " ".join(str(error).split())
    if error.pgcode == "55P03":
        return Busy(
            f"{what}: {label} has been in use by other queries or loads for too long ({said}); "
            "the month is as before; end them, then run again"
        )
    refused = any(words in said for words in _REFUSED)
    if (error.pgcode or "08").startswith(_PASSING) and not refused:
        return Unavailable(
            f"{what}: {label} does not answer ({said}); the month is as before; "
            "see that the server runs, then run again"
        )
    return StorageError(
        f"{what}: {label} refused ({said}); the month is as before; "
        "correct what it names, in the block or in the database, then run again"
    )


def _has_ledger(sql: Cursor) -> bool:
    sql.execute("SELECT to_regclass(%s) IS NOT NULL", [LEDGER])
    return bool(sql.fetchone()[0])


def _make_ledger(sql: Cursor) -> None:
    sql.execute(
        f"CREATE TABLE IF NOT EXISTS {LEDGER} (dataset text, file_month date, "
        "object_sha256 text NOT NULL, rows bigint NOT NULL, schema_version integer NOT NULL, "
        "loaded_at timestamptz NOT NULL, entry jsonb NOT NULL, "
        "PRIMARY KEY (dataset, file_month))"
    )


def _take(sql: Cursor, name: str, seconds: int) -> bool:
    """Have a name to oneself until the transaction ends; whether it was free."""
    digest = hashlib.sha256(name.encode()).digest()
    key = [int.from_bytes(digest[:8], "big", signed=True)]
    sql.execute("SELECT pg_try_advisory_xact_lock(%s)", key)
    if sql.fetchone()[0]:
        return True
    _limit_waiting(sql, seconds)
    sql.execute("SELECT pg_advisory_xact_lock(%s)", key)
    return False


def _limit_waiting(sql: Cursor, seconds: int) -> None:
    sql.execute("SELECT set_config('lock_timeout', %s, true)", [f"{seconds}s"])


def _sha256(sql: Cursor, month: Month) -> str | None:
    sql.execute(
        f"SELECT object_sha256 FROM {LEDGER} WHERE dataset = %s AND file_month = %s", _key(month)
    )
    found = sql.fetchone()
    return found[0] if found else None


def _remember(sql: Cursor, month: Month, entry: Entry) -> None:
    sql.execute(
        f"INSERT INTO {LEDGER} VALUES (%s, %s, %s, %s, %s, now(), %s) "
        "ON CONFLICT (dataset, file_month) DO UPDATE SET object_sha256 = excluded.object_sha256, "
        "rows = excluded.rows, schema_version = excluded.schema_version, "
        "loaded_at = excluded.loaded_at, entry = excluded.entry",
        [
            *_key(month),
            entry.object_sha256,
            entry.rows_written,
            entry.schema_version,
            _json(entry),
        ],
    )


def _key(month: Month) -> list[object]:
    return [month.dataset, month.first_day]


def _json(entry: Entry) -> str:
    return json.dumps(asdict(entry))
