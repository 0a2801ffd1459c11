"""Prefect's API within the process of a command, used if no server is configured."""

from __future__ import annotations

from asyncio import get_running_loop

import sqlalchemy
from prefect.server.database.configurations import ENGINES, AioSqliteConfiguration
from prefect.server.database.dependencies import set_database_config
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

#: Connections kept open for each event loop. The API opens more while it needs them.
KEPT = 2


class KeptConnections(AioSqliteConfiguration):
    """Prefect's SQLite database with connections that outlast a request.

    For each of the five requests of a task run, Prefect opens a connection in a new thread and sets
    six pragmas, and SQLite checkpoints when the last connection closes. This takes a third of the
    time of a run over many months.
    """

    async def engine(self) -> AsyncEngine:
        """Return the engine of the running event loop."""
        key = (get_running_loop(), self.connection_url, self.echo, self.timeout)
        if key not in ENGINES:
            engine = create_async_engine(
                self.connection_url,
                echo=self.echo,
                paramstyle="named",  # as Prefect does: aiosqlite has mixed up other styles
                connect_args={} if self.timeout is None else {"timeout": self.timeout},
                poolclass=AsyncAdaptedQueuePool,
                pool_size=KEPT,
                max_overflow=-1,
                pool_use_lifo=True,
            )
            sqlalchemy.event.listen(engine.sync_engine, "connect", self.setup_sqlite)
            sqlalchemy.event.listen(engine.sync_engine, "begin", self.begin_sqlite_stmt)
            ENGINES[key] = engine
            await self.schedule_engine_disposal(key)  # type: ignore[no-untyped-call] # Prefect's
        return ENGINES[key]


def keep_connections() -> None:
    """Keep the connections to Prefect's database open, if it is a SQLite file."""
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database and ":memory:" not in url:
        set_database_config(KeptConnections(connection_url=url))
