"""Prefect's API within the process of a command, used if no server is configured."""

from __future__ import annotations

import asyncio
import atexit
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prefect.server.api.server import create_app
from prefect.server.database.dependencies import set_database_config
from prefect.settings import (
    PREFECT_API_DATABASE_CONNECTION_URL,
    PREFECT_API_URL,
    get_current_settings,
)
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util import await_only
from sqlalchemy.util.queue import Queue, QueueCommon

from orchestration.api_dependencies import call_in_loop, infer_interface_once
from orchestration.kept_connections import KeptConnections

#: Seconds to wait for a database that another connection writes, as Prefect does, and between
#: two attempts.
PATIENCE, _PAUSE = 60.0, 0.005
#: Page cache of a connection, in KiB.
_CACHE_KB = 4000
#: The engines by database URL.
_ENGINES: dict[str, AsyncEngine] = {}


class _Cursor(sqlite3.Cursor):
    """A cursor that leaves the event loop to others while the database is locked."""

    def execute(self, sql: str, parameters: Any = (), /) -> _Cursor:
        """Execute a statement; wait for the lock if another connection has it."""
        until = time.monotonic() + PATIENCE
        await_only(_at_once())
        while True:
            try:
                return super().execute(sql, parameters)
            except sqlite3.OperationalError as error:
                # Within a transaction, which has the lock, this is an error of another kind.
                waits = "locked" in str(error) and not self.connection.in_transaction
                if not waits or time.monotonic() > until:
                    raise
            await_only(_pause())


async def _pause() -> None:
    await asyncio.sleep(_PAUSE)


async def _at_once() -> None:
    """Await nothing: SQLAlchemy refuses a driver that never awaits."""


class _Connection(sqlite3.Connection):
    """A connection that SQLAlchemy uses in the thread of the event loop."""

    def cursor(self, factory: Any = _Cursor) -> Any:
        """Return a cursor that waits as described."""
        return super().cursor(factory)


class _Pool(AsyncAdaptedQueuePool):
    """A connection pool that event loops in several threads share."""

    _queue_class: type[QueueCommon[ConnectionPoolEntry]] = Queue


class ConnectionsInLoop(KeptConnections):
    """Prefect's SQLite database with connections that need no threads.

    Prefect passes each statement between threads four times, and each pass waits for the
    interpreter. A statement takes a fraction of a millisecond, so the event loop executes it.

    Prefect creates an engine for each event loop, and a command has several loops: one for the run,
    one for each block that it loads. Each engine would compile the statements again, so the loops
    share one.
    """

    pool = _Pool

    async def engine(self) -> AsyncEngine:
        """Return the engine that all event loops share."""
        if self.connection_url not in _ENGINES:
            _ENGINES[self.connection_url] = self.made()
        return _ENGINES[self.connection_url]

    def made(self) -> AsyncEngine:
        """Return a new engine, whose connections are closed when the process exits."""
        engine = super().made()
        event.listen(engine.sync_engine, "do_connect", _connect)
        # SQLite removes its write-ahead log when the last connection closes.
        atexit.register(engine.sync_engine.dispose)
        return engine

    def setup_sqlite(self, conn: sqlite3.Connection, record: object) -> None:
        """Set Prefect's pragmas, except for the busy timeout and the cache size.

        The cursor waits for locks, because SQLite blocks the loop. Prefect lets each connection
        cache 80 MB of pages, which a backfill fills with the artifacts it writes.
        """
        super().setup_sqlite(conn, record)  # type: ignore[no-untyped-call] # Prefect's
        conn.execute("PRAGMA busy_timeout = 0")
        conn.execute(f"PRAGMA cache_size = -{_CACHE_KB}")

    @asynccontextmanager
    async def begin_transaction(  # type: ignore[override] # Prefect's own overrides do it too
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncIterator[Any]:
        """Begin a transaction that has the lock from the start, so that only its start waits."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction


def _connect(_dialect: object, _record: object, args: Any, options: Any) -> _Connection:
    # The garbage collector may close a connection in any thread.
    given = {**options, "timeout": 0, "check_same_thread": False, "factory": _Connection}
    made: _Connection = sqlite3.connect(*args, **given)
    return made


def tune_embedded_api() -> None:
    """Make the API of this process cheap, if no server is configured."""
    if not PREFECT_API_URL.value():
        _keep_connections()
        infer_interface_once()
        call_in_loop(create_app(get_current_settings(), ephemeral=True))


def _keep_connections() -> None:
    """Keep the connections to Prefect's database open, if it is a SQLite file."""
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database and ":memory:" not in url:
        set_database_config(ConnectionsInLoop(connection_url=url))
