"""What the container tests share: an engine, the image, a server, agents, PostgreSQL."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from fakes import own_dataset
from fakes.docker_engine import containers, engine, run
from fakes.docker_image import IMAGE, build
from fakes.postgres import PASSWORD, Database, new_database
from fakes.prefect_machine import Prefect, Program
from fakes.repository import ADDRESS, Repository
from fakes.web import Web
from postgres_server import HOST, USER, Server

_BUILD_SECONDS = 1200
_SCRIPTS_SECONDS = 600
_SCRIPTS = (
    "blocks/make_blocks.py",
    *(f"deployments/{name}_deploy.py" for name in ("local", "docker", "work_pool", "github")),
)


@pytest.fixture(scope="session", autouse=True)
def terminated() -> None:
    """Stop everything that was started even if the session is terminated."""
    # A shell's background job ignores SIGINT; agents inherit that, and need SIGINT to stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))


@pytest.fixture(scope="session")
def building() -> Iterator[Future[str]]:
    """Start an engine and build the image on it while tests that need neither run."""
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:

        def build_on_engine() -> str:
            stack.enter_context(engine())
            return build()

        yield pool.submit(build_on_engine)


@pytest.fixture(scope="session")
def taxi(postgres_server: tuple[Server, int]) -> Iterator[Database]:
    """Yield the warehouse that these tests share."""
    with new_database(*postgres_server, "taxi") as found:
        yield found


@pytest.fixture(scope="session")
def own_database(postgres_server: tuple[Server, int]) -> Iterator[Database]:
    """Yield the database of Prefect's server."""
    with new_database(*postgres_server, "prefect") as found:
        found.query("CREATE EXTENSION IF NOT EXISTS pg_trgm")  # for Prefect's migrations
        yield found


@pytest.fixture(scope="session")
def web() -> Iterator[Web]:
    """Yield the web server that publishes months."""
    with Web() as served:
        yield served


@pytest.fixture(scope="session")
def volume() -> Iterator[Path]:
    """Yield the folder mounted as /opt/prefect/data, where containers write as user 1000."""
    with tempfile.TemporaryDirectory(prefix="volume-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture(scope="session")
def declarations(web: Web) -> Iterator[Path]:
    """Yield the user's folder of declarations, which containers read as user 1000."""
    with tempfile.TemporaryDirectory(prefix="declarations-") as name:
        Path(name).chmod(0o755)
        own_dataset.declare(Path(name), web.url("/tram-{year}-{month:02}.csv"))
        yield Path(name)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Return the repository from which GitHub deployments fetch their code."""
    found = Repository(tmp_path_factory.mktemp("github"))
    found.publish_the_project()
    return found


@pytest.fixture(scope="session")
def prefect(
    building: Future[str],
    repository: Repository,
    taxi: Database,
    own_database: Database,
    volume: Path,
    declarations: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prefect]:
    """Run a server with the project's blocks and deployments."""
    url = own_database.url.set(drivername="postgresql+asyncpg")
    data = tmp_path_factory.mktemp("data")
    environment = {
        "DOCKER_IMAGE": IMAGE,
        "DOCKER_IMAGE_PULL_POLICY": "NEVER",
        "DOCKER_DATA": str(volume),
        "TRIPS_DATASETS": str(declarations),
        "POSTGRES_HOST": HOST,
        "POSTGRES_PORT": str(taxi.port),
        "POSTGRES_DB": taxi.name,
        "POSTGRES_USER": USER,
        "POSTGRES_PASSWORD": PASSWORD,
        "TRIPS_WAREHOUSE": "sqlalchemy-connector/zoom-postgres",
        "TRIPS_DATA": str(data),
        "TRIPS_SCRATCH": str(data / "scratch"),
        "GITHUB_STORAGE_REPOSITORY": ADDRESS,
        **repository.environment,
    }
    found = Prefect(tmp_path_factory.mktemp("prefect"), environment)
    try:
        # SQLite answers 503 when many runs begin at once.
        found.serve(url.render_as_string(hide_password=False))
        found.run("dev/scripts.py", *_SCRIPTS, seconds=_SCRIPTS_SECONDS)
        found.pause_schedules()  # a run of tidy-runs every ten minutes would be killed, too
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="session")
def left(building: Future[str]) -> Iterator[Callable[[], set[str]]]:
    """Yield the runs' containers and networks that were not there before.

    The containers are removed at the end.
    """
    building.result(_BUILD_SECONDS)
    before = _containers_and_networks()
    yield lambda: _containers_and_networks() - before
    for container in set(containers("--all")) - before:
        run("docker", "rm", "--force", container)


def _containers_and_networks() -> set[str]:
    return {*containers("--all"), *run("docker", "network", "ls", "--quiet", "--no-trunc").split()}


@pytest.fixture(scope="session")
def agent(prefect: Prefect, left: Callable[[], set[str]]) -> Program:
    """Run an agent that starts containers."""
    return prefect.agent("docker")
