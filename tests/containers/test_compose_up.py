"""compose.yaml as people use it: up, a deployment's run, a month in its PostgreSQL, down."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import httpx
import psycopg2
import pytest

from fakes import own_dataset
from fakes.compose import NAME, PASSWORD, brought_up
from fakes.docker_engine import containers, run, wait_until
from fakes.months_of_green import SUMS
from fakes.prefect_machine import Prefect
from postgres_server import DATABASE, HOST, USER

pytestmark = pytest.mark.docker


def is_deployed(prefect: Prefect, name: str) -> bool:
    with suppress(httpx.HTTPError):
        return bool(prefect.deployment(name))
    return False


def test_compose_loads_a_month(
    tmp_path: Path, left: Callable[[], set[str]], declarations: Path
) -> None:
    """All services and the run's container reach each other and the user's declarations."""
    with brought_up(tmp_path, declarations) as services:
        server = Prefect(tmp_path, {}, services.server)
        flow = "etl-parent-flow/docker-flow"
        wait_until("setup has deployed the flows", lambda: is_deployed(server, flow), 180)
        months = {"source": "sample:1000", "color": "green", "months": "2020-01"}
        (state,) = server.ended(server.run_deployment(flow, **months), seconds=180)
        assert (state["name"], state["message"]) == ("Completed", "1 loaded")
        own = f"{flow}-{own_dataset.NAME}"
        months = {"source": "sample:500", "months": "2020-01"}
        (state,) = server.ended(server.run_deployment(own, **months), seconds=180)
        assert (state["name"], state["message"]) == ("Completed", "1 loaded")
        where = {"host": HOST, "port": services.taxi, "dbname": DATABASE}
        connected = closing(psycopg2.connect(**where, user=USER, password=PASSWORD))
        with connected as db, db.cursor() as cursor:
            cursor.execute(SUMS)
            assert [row[:2] for row in cursor.fetchall()] == [("2020-01", 1_000)]
            cursor.execute(f"SELECT count(*) FROM {own_dataset.NAME}")
            assert cursor.fetchone() == (500,)
        # Containers of runs use the network and the volume that are about to be removed.
        for container in left() & set(containers("--all")):
            run("docker", "rm", "--force", container)
    for kind in ("container", "network", "volume"):
        named = run("docker", kind, "ls", "--quiet", f"--filter=name={NAME}")
        assert named == "", kind
