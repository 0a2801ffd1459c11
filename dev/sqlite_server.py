"""Prefect's server with SQLite writers that wait for each other, as started by `make serve`.

uvicorn --factory --app-dir dev sqlite_server:create_app --port 4200
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "flows"))

from prefect.server.api.server import create_app as prefect_app
from prefect.server.database.configurations import SQLITE_BEGIN_MODE
from prefect.server.database.dependencies import MODELS_DEPENDENCIES
from prefect.server.utilities.database import get_dialect
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

from orchestration.kept_connections import KeptConnections


class WaitingSqlite(KeptConnections):
    """SQLite configuration whose transactions take the write lock as they begin, or wait for it.

    Prefect's transactions begin as readers. One that reads, then writes after another has written,
    fails at once with "database is locked", whatever its timeout: see `setup_sqlite` in
    prefect/server/database/configurations.py. Prefect's clients retry; its UI does not, and
    reports that a run could not be started.

    Unlike a command's own API, the server executes statements in threads: a slow query from the UI
    must not block other requests.
    """

    kept = 5

    @asynccontextmanager
    async def begin_transaction(  # type: ignore[override] # Prefect's base class lacks its decorator
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncIterator[AsyncSessionTransaction]:
        """Begin a transaction that may write."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            await session.connection()  # sends the BEGIN
            with _reading_in_between():
                yield transaction


@contextmanager
def _reading_in_between() -> Iterator[None]:
    """Keep sessions opened within a transaction from waiting for it: they only read.

    The one that reports a paused work queue is such a session
    (prefect/server/models/work_queues.py).
    """
    token = SQLITE_BEGIN_MODE.set(None)
    try:
        yield
    finally:
        SQLITE_BEGIN_MODE.reset(token)


def create_app() -> Callable[..., Awaitable[None]]:
    """Return Prefect's API and UI as an ASGI application, unmodified unless it uses SQLite."""
    database = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if get_dialect(database).name == "sqlite":
        waiting = WaitingSqlite(database)
        MODELS_DEPENDENCIES["database_config"] = waiting  # type: ignore[assignment] # None at first
    return prefect_app()
