"""Prefect's server on SQLite: writers wait for each other, as a user of the UI expects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from prefect.server.database.configurations import (
    AioSqliteConfiguration,
    AsyncPostgresConfiguration,
)
from prefect.server.database.dependencies import (
    MODELS_DEPENDENCIES,
    provide_database_interface,
)
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

import sqlite_server
from fakes.served import Served, serving
from sqlite_server import WaitingSqlite, create_app, telling_runs_apart


@asynccontextmanager
async def transaction(database: AioSqliteConfiguration) -> AsyncIterator[AsyncSession]:
    session = await database.session(await database.engine())
    async with session, database.begin_transaction(session):
        yield session


async def rows(session: AsyncSession) -> int:
    return int((await session.execute(sa.text("SELECT count(*) FROM run"))).scalar_one())


async def read_and_write(database: AioSqliteConfiguration) -> None:
    async with transaction(database) as session:
        await rows(session)
        await session.execute(sa.text("INSERT INTO run VALUES (1)"))


async def rows_after_two_at_once(
    database: AioSqliteConfiguration, seconds: float, of_runs: tuple[bool, bool] = (False, False)
) -> int:
    """Return the rows after a transaction that reads, lets another write that long, and writes."""
    async with transaction(database) as session:
        await session.execute(sa.text("CREATE TABLE run (number INTEGER)"))
    sqlite_server._of_run.set(of_runs[0])
    async with transaction(database) as session:
        await rows(session)
        sqlite_server._of_run.set(of_runs[1])
        other = asyncio.create_task(read_and_write(database))
        await asyncio.wait({other}, timeout=seconds)
        await session.execute(sa.text("INSERT INTO run VALUES (2)"))
    await other
    async with transaction(database) as session:
        return await rows(session)


def test_a_second_request_uses_the_connection_of_the_first(tmp_path: Path) -> None:
    """SQLite counts changes per connection, and the second request reads the count."""
    database = WaitingSqlite(f"sqlite+aiosqlite:///{tmp_path}/prefect.db")

    async def changes() -> int:
        async with transaction(database) as first:
            await first.execute(sa.text("CREATE TABLE run (number INTEGER)"))
            await first.execute(sa.text("INSERT INTO run VALUES (1), (2)"))
        async with transaction(database) as second:
            found = await second.execute(sa.text("SELECT total_changes()"))
            return int(found.scalar_one())

    assert asyncio.run(changes()) == 2


@pytest.mark.parametrize("first_in_loop", [False, True])
@pytest.mark.parametrize("other_in_loop", [False, True])
def test_a_reader_that_then_writes_waits_for_the_other(
    tmp_path: Path, first_in_loop: bool, other_in_loop: bool
) -> None:
    """So do requests in the event loop, which runs send, and those in threads."""
    database = WaitingSqlite(f"sqlite+aiosqlite:///{tmp_path}/prefect.db")
    of_runs = (first_in_loop, other_in_loop)
    assert asyncio.run(rows_after_two_at_once(database, 0.5, of_runs)) == 2


@pytest.mark.parametrize("in_loop", [False, True])
def test_a_request_that_fails_leaves_nothing_of_what_it_wrote(
    tmp_path: Path, in_loop: bool
) -> None:
    """Its statements belong to one transaction, although sessions opened within it only read."""
    database = WaitingSqlite(f"sqlite+aiosqlite:///{tmp_path}/prefect.db")

    async def rows_left() -> int:
        sqlite_server._of_run.set(in_loop)
        async with transaction(database) as session:
            await session.execute(sa.text("CREATE TABLE run (number INTEGER)"))
        with suppress(ConnectionError):
            async with transaction(database) as session:
                await session.execute(sa.text("INSERT INTO run VALUES (1)"))
                raise ConnectionError("the client is gone")
        async with transaction(database) as session:
            return await rows(session)

    assert asyncio.run(rows_left()) == 0


def test_a_session_within_a_transaction_reads_without_waiting_for_it(tmp_path: Path) -> None:
    """The server reads whether a work queue is paused in such a session."""
    database = WaitingSqlite(f"sqlite+aiosqlite:///{tmp_path}/prefect.db")

    async def rows_within() -> int:
        async with transaction(database) as session:
            await session.execute(sa.text("CREATE TABLE run (number INTEGER)"))
        async with transaction(database) as session:
            await session.execute(sa.text("INSERT INTO run VALUES (1)"))
            async with await database.session(await database.engine()) as within:
                return await asyncio.wait_for(rows(within), timeout=20)

    assert asyncio.run(rows_within()) == 0


def test_prefect_itself_refuses_one_of_them(tmp_path: Path) -> None:
    """If Prefect ever changes this, the project's own server is unnecessary."""
    database = AioSqliteConfiguration(f"sqlite+aiosqlite:///{tmp_path}/prefect.db")
    with pytest.raises(sa.exc.OperationalError, match="database is locked"):
        asyncio.run(rows_after_two_at_once(database, seconds=30))


