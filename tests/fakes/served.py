"""Start what `make serve` starts, for tests that inspect it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from postgres_server import free_port

PROJECT = Path(__file__).absolute().parents[2]
_START_SECONDS = 180
_STOP_SECONDS = 60


@dataclass(frozen=True)
class Served:
    """The programs that `make serve` started.

    Attributes:
        url: address of the UI.
        process: process of the script.
        data: folder of the embedded bucket and warehouse.
        home: PREFECT_HOME.
    """

    url: str
    process: subprocess.Popen[bytes]
    data: Path
    home: Path

    def stop(self, number: int) -> int:
        """Stop it with a signal; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(_STOP_SECONDS)

    def group(self) -> list[int]:
        """Return the processes with this PREFECT_HOME, except the script itself."""
        wanted = f"PREFECT_HOME={self.home}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
            except OSError:  # it has ended
                continue
            if wanted in environment and int(folder.name) != self.process.pid:
                found.append(int(folder.name))
        return found


def start(
    home: Path,
    port: int,
    source: str = "sample:3000",
    declarations: Path | None = None,
    database: Callable[[Path], None] | None = None,
) -> Served:
    """Start the script as `make serve` does, and wait until it prints its address.

    Args:
        home: folder of PREFECT_HOME and of the data.
        port: of the server.
        source: of months.
        declarations: folder of the user's own.
        database: makes Prefect's database, as `make` does before; without it the server does.
    """
    if database:
        database(home / "prefect" / "prefect.db")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")
    } | {
        "PREFECT_HOME": str(home / "prefect"),
        "TRIPS_DATA": str(home / "data"),
        "TRIPS_SCRATCH": str(home / "scratch"),
        "TRIPS_SOURCE": source,
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
        **({"TRIPS_DATASETS": str(declarations)} if declarations else {}),
    }
    command = [sys.executable, str(PROJECT / "dev" / "serve.py"), "--port", str(port)]
    with (home / "out").open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    served = Served(f"http://127.0.0.1:{port}", process, home / "data", home / "prefect")
    deadline = time.monotonic() + _START_SECONDS
    while "Ctrl-C stops all" not in (home / "out").read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"serve did not start:\n{(home / 'out').read_text()}")
        time.sleep(0.2)
    return served


@contextmanager
def serving(
    home: Path,
    declarations: Path | None = None,
    database: Callable[[Path], None] | None = None,
) -> Iterator[Served]:
    """Yield the started programs, and stop all of them as Ctrl-C does."""
    served = start(home, free_port(), declarations=declarations, database=database)
    try:
        yield served
    finally:
        code = served.stop(signal.SIGINT)
    assert code == 0
    assert served.group() == []


def ended(served: Served, run: str) -> dict[str, object]:
    """Return the flow run once it has ended."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        found: dict[str, object] = httpx.get(f"{served.url}/api/flow_runs/{run}", timeout=60).json()
        if found["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            return found
        time.sleep(0.5)
    pytest.fail(f"flow run {run} did not end")
