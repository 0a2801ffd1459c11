"""Prefect's own server, whose writers wait for each other: what `make serve` starts.

uvicorn --factory --app-dir deployments sqlite_server:create_app --port 4200
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from prefect.server.api.server import create_app as prefect_app
from prefect.server.database.configurations import AioSqliteConfiguration
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
    async def begin_transaction(  # type: ignore[override] # typed as what it is not in Prefect
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncIterator[AsyncSessionTransaction]:
        """A transaction that may write."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction


def create_app() -> Callable[..., Awaitable[None]]:
    """Prefect's API and UI, an ASGI application; on another database it is as Prefect has it."""
    database = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if get_dialect(database).name == "sqlite":
        waiting = WaitingSqlite(database)
        MODELS_DEPENDENCIES["database_config"] = waiting  # type: ignore[assignment] # None at first
    return prefect_app()
