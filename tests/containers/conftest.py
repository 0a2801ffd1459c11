"""What runs while containers are tested: an engine, the image, a server, agents, PostgreSQL."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from doubles.docker_engine import engine
from doubles.docker_image import build
from doubles.postgres import PASSWORD, Database, new_database
from doubles.prefect_machine import Prefect
from doubles.web import Web
from postgres_server import HOST, USER, Server


@pytest.fixture(scope="session", autouse=True)
def terminated() -> None:
    """A session that is told to end still stops what it started."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[None]:
    """An engine that DOCKER_HOST leads to."""
    with engine():
        yield


@pytest.fixture(scope="session")
def taxi(postgres_server: tuple[Server, int]) -> Iterator[Database]:
    """The warehouse of all these tests."""
    with new_database(*postgres_server, "taxi") as found:
        yield found


@pytest.fixture(scope="session")
def web() -> Iterator[Web]:
    """Where months are published."""
    with Web() as served:
        yield served


@pytest.fixture(scope="session")
def volume() -> Iterator[Path]:
    """The folder that all containers have as /opt/prefect/data; theirs is user 1000."""
    with tempfile.TemporaryDirectory(prefix="volume-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture(scope="session")
def prefect(
    docker_engine: None, taxi: Database, volume: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prefect]:
    """A server with the blocks and deployments of the project, and the image that they name."""
    environment = {
        "DOCKER_IMAGE_PULL_POLICY": "NEVER",
        "DOCKER_DATA": str(volume),
        "POSTGRES_HOST": HOST,
        "POSTGRES_PORT": str(taxi.port),
        "POSTGRES_DB": taxi.name,
        "POSTGRES_USER": USER,
        "POSTGRES_PASSWORD": PASSWORD,
        "TRIPS_WAREHOUSE": "sqlalchemy-connector/zoom-postgres",
        "TRIPS_DATA": str(tmp_path_factory.mktemp("data")),
    }
    found = Prefect(tmp_path_factory.mktemp("prefect"), environment)
    try:
        with ThreadPoolExecutor() as pool:
            image = pool.submit(build)
            found.serve()
            found.environment = environment | {"DOCKER_IMAGE": "zoom-flows:test"}
            found.run("blocks/make_blocks.py")
            found.run("deployments/docker_deploy.py")
            found.run("deployments/local_deploy.py")
            found.run("deployments/work_pool_deploy.py")
            image.result()
        yield found
    finally:
        found.stop()
