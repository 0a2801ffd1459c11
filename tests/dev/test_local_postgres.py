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
import typer

import local_postgres
from fakes.in_process import Commands
from fakes.postgres import PASSWORD, Database
from postgres_server import DATABASE, Server, free_port
from test_cli import environment

pytestmark = pytest.mark.flow

__all__ = ["environment"]  # a fixture

SCRIPT = Path(__file__).absolute().parents[2] / "dev" / "local_postgres.py"


@pytest.fixture
def data(prefect_server: None, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a data folder that the server's account may enter, even under root; stop its server."""
    folder = Path(tempfile.mkdtemp(prefix="local-postgres-"))
    folder.chmod(0o755)
    use(folder / "data", monkeypatch)
    _forget_the_block()
    yield folder / "data"
    local_postgres.main(stop=True)
    _forget_the_block()
    shutil.rmtree(folder)


def use(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the script use a data folder, as TRIPS_DATA would in a separate process."""
    monkeypatch.setattr(local_postgres, "FOLDER", data / "postgres")
    monkeypatch.setattr(local_postgres, "PASSWORD", data / "postgres" / "password")


def _forget_the_block() -> None:
    """Delete the block, as other tests save one of this name in the shared database."""
    from prefect_sqlalchemy import SqlAlchemyConnector

    with contextlib.suppress(ValueError):  # nothing to delete
        SqlAlchemyConnector.delete("zoom-postgres")


@pytest.mark.slow
def test_started_used_stopped_and_started_again(
    data: Path,
    environment: dict[str, str],
    command: Commands,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The block works immediately, months survive a stop, and the password is private."""
    from ingest_data import ingest_data

    # As a command, so that the server outlives it.
    first = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=environment | {"TRIPS_DATA": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert first.returncode == 0, first.stderr
    assert re.search(r"^PostgreSQL runs on 127.0.0.1:\d+: database ny_taxi", first.stdout)
    password = data / "postgres" / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert password.read_text() not in first.stdout + first.stderr

    def said(stop: bool = False) -> str:
        local_postgres.main(stop)
        return capsys.readouterr().out

    assert said().startswith("PostgreSQL has been running on 127.0.0.1:")
    options = ("--color", "green", "--year", "2020", "--month", "10", "--source", "sample:100")
    loaded = command(ingest_data, *options)
    assert re.search(r"green 2020-10 +loaded, GENERATED +100 +100", loaded.out), loaded.err
    assert "its months stay" in said(stop=True)
    assert said(stop=True) == "PostgreSQL is not running\n"
    assert said().startswith("PostgreSQL runs on 127.0.0.1:")
    assert "unchanged" in command(ingest_data, *options).out


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="not root")
def test_a_folder_that_the_server_cannot_enter_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root runs it with a data folder in a private home, whose permissions stay as they are."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    use(closed / "data", monkeypatch)
    with pytest.raises(typer.Exit) as ended:
        local_postgres.main()
    assert ended.value.exit_code == 1
    assert f"cannot enter {closed}" in capsys.readouterr().err
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_an_incomplete_cluster_is_created_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C between creating the cluster and its database, the next start creates both."""
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
