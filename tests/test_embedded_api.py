"""Prefect's API in a command's own process keeps its connections to the database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import sqlalchemy

from orchestration.embedded_api import KeptConnections


def test_a_second_request_uses_the_connection_of_the_first(tmp_path: Path) -> None:
    """What a connection alone knows is still there: the changes that it counts."""

    async def changes() -> int:
        database = KeptConnections(f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}")
        engine = await database.engine()
        async with engine.begin() as first:
            await first.execute(sqlalchemy.text("CREATE TABLE t (a)"))
            await first.execute(sqlalchemy.text("INSERT INTO t VALUES (1), (2)"))
        async with engine.begin() as second:
            found = (await second.execute(sqlalchemy.text("SELECT total_changes()"))).scalar_one()
        await engine.dispose()
        return int(found)

    assert asyncio.run(changes()) == 2
