"""Prefect's API in a command's own process: its connections to the database."""

from __future__ import annotations

import asyncio
import atexit
import inspect
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy
from prefect.server.api.server import create_app
from prefect.server.database import dependencies
from prefect.server.database.dependencies import temporary_database_config
from prefect.server.utilities.database import get_dialect
from prefect.settings import get_current_settings
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestration import embedded_api
from orchestration.api_dependencies import infer_interface_once
from orchestration.embedded_api import ConnectionsInLoop, tune_embedded_api

INSERT = sqlalchemy.text("INSERT INTO t VALUES (1)")


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[ConnectionsInLoop, AsyncEngine]]:
    """Yield the database and its engine, with a table."""
    database = ConnectionsInLoop(f"sqlite+aiosqlite:///{folder / 'prefect.db'}")
    engine = await database.engine()
    async with engine.begin() as first:
        await first.execute(sqlalchemy.text("CREATE TABLE t (a)"))
    try:
        yield database, engine
    finally:
        await engine.dispose()


def test_a_second_request_uses_the_connection_of_the_first(tmp_path: Path) -> None:
    """SQLite counts changes by connection, and the count is still there."""

    async def changes() -> int:
        async with opened(tmp_path) as (_, engine):
            async with engine.begin() as first:
                await first.execute(sqlalchemy.text("INSERT INTO t VALUES (1), (2)"))
            async with engine.begin() as second:
                found = await second.execute(sqlalchemy.text("SELECT total_changes()"))
                return int(found.scalar_one())

    assert asyncio.run(changes()) == 2


def test_a_connection_caches_few_of_the_pages_that_it_wrote(tmp_path: Path) -> None:
    """Prefect's own setting, 80 MB, keeps all artifacts of a long backfill in memory."""

    async def cached_kb() -> int:
        async with opened(tmp_path) as (_, engine), engine.begin() as connection:
            found = await connection.execute(sqlalchemy.text("PRAGMA cache_size"))
            return -int(found.scalar_one())  # pages, if positive

    assert 0 < asyncio.run(cached_kb()) <= 4096


async def _changes(folder: Path) -> int:
    """Insert a row; return how many changes the connection has made."""
    engine = await ConnectionsInLoop(f"sqlite+aiosqlite:///{folder / 'prefect.db'}").engine()
    async with engine.begin() as there:
        await there.execute(sqlalchemy.text("CREATE TABLE IF NOT EXISTS t (a)"))
        await there.execute(INSERT)
        found = await there.execute(sqlalchemy.text("SELECT total_changes()"))
        return int(found.scalar_one())


def test_a_second_event_loop_uses_the_connection_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At exit it is closed, and SQLite removes the database's write-ahead log."""
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    assert [asyncio.run(_changes(tmp_path)) for _ in range(2)] == [1, 2]
    log = tmp_path / "prefect.db-wal"
    assert log.exists()
    (close,) = at_exit
    close()
    assert not log.exists()


def test_event_loops_in_two_threads_use_two_connections(tmp_path: Path) -> None:
    asyncio.run(_changes(tmp_path))
    both = Barrier(2, timeout=60)

    async def changes() -> int:
        engine = await ConnectionsInLoop(f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}").engine()
        async with engine.connect() as there:
            both.wait()
            found = await there.execute(sqlalchemy.text("SELECT total_changes()"))
            both.wait()
            return int(found.scalar_one())

    with ThreadPoolExecutor(2) as threads:
        each = [threads.submit(asyncio.run, changes()) for _ in range(2)]
        assert sorted(one.result() for one in each) == [0, 1]


def test_a_transaction_waits_for_another_of_its_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop goes on meanwhile: if it did not, the first one could never end."""
    waits = asyncio.Event()

    async def pause() -> None:
        waits.set()
        await asyncio.sleep(0)

    async def insert(database: ConnectionsInLoop, engine: AsyncEngine) -> None:
        session = await database.session(engine)
        async with session, database.begin_transaction(session):
            await session.execute(INSERT)

    async def rows() -> int:
        async with opened(tmp_path) as (database, engine):
            first = await database.session(engine)
            async with first, database.begin_transaction(first):
                await first.execute(INSERT)
                second = asyncio.create_task(insert(database, engine))
                await waits.wait()
            await second
            async with engine.connect() as third:
                found = await third.execute(sqlalchemy.text("SELECT count(*) FROM t"))
                return int(found.scalar_one())

    monkeypatch.setattr(embedded_api, "_pause", pause)
    assert asyncio.run(rows()) == 2


def test_a_database_that_stays_locked_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def insert() -> None:
        async with opened(tmp_path) as (_, engine), engine.connect() as there:
            with closing(sqlite3.connect(tmp_path / "prefect.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await there.execute(INSERT)

    monkeypatch.setattr(embedded_api, "PATIENCE", 0)
    with pytest.raises(OperationalError, match="locked"):
        asyncio.run(insert())


def test_requests_of_a_run_call_no_dependency_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastAPI starts a thread for each dependency that is not a coroutine."""
    create: Any = create_app
    app = create(get_current_settings(), ephemeral=True, ignore_cache=True)
    monkeypatch.setattr(embedded_api, "create_app", lambda *_, **__: app)
    used = ("/flows/", "/flow_runs/", "/task_runs/", "/artifacts/", "/logs/")
    routes = [each for each in app.api_app.routes if each.path.startswith(used)]

    def in_threads() -> set[str]:
        called = {each for route in routes for each in _dependencies(route.dependant)}
        return {each.__name__ for each in called if not _is_coroutine(each)}

    assert {"provide_database_interface", "get_created_by"} <= in_threads()
    database = ConnectionsInLoop(f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}")
    with temporary_database_config(database):  # or later tests would use this test's database
        tune_embedded_api()
    assert in_threads() == set()


def test_the_interface_to_a_database_is_inferred_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each function that queries asks for it. Another database has another one."""
    inferred: list[str] = []

    def infer(url: Any) -> Any:
        inferred.append(url)
        return get_dialect(url)

    monkeypatch.setattr(dependencies, "get_dialect", infer)
    monkeypatch.setattr(dependencies, "provide_database_interface", None)
    infer_interface_once()
    for name in ("one.db", "another.db"):
        database = ConnectionsInLoop(f"sqlite+aiosqlite:///{tmp_path / name}")
        with temporary_database_config(database):
            for _ in range(3):
                assert dependencies.provide_database_interface().database_config is database
    assert len(inferred) == 2


def _dependencies(dependant: Any) -> list[Any]:
    inner = [call for each in dependant.dependencies for call in _dependencies(each)]
    return [*(each.call for each in dependant.dependencies), *inner]


def _is_coroutine(dependency: Any) -> bool:
    return any(map(inspect.iscoroutinefunction, (dependency, dependency.__call__)))
