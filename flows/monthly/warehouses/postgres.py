"""A PostgreSQL database as warehouse: one partition per month, swapped in whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from core.download.remote_file import Download
from core.errors import SchemaError, StorageError
from core.waiting import waiting
from monthly.columns import Column
from monthly.datasets import DATASETS
from monthly.ledger import Entry, entry_of
from monthly.month import Month
from monthly.revision import Revision
from monthly.warehouses import LEDGER, LoadedMonth, Recorded, refuse_other_count
from monthly.warehouses.month_figures import MonthFigures
from monthly.warehouses.postgres_errors import blockers, meant
from monthly.warehouses.postgres_ledger import (
    checksums,
    entry_in,
    forget,
    loaded_month_in,
    recorded_in,
    refuse_changed,
    refuse_pinned,
    remember,
    replace_entry,
    schema_in,
    tables_in,
)
from monthly.warehouses.postgres_ledger_tables import has_ledger, make_ledger
from monthly.warehouses.postgres_new_table import create_new
from monthly.warehouses.postgres_tables import (
    count_rows,
    drop_partition,
    figures_in,
    prepare,
    refusal_in,
    swap,
)
from monthly.warehouses.table_columns import kept_columns

if TYPE_CHECKING:
    from monthly.convert.rows import Rows

#: Judges the entry of a converted month, and what it changes if it replaces another one.
Judge: TypeAlias = Callable[[Entry, Revision | None], None]
#: Seconds to wait for another load of the same month: longer than any month takes.
WAIT_SECONDS = 300
#: Seconds to wait for readers before a month is swapped. New readers queue behind the waiting
#: swap, so this is also the longest that they wait.
SWAP_SECONDS = 3
#: Settings that end a transaction; PostgreSQL has the last one since version 17.
_TIMEOUTS = ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL database, version 13 or newer.

    Attributes:
        label: name used in reports, without user and password.
        connect: opens a psycopg2 connection.
    """

    label: str
    connect: Callable[[], Connection] = field(repr=False)
    newest_load: ClassVar[str] = "max(loaded_at)"

    def name(self) -> str:
        """Return host, port and database."""
        return self.label

    def schema(self) -> str:
        """Return the schema that tables are created in, the first of the search path."""
        with self._transaction("schema") as sql:
            return schema_in(sql)

    def loaded(self, dataset: str) -> dict[Month, str]:
        """Return the loaded object's SHA-256 by month, creating no table; see `Warehouse`."""
        with self._transaction(dataset) as sql:
            return checksums(sql, dataset) if has_ledger(sql) else {}

    def loaded_month(self, month: Month) -> LoadedMonth | None:
        """Return the state of a month, creating no table; see `Warehouse`."""
        with self._transaction(str(month)) as sql:
            return loaded_month_in(sql, month) if has_ledger(sql) else None

    def entry(self, month: Month, garbled_too: bool = False) -> Entry | None:
        """Return the month's ledger entry from when it was loaded, if any; see `entry_in`."""
        with self._transaction(str(month)) as sql:
            return entry_in(sql, month, garbled_too) if has_ledger(sql) else None

    def confirm(self, month: Month, entry: Entry) -> None:
        """Replace the entry of the loaded object, for example with a new ETag; a pin stays."""
        with self._changing(month) as (sql, there):
            if there:
                replace_entry(sql, month, replace(entry, pinned=there.pinned))

    def pin(self, month: Month, pinned: str) -> Entry:
        """Keep `ingest_data` from replacing a loaded month; if `pinned` is empty, allow it again.

        Raises:
            StorageError: the month was not loaded.
        """
        with self._changing(month) as (sql, entry):
            if entry is None:
                raise StorageError(f"{month} is not in {self.label}; load it first")
            if bool(entry.pinned) != bool(pinned):
                entry = replace(entry, pinned=pinned)
                replace_entry(sql, month, entry)
        return entry

    def load(self, month: Month, entry: Entry, parquet: Path) -> int:
        """Replace the month and its ledger row in one transaction; see `Warehouse`."""
        # Imported here: Arrow takes 0.25 s to import, and an unchanged month does not need it.
        from monthly.warehouses.postgres_copy import copy_file

        dataset = DATASETS[month.dataset]
        kept = kept_columns(dataset, entry)
        with self._replacing(month, entry.loaded_sha256, kept) as (sql, new):
            if new:
                refuse_pinned(sql, month, self.label)
                rows = copy_file(sql, month, new, parquet, (*dataset.columns, *kept))
                refuse_other_count(month, self.label, rows, entry)
                remember(sql, month, entry, None)
        return entry.rows_written

    def refusal(self, dataset: str) -> SchemaError | None:
        """Return why the table cannot take the declared columns; see `Warehouse`."""
        with self._transaction(dataset) as sql:
            return refusal_in(sql, DATASETS[dataset])

    def recorded(self, dataset: str) -> dict[Month, Recorded]:
        """Return the ledger's rows by month, creating no table; see `Warehouse`."""
        with self._transaction(dataset) as sql:
            return recorded_in(sql, dataset) if has_ledger(sql) else {}

    def figures(
        self, dataset: str, columns: Sequence[Column], months: Sequence[Month] | None = None
    ) -> dict[Month, MonthFigures]:
        """Return the figures of months, creating no table; see `Warehouse`."""
        with self._transaction(dataset) as sql:
            return figures_in(sql, DATASETS[dataset], columns, months)

    def rows(self, month: Month) -> int:
        """Count the rows of a month's partition; see `Warehouse`."""
        with self._transaction(str(month)) as sql:
            return sum(count_rows(sql, month, table) for table in tables_in(sql, month))

    def drop(self, month: Month) -> None:
        """Remove a month's partition, ledger row and rejected rows; see `Warehouse`."""
        with self._transaction(str(month)) as sql:
            self._take(sql, month.stem, WAIT_SECONDS)
            _limit_waiting(sql, SWAP_SECONDS)
            with self._speaking(sql, f"{month}: readers have its table", SWAP_SECONDS):
                for table in tables_in(sql, month):
                    drop_partition(sql, month, table)
            if has_ledger(sql):
                forget(sql, month)

    def history(self, month: Month) -> list[Entry]:
        """Return the ledger entries of the months nearest to a month."""
        from monthly.warehouses.postgres_history import entries_near

        with self._transaction(str(month)) as sql:
            return entries_near(sql, month) if has_ledger(sql) else []

    def ingest(
        self,
        rows: Rows,
        download: Download[Month],
        replacing: str | None = None,
        reason: str = "",
        judge: Judge | None = None,
    ) -> Entry:
        """Replace the month with rows that are converted while they are copied.

        Args:
            rows: rows of the published file, not yet iterated.
            download: the published file; its checksum identifies the load, as there is no
                Parquet object.
            replacing: see `refuse_changed`.
            reason: why the month is replaced, if it is.
            judge: raises an error if the month must not be replaced; the month stays unchanged.

        Raises:
            AccountingError: PostgreSQL's row count differs from the converted rows.
            Conflict: another run replaced or pinned the month since it was planned.
            StorageError: PostgreSQL failed, and its month is unchanged.
        """
        from monthly.warehouses.postgres_copy import begin, copy_rows

        month, begun = rows.month, begin(rows)
        from monthly.warehouses.postgres_history import with_history  # while threads convert

        with self._replacing(month, download.sha256, begun.kept) as (sql, new):
            there = entry_in(sql, month, garbled_too=True)
            if not new and there:
                return there
            # A retry after a commit whose answer was lost finds the file of this download.
            expected = None if replacing is None else (replacing, download.sha256)
            refuse_changed(month, there, expected, self.label)
            accounts = rows.accounts(copy_rows(sql, new, begun))
            entry = entry_of(month, download, accounts)
            entry, change = with_history(sql, month, new, entry, rows.names, reason)
            if judge:
                judge(entry, change)
            remember(sql, month, entry, accounts.rejects)
        return entry

    @contextmanager
    def _changing(self, month: Month) -> Iterator[tuple[Cursor, Entry | None]]:
        """Open a transaction that alone may change the month's entry, and yield that."""
        with self._transaction(str(month)) as sql:
            if has_ledger(sql):
                self._take(sql, LEDGER, SWAP_SECONDS)
                make_ledger(sql)  # an older one lacks columns
                sql.connection.commit()
                _begin(sql)
            self._take(sql, month.stem, WAIT_SECONDS)
            yield sql, entry_in(sql, month) if has_ledger(sql) else None

    @contextmanager
    def _replacing(
        self, month: Month, sha256: str, kept: Sequence[Column]
    ) -> Iterator[tuple[Cursor, str]]:
        """Open a transaction and yield a new table to fill, which is swapped in at the end.

        The table's name is empty if the run that this one waited for loaded the same object.
        """
        with self._transaction(str(month)) as sql:
            self._take(sql, LEDGER, SWAP_SECONDS)  # one run at a time changes shared tables
            make_ledger(sql)
            prepare(sql, month, kept)
            sql.connection.commit()
            _begin(sql)
            waited = not self._take(sql, month.stem, WAIT_SECONDS)
            there = loaded_month_in(sql, month) if waited else None
            if there and there.is_intact(sha256, self.label):
                yield sql, ""
                return
            new = create_new(sql, month, kept)
            yield sql, new
            _limit_waiting(sql, SWAP_SECONDS)
            with self._speaking(sql, f"{month}: readers have its table", SWAP_SECONDS):
                swap(sql, month, new)

    def _take(self, sql: Cursor, name: str, seconds: int) -> bool:
        """Hold a name's advisory lock until the transaction ends; return whether it was free."""
        digest = hashlib.sha256(name.encode()).digest()
        key = [int.from_bytes(digest[:8], "big", signed=True)]
        sql.execute("SELECT pg_try_advisory_xact_lock(%s)", key)
        if sql.fetchone()[0]:
            return True
        _limit_waiting(sql, seconds)
        with self._speaking(sql, f"{name}: another run is working on it", seconds):
            sql.execute("SELECT pg_advisory_xact_lock(%s)", key)
        return False

    def _speaking(self, sql: Cursor, what: str, seconds: int) -> AbstractContextManager[None]:
        pid = sql.connection.info.backend_pid
        return waiting(f"{what} in {self.label}", seconds, lambda: self._blockers(pid))

    def _blockers(self, pid: int) -> str | None:
        """Return the sessions that block a session, or None."""
        with closing(self.connect()) as db, db, db.cursor() as sql:
            return blockers(sql, pid)

    @contextmanager
    def _transaction(self, what: str) -> Iterator[Cursor]:
        """Open a transaction on its own connection; translate its errors."""
        try:
            with closing(self.connect()) as db, db, db.cursor() as sql:
                _begin(sql)
                yield sql
        except psycopg2.Error as error:
            raise meant(what, self.label, error) from error


def _begin(sql: Cursor) -> None:
    """Set the timeouts of a transaction; must come first in it."""
    # A provider's limits for interactive queries must not apply to a month's load.
    for limit in _TIMEOUTS if sql.connection.server_version >= 170_000 else _TIMEOUTS[:-1]:
        sql.execute(f"SET LOCAL {limit} = 0")
    _limit_waiting(sql, SWAP_SECONDS)


def _limit_waiting(sql: Cursor, seconds: int) -> None:
    sql.execute("SELECT set_config('lock_timeout', %s, true)", [f"{seconds}s"])
