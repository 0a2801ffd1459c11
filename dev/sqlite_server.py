"""Prefect's server with SQLite writers that wait for each other, as started by `make serve`.

uvicorn --factory --app-dir dev sqlite_server:create_app --port 4200
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "flows"))

from prefect.server.api.server import create_app as prefect_app
from prefect.server.database.configurations import SQLITE_BEGIN_MODE
from prefect.server.database.dependencies import MODELS_DEPENDENCIES
from prefect.server.utilities.database import get_dialect
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, AsyncSessionTransaction

from orchestration.api_dependencies import call_in_loop, infer_interface_once
from orchestration.embedded_api import ConnectionsInLoop
from orchestration.kept_connections import KeptConnections

#: Requests that runs send: each reads and writes a few rows by key.
_OF_RUNS = re.compile(
    r"/api/(flows|flow_runs|task_runs|artifacts|logs)/([-0-9a-f]{36}(/set_state)?)?"
)
#: Whether the current request is one that runs send.
_of_run: ContextVar[bool] = ContextVar("_of_run", default=False)


class WaitingSqlite(KeptConnections):
    """SQLite configuration whose transactions take the write lock as they begin, or wait for it.

    Prefect's transactions begin as readers. One that reads, then writes after another has written,
    fails at once with "database is locked", whatever its timeout: see `setup_sqlite` in
    prefect/server/database/configurations.py. Prefect's clients retry; its UI does not, and
    reports that a run could not be started.

    Like a command's own API, the server executes the statements of requests from runs in its event
    loop, and all others in threads: a slow query from the UI must not block other requests.
    """

    kept = 5

    def __init__(self, connection_url: str) -> None:
        super().__init__(connection_url)
        self._in_loop = ConnectionsInLoop(connection_url)

    async def engine(self) -> AsyncEngine:
        """Return the engine for the current request."""
        return await (self._in_loop.engine() if _of_run.get() else super().engine())

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
    if get_dialect(database).name != "sqlite":
        return prefect_app()
    waiting = WaitingSqlite(database)
    MODELS_DEPENDENCIES["database_config"] = waiting  # type: ignore[assignment] # None at first
    infer_interface_once()
    app = prefect_app()
    call_in_loop(app)
    return telling_runs_apart(app)


def telling_runs_apart(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return the application, with requests from runs marked for `WaitingSqlite.engine`."""

    async def answer(scope: dict[str, Any], receive: object, send: object) -> None:
        by_key = scope.get("method") in ("GET", "PATCH", "POST")
        token = _of_run.set(by_key and bool(_OF_RUNS.fullmatch(scope["path"])))
        try:
            await app(scope, receive, send)
        finally:
            _of_run.reset(token)

    return answer
