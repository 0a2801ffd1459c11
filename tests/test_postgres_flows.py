"""The flows with a saved block of Postgres, against a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from doubles.postgres import PASSWORD, Database
from test_flows import bring_all, place, publish

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

__all__ = ["place"]  # a fixture

BLOCK = "sqlalchemy-connector/tests"
SUMS = (
    "SELECT to_char(file_month, 'YYYY-MM'), count(*), sum(total_amount) "
    "FROM green_trips GROUP BY 1 ORDER BY 1"
)


@pytest.fixture
def saved(database: Database) -> Database:
    """A database with its block."""
    from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver

    url = database.url
    components = ConnectionComponents(
        driver=SyncDriver.POSTGRESQL_PSYCOPG2,
        username=url.username,
        password=url.password,
        host=url.host,
        port=str(url.port),
        database=url.database,
    )
    SqlAlchemyConnector(connection_info=components).save("tests", overwrite=True)
    return database


def test_months_go_from_the_web_to_the_bucket_to_postgres(place: Path, saved: Database) -> None:
    """Loaded once, skipped the second time, a corrected one replaced; no secret in what is told."""
    publish(place, "2020-10", ["10.5", "4"])
    publish(place, "2020-11", ["7", "8", "9"])
    first = bring_all(place, "10,11", warehouse=BLOCK)
    assert [line.status for line in first.result()] == ["loaded", "loaded"]
    assert saved.query(SUMS) == [("2020-10", 2, 14.5), ("2020-11", 3, 24.0)]
    assert bring_all(place, "10,11", warehouse=BLOCK).name == "Skipped"
    publish(place, "2020-10", ["1"])
    again = bring_all(place, "10,11", warehouse=BLOCK)
    assert [line.status for line in again.result()] == ["loaded", "unchanged"]
    assert saved.query(SUMS) == [("2020-10", 1, 1.0), ("2020-11", 3, 24.0)]
    assert f"127.0.0.1:{saved.port}/{saved.name}" in again.result()[0].where
    assert PASSWORD not in str(again.result())
