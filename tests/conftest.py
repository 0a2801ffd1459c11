"""One Prefect and one PostgreSQL server a session, and no trace of the developer's own Prefect."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fakes.google import Google
    from fakes.postgres import Database
    from fakes.s3 import S3
    from postgres_server import Server

# Before Prefect is imported: its settings are read then.
_HOME = tempfile.TemporaryDirectory(prefix="prefect-home-")
os.environ["PREFECT_HOME"] = _HOME.name
os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
# Not every package of blocks at each start of an API.
os.environ["PREFECT_API_BLOCKS_REGISTER_ON_START"] = "false"
os.environ["PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION"] = "false"
os.environ["TRIPS_ENV_FILE"] = os.devnull
for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "TRIPS_BUCKET", "TRIPS_WAREHOUSE"):
    os.environ.pop(name, None)
for name in ("TRIPS_BQ_DATASET", "TRIPS_BQ_LOCATION", "TRIPS_DATA", "TRIPS_SOURCE"):
    os.environ.pop(name, None)

# A shell's background job ignores SIGINT, and so does all that it starts; an agent that is to stop
# sends SIGINT to itself (prefect/utilities/processutils.py, setup_signal_handlers_agent).
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scratch root of each test's own."""
    root = tmp_path / "scratch"
    monkeypatch.setenv("TRIPS_SCRATCH", str(root))
    return root


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Prefect's own test server, started once for all flow tests."""
    from prefect.server.database.dependencies import provide_database_interface
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness():
        # Prefect makes its database at the first call and gives up after 30 s, which a busy
        # machine can take; here there is no such limit.
        database: Any = provide_database_interface()  # typed in part
        asyncio.run(database.create_db())
        yield


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the embedded bucket and warehouse of one test, and its published files."""
    from orchestration import block_registry
    from orchestration.embedded_blocks import DuckDBWarehouse, LocalBucket

    (tmp_path / "web").mkdir()
    blocks = {
        "local-bucket/zoom": LocalBucket(folder=str(tmp_path / "bucket")),
        "duckdb-warehouse/zoom": DuckDBWarehouse(
            path=str(tmp_path / "trips.duckdb"), memory_limit="256MB"
        ),
    }
    monkeypatch.setattr(block_registry, "EMBEDDED", blocks)
    return tmp_path


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """An S3 of our own, started once for all tests that need one."""
    from fakes.s3 import S3

    with S3() as server:
        yield server


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """A Google of this test's own with an empty bucket, found through the environment."""
    from fakes.google import Google

    with Google() as served:
        for name, value in served.environment().items():
            monkeypatch.setenv(name, value)
        served.storage.make("taxi")
        yield served


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[tuple[Server, int]]:
    """A PostgreSQL server and its port, started once for all tests."""
    from fakes.postgres import running_server

    with running_server() as found:
        yield found


@pytest.fixture
def database(
    postgres_server: tuple[Server, int], request: pytest.FixtureRequest
) -> Iterator[Database]:
    """An empty PostgreSQL database of one test's own."""
    from fakes.postgres import new_database

    name = f"test_{zlib.crc32(request.node.nodeid.encode()):08x}"
    with new_database(*postgres_server, name) as found:
        yield found