@pytest.mark.parametrize(
    ("database", "kind"),
    [
        ("sqlite+aiosqlite:///prefect.db", WaitingSqlite),
        ("postgresql+asyncpg://prefect@127.0.0.1/prefect", AsyncPostgresConfiguration),
    ],
)
def test_only_sqlite_is_changed(
    monkeypatch: pytest.MonkeyPatch, database: str, kind: type[object]
) -> None:
    """PREFECT_API_DATABASE_CONNECTION_URL is left as it is."""
    for name in MODELS_DEPENDENCIES:
        monkeypatch.setitem(MODELS_DEPENDENCIES, name, None)
    with temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: database}):
        create_app()
        assert type(provide_database_interface().database_config) is kind


RUN = "/api/flow_runs/0b0d1f7e-9a34-4cf4-9d29-35f6f3f7f9a1"


@pytest.mark.parametrize(
    ("method", "path", "in_loop"),
    [
        ("POST", "/api/task_runs/", True),
        ("POST", f"{RUN}/set_state", True),
        ("GET", RUN, True),
        ("PATCH", RUN, True),
        ("POST", "/api/logs/", True),
        ("POST", "/api/artifacts/", True),
        ("DELETE", RUN, False),
        ("POST", "/api/flow_runs/filter", False),
        ("POST", "/api/flow_runs/history", False),
        ("GET", f"{RUN}/graph-v2", False),
        ("POST", "/api/logs/filter", False),
    ],
)
def test_only_what_runs_send_uses_the_event_loop(
    tmp_path: Path, method: str, path: str, in_loop: bool
) -> None:
    """A slow query of the UI uses threads, so it cannot block other requests."""
    database = WaitingSqlite(f"sqlite+aiosqlite:///{tmp_path}/prefect.db")
    engines: list[AsyncEngine] = []

    async def app(*_: object) -> None:
        engines.append(await database.engine())

    async def asked() -> tuple[AsyncEngine, AsyncEngine]:
        await telling_runs_apart(app)({"method": method, "path": path}, None, None)
        return engines[0], await database.engine()  # the latter is that of the server's services

    used, in_threads = asyncio.run(asked())
    assert (used is not in_threads) is in_loop


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("serve")) as found:
        yield found


def pressed(served: Served, deployment: str) -> list[int]:
    """Return the statuses of repeated requests of the UI's Quick run, scheduled for next week."""
    due = datetime.now(timezone.utc) + timedelta(days=7)
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due.isoformat()}}
    where = f"{served.url}/api/deployments/{deployment}/create_flow_run"
    with httpx.Client(timeout=60) as browser:
        return [browser.post(where, json={"state": state}).status_code for _ in range(25)]


@pytest.mark.slow
def test_no_click_on_run_is_refused(served: Served) -> None:
    """Four clients at once read a deployment, then create a run of it."""
    found = httpx.post(f"{served.url}/api/deployments/filter", json={}).json()
    deployments = [str(deployment["id"]) for deployment in found[:4]]
    with ThreadPoolExecutor(len(deployments)) as people:
        answers = people.map(pressed, [served] * len(deployments), deployments)
    assert [set(answer) for answer in answers] == [{201}] * 4
    assert "database is locked" not in (served.home / "serve/server.log").read_text()


@pytest.mark.slow
def test_a_paused_queue_is_reported_at_once(served: Served) -> None:
    """Prefect reads in a separate session, within the transaction."""
    queues = f"{served.url}/api/work_queues"
    queue = httpx.get(f"{queues}/name/local").json()["id"]
    for paused in (True, False):
        answer = httpx.patch(f"{queues}/{queue}", json={"is_paused": paused}, timeout=30)
        assert answer.status_code == 204, answer.text
        assert httpx.get(f"{queues}/{queue}").json()["is_paused"] is paused
