"""What `make serve` says when it cannot; tests/browser has it at work."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

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
