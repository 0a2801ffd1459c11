"""The project's own PostgreSQL server, as `make postgres` starts it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.postgres import PASSWORD, Database
from postgres_server import DATABASE, Server, free_port
from test_cli import environment, run

pytestmark = pytest.mark.flow

__all__ = ["environment"]  # a fixture

SCRIPT = Path(__file__).absolute().parents[2] / "dev" / "local_postgres.py"


@pytest.fixture
def settings(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """A data folder that the server's account may enter, even as root; stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="local-postgres-"))
    folder.chmod(0o755)
    found = environment | {"TRIPS_DATA": str(folder / "data")}
    _forget_the_block()
    yield found
    local_postgres(found, "--stop")
    _forget_the_block()
    shutil.rmtree(folder)


def _forget_the_block() -> None:
    """All tests share Prefect's database; others save a block of this name, for other servers."""
    from prefect_sqlalchemy import SqlAlchemyConnector

    with contextlib.suppress(ValueError):  # there is none
        SqlAlchemyConnector.delete("zoom-postgres")


def local_postgres(settings: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *options],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )


def test_started_used_stopped_and_started_again(settings: dict[str, str]) -> None:
    """The block works at once; months outlive a stop; the password is nobody else's."""
    first = local_postgres(settings)
    assert first.returncode == 0, first.stderr
    assert re.search(r"^PostgreSQL runs on 127.0.0.1:\d+: database ny_taxi", first.stdout)
    password = Path(settings["TRIPS_DATA"], "postgres", "password")
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert password.read_text() not in first.stdout + first.stderr
    again = local_postgres(settings)
    assert again.stdout.startswith("PostgreSQL has been running on 127.0.0.1:")
    options = ("--color", "green", "--year", "2020", "--month", "10", "--source", "sample:100")
    loaded = run(settings, "ingest_data.py", *options)
    assert re.search(r"green 2020-10 +loaded, GENERATED +100 +100", loaded.stdout), loaded.stderr
    assert "its months stay" in local_postgres(settings, "--stop").stdout
    assert local_postgres(settings, "--stop").stdout == "PostgreSQL is not running\n"
    assert local_postgres(settings).returncode == 0
    assert "unchanged" in run(settings, "ingest_data.py", *options).stdout


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="not root")
def test_a_folder_that_the_server_cannot_enter_is_named(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """As root, with a data folder in a home that nobody else may enter; it is not opened."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    found = local_postgres(environment | {"TRIPS_DATA": str(closed / "data")})
    assert found.returncode == 1
    assert f"cannot enter {closed}" in found.stderr
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_a_cluster_that_was_cut_short_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between the cluster and its database: the next start has both."""
    folder = Path(tempfile.mkdtemp(prefix="local-postgres-"))
    folder.chmod(0o755)
    server, port = Server(folder / "cluster", PASSWORD), free_port()

    def interrupted(server: Server, statement: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Server, "_single", interrupted)
        with pytest.raises(KeyboardInterrupt):
            server.start(port)
    try:
        server.start(port)
        assert Database(server, port, DATABASE).query("SELECT 1") == [(1,)]
        assert [path.name for path in folder.iterdir()] == ["cluster"]
    finally:
        if server.is_running():
            server.stop("immediate")
        shutil.rmtree(folder)
