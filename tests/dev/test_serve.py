"""Errors of `make serve`; tests/browser tests it running."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import serve
from fakes.humble import humble
from postgres_server import free_port

PROJECT = Path(__file__).absolute().parents[2]


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    """The error names the port and the remedy, and no folder is created."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, str(PROJECT / "dev" / "serve.py"), "--port", port],
            env=os.environ | {"PREFECT_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: port {port} of 127.0.0.1 cannot be used")
    assert "make serve PORT=" in done.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("port", [0, -1, 65536, 80000])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(serve.CannotServe, match=rf"no port {port}; .* make serve PORT="):
        serve._refuse_taken(port)


def test_a_home_that_this_user_may_not_write_is_named_with_its_setting(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    done = subprocess.run(
        humble(sys.executable, str(PROJECT / "dev" / "serve.py"), "--port", str(free_port())),
        env=os.environ | {"PREFECT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {home / 'serve'} cannot be written (Permission denied); ")
    assert "export PREFECT_HOME=" in line


@contextmanager
def port_with_an_old_connection() -> Iterator[int]:
    """Yield a port whose server closed its connection first, as a stopped server does."""
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        accepted.close()
        port: int = server.getsockname()[1]
        server.close()
        assert client.recv(1) == b""
        client.close()
        yield port


def test_a_port_whose_old_connections_fade_away_is_free() -> None:
    """Linux keeps them for a minute after `make serve` stops, and a restart must still work."""
    with port_with_an_old_connection() as port:
        serve._refuse_taken(port)


def test_the_log_of_the_previous_start_is_kept(tmp_path: Path) -> None:
    """It may show why the server was restarted."""
    for said in ("first", "second"):
        with serve._started("server", ("echo", said), os.environ, tmp_path) as program:
            program.process.wait()
    assert (tmp_path / "server.log.1").read_text() == "first\n"
    assert (tmp_path / "server.log").read_text() == "second\n"


def test_a_second_one_on_the_same_home_is_refused_with_the_name_of_the_first(
    tmp_path: Path,
) -> None:
    """On any port, two schedulers on one database would start every run twice."""
    first = rf"http://127.0.0.1:4200, PID {os.getpid()};"
    with (
        serve._alone(tmp_path, 4200),
        pytest.raises(serve.CannotServe, match=first),
        serve._alone(tmp_path, 4201),
    ):
        pytest.fail("there are two")
    with serve._alone(tmp_path, 4201):
        assert "4201" in (tmp_path / "running").read_text()
    assert not (tmp_path / "running").exists()


def test_a_second_one_is_refused_while_the_first_has_not_noted_its_address(tmp_path: Path) -> None:
    """It writes the note after it takes the lock, and removes it before it releases the lock."""
    with serve._alone(tmp_path, 4200):
        (tmp_path / "running").unlink()
        with (
            pytest.raises(serve.CannotServe, match="make serve is already running here; use"),
            serve._alone(tmp_path, 4201),
        ):
            pytest.fail("there are two")


def test_the_server_sends_no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "true")
    assert serve._environment(4200)["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    for file in ("compose.yaml", "Dockerfile"):
        text = (PROJECT / file).read_text()
        assert re.search(r'PREFECT_SERVER_ANALYTICS_ENABLED(: "|=)false', text)
