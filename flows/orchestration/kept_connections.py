"""Connections to Prefect's SQLite database that outlast a request."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from prefect.server.database.configurations import ENGINES, AioSqliteConfiguration
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool


class KeptConnections(AioSqliteConfiguration):
    """Prefect's SQLite database with connections that stay open.

    For each request, Prefect opens a connection in a new thread and sets six pragmas, and SQLite
    checkpoints when the last connection closes.

    Attributes:
        kept: connections kept open by each engine. The API opens more while it needs them.
        pool: class of the pool that keeps them.
    """

    kept: ClassVar[int] = 2
    pool: ClassVar[type[AsyncAdaptedQueuePool]] = AsyncAdaptedQueuePool

    async def engine(self) -> AsyncEngine:
        """Return the engine of the running event loop."""
        key = (asyncio.get_running_loop(), self.connection_url, self.echo, self.timeout)
        if key not in ENGINES:
            ENGINES[key] = self.made()
            await self.schedule_engine_disposal(key)  # type: ignore[no-untyped-call] # Prefect's
        return ENGINES[key]

    def made(self) -> AsyncEngine:
        """Return a new engine."""
        engine = create_async_engine(
            self.connection_url,
            echo=self.echo,
            connect_args={"timeout": self.timeout} if self.timeout is not None else {},
            poolclass=self.pool,
            pool_size=self.kept,
            max_overflow=-1,
            pool_use_lifo=True,
        )
        event.listen(engine.sync_engine, "connect", self.setup_sqlite)
        event.listen(engine.sync_engine, "begin", self.begin_sqlite_stmt)
        return engine
