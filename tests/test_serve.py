"""What `make serve` says when it cannot; tests/browser has it at work."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import serve

PROJECT = Path(__file__).absolute().parents[1]


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    """With the port and the way out; no folder is made."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, str(PROJECT / "deployments" / "serve.py"), "--port", port],
            env=os.environ | {"PREFECT_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: port {port} of 127.0.0.1 cannot be used")
    assert "make serve PORT=" in done.stderr
    assert not (tmp_path / "home").exists()


@contextmanager
def port_with_an_old_connection() -> Iterator[int]:
    """A port whose server has ended first, as one does that is stopped."""
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
    """Linux keeps them for a minute; whoever stops `make serve` and starts it again has them."""
    with port_with_an_old_connection() as port:
        serve._refuse_taken(port)


def test_the_log_of_the_time_before_is_kept(tmp_path: Path) -> None:
    """It may say why somebody starts anew."""
    for said in ("first", "second"):
        with serve._started("server", ("echo", said), os.environ, tmp_path) as program:
            program.process.wait()
    assert (tmp_path / "server.log.1").read_text() == "first\n"
    assert (tmp_path / "server.log").read_text() == "second\n"
