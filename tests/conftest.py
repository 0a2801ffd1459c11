"""Give a session one Prefect and one PostgreSQL server, and leave the developer's Prefect alone."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from core.threads import most_threads
from fakes.prefect_home import copy_database, one_certificate

if TYPE_CHECKING:
    from fakes.google import Google
    from fakes.in_process import Commands
    from fakes.postgres import Database
    from fakes.s3 import S3
    from postgres_server import Server

# Before Prefect is imported, because it reads its settings then.
_HOME = tempfile.TemporaryDirectory(prefix="prefect-home-")
os.environ["PREFECT_HOME"] = _HOME.name
os.environ["PREFECT_API_SSL_CERT_FILE"] = str(one_certificate(Path(_HOME.name)))
os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
# Skip registering every package's blocks each time an API starts.
os.environ["PREFECT_API_BLOCKS_REGISTER_ON_START"] = "false"
os.environ["PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION"] = "false"
# Nor what the developer has set for flows.
for name in [name for name in os.environ if name.startswith("TRIPS_")]:
    del os.environ[name]
os.environ["TRIPS_ENV_FILE"] = os.devnull
for name in ("PREFECT_API_URL", "PREFECT_PROFILE"):
    os.environ.pop(name, None)

# Modules and tests stay in memory, so collecting garbage among them finds none.
gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Run one process more than there are cores, because a test often waits for another process."""
    is_set = "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ  # xdist reads it
    return None if is_set else most_threads() + 1


def pytest_collection_finish() -> None:
    """Collect garbage from here on, but not among what was imported."""
    gc.freeze()
    gc.callbacks.append(_freeze_survivors)
    gc.set_threshold(10_000)
    gc.enable()
    atexit.register(_free_all)


def _freeze_survivors(phase: str, info: Mapping[str, int]) -> None:
    """Freeze what survives a full collection, mostly imported modules, so the next one skips it."""
    if (phase, info["generation"]) == ("stop", 2):
        gc.freeze()


def _free_all() -> None:
    """Let the interpreter's exit free all of it, because DuckDB reports objects that are left."""
    gc.callbacks.remove(_freeze_survivors)
    gc.unfreeze()


# A shell's background job and its children ignore SIGINT; an agent that is to stop sends
# SIGINT to itself (prefect/utilities/processutils.py, setup_signal_handlers_agent).
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test its own scratch root."""
    root = tmp_path / "scratch"
    monkeypatch.setenv("TRIPS_SCRATCH", str(root))
    return root


@pytest.fixture(scope="session")
def prefect_database(pytestconfig: pytest.Config) -> Callable[[Path], None]:
    """Return a function that copies an empty, migrated Prefect database to a path."""
    # Kept between pytest runs, and shared by its workers.
    cache = pytestconfig.cache.mkdir(f"prefect-{version('prefect')}")
    return partial(copy_database, cache)


@pytest.fixture(scope="session")
def prefect_server(
    prefect_database: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Run Prefect's own API in this process, as commands do, on the session's own database."""
    from prefect.settings import (
        PREFECT_API_DATABASE_CONNECTION_URL,
        PREFECT_API_DATABASE_MIGRATE_ON_START,
        temporary_settings,
    )

    from orchestration.caching_client import use_caching_client
    from orchestration.embedded_api import tune_embedded_api

    path = tmp_path_factory.mktemp("prefect") / "prefect.db"
    prefect_database(path)
    url = f"sqlite+aiosqlite:///{path}"
    settings: dict[Any, Any] = {
        PREFECT_API_DATABASE_CONNECTION_URL: url,
        PREFECT_API_DATABASE_MIGRATE_ON_START: False,
    }
    with temporary_settings(settings):
        tune_embedded_api()
        use_caching_client()
        yield


@pytest.fixture
def command(
    prefect_server: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Commands:
    """Run flows as commands within this process; tests/test_cli.py starts real ones."""
    from fakes.in_process import Commands

    return Commands(monkeypatch, capsys, caplog)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder for one test's embedded bucket, warehouse and published files."""
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
    """Run one S3 server for all tests that need it."""
    from fakes.s3 import S3

    with S3() as server:
        yield server


@pytest.fixture
def s3_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the S3 client retry without its backoff of up to a second."""
    from botocore.retries.standard import ExponentialBackoff

    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """Yield the test's own stand-in for Google, with an empty bucket, set in the environment.

    Google's clients retry without their usual backoff of several seconds.
    """
    from google.api_core.retry import retry_unary
    from google.resumable_media import _helpers

    from fakes.google import Google

    monkeypatch.setattr(retry_unary, "exponential_sleep_generator", lambda *_, **__: repeat(0.001))
    monkeypatch.setattr(_helpers, "calculate_retry_wait", lambda *_: (0.001, 0.001))
    with Google() as served:
        for name, value in served.environment().items():
            monkeypatch.setenv(name, value)
        served.storage.make("taxi")
        yield served


@pytest.fixture(scope="session")
def postgres_cache(pytestconfig: pytest.Config) -> Path:
    """Return the cache of `fakes.postgres.running_server`, as that of the Prefect database."""
    return pytestconfig.cache.mkdir("postgres")


@pytest.fixture(scope="session")
def postgres_server(postgres_cache: Path) -> Iterator[tuple[Server, int]]:
    """Run one PostgreSQL server for all tests; yield it and its port."""
    from fakes.postgres import running_server

    with running_server(postgres_cache) as found:
        yield found


@pytest.fixture(scope="session")
def only_database(postgres_server: tuple[Server, int]) -> Iterator[Database]:
    """Create the database that all tests share."""
    from fakes.postgres import new_database

    with new_database(*postgres_server, "test") as found:
        yield found


@pytest.fixture
def database(only_database: Database) -> Iterator[Database]:
    """Yield an empty PostgreSQL database for one test."""
    yield only_database
    only_database.empty()
