"""Prefect's own server, whose writers wait for each other: what `make serve` starts.

uvicorn --factory --app-dir dev sqlite_server:create_app --port 4200
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from prefect.server.api.server import create_app as prefect_app
from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from prefect.server.database.dependencies import MODELS_DEPENDENCIES
from prefect.server.utilities.database import get_dialect
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


class WaitingSqlite(AioSqliteConfiguration):
    """SQLite whose transactions take the one write lock as they begin, or wait for it.

    Prefect's begin as readers. One that reads, and wants to write after another has written, is
    told "database is locked" at once, however long it would wait: see `setup_sqlite` of
    prefect/server/database/configurations.py. Prefect's clients ask again; its UI does not, and
    says that a run could not be started.
    """

    @asynccontextmanager
    async def begin_transaction(  # type: ignore[override] # Prefect's base class lacks its decorator
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncIterator[AsyncSessionTransaction]:
        """A transaction that may write."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            await session.connection()  # which begins it
            with _reading_in_between():
                yield transaction


@contextmanager
def _reading_in_between() -> Iterator[None]:
    """A session that is opened within a transaction does not wait for it: it only reads.

    As that does which tells of a work queue that is paused (prefect/server/models/work_queues.py).
    """
    token = SQLITE_BEGIN_MODE.set(None)
    try:
        yield
    finally:
        SQLITE_BEGIN_MODE.reset(token)


def create_app() -> Callable[..., Awaitable[None]]:
    """Prefect's API and UI, an ASGI application; on another database it is as Prefect has it."""
    database = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if get_dialect(database).name == "sqlite":
        waiting = WaitingSqlite(database)
        MODELS_DEPENDENCIES["database_config"] = waiting  # type: ignore[assignment] # None at first
    return prefect_app()
