"""Measure parent runs over many small months against the server of `make serve`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import backfill_figures
from figure import Figure
from postgres_server import free_port
from serve import SERVER, START_SECONDS
from serve_lock import HOST


@dataclass(frozen=True)
class _Running:
    """A Prefect server and the address of its API."""

    process: subprocess.Popen[bytes]
    url: str

    def cpu(self) -> float:
        """Return the CPU seconds used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def figures(folder: Path) -> Iterator[Figure]:
    """Yield the seconds of a month, and the CPU seconds that run and server spend on it.

    A month is the difference between runs over 108 and 12 months, each measured once.

    Args:
        folder: where the runs keep their files.
    """
    home = folder / "served"
    home.mkdir()
    with _server(home) as server:
        year, nine = (_measured(months, home, server) for months in (12, 108))
    month = {what: (nine[what] - year[what]) / 96 for what in nine}
    seconds = month["seconds"]
    yield Figure("backfill with a server, a month", seconds, "s", "<= 0.7", seconds <= 0.7)
    yield Figure("backfill with a server: CPU of the run", month["cpu"], "s", "", ok=True)
    yield Figure("backfill with a server: CPU of the server", month["server"], "s", "", ok=True)


def _measured(months: int, home: Path, server: _Running) -> dict[str, float]:
    before = server.cpu()
    found = backfill_figures.timed(
        backfill_figures.parent(months), home, PREFECT_API_URL=server.url
    )
    return found | {"server": server.cpu() - before}


@contextmanager
def _server(home: Path) -> Iterator[_Running]:
    """Run a server with a new database."""
    port = free_port()
    url = f"http://{HOST}:{port}/api"
    environment = os.environ | {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PYTHONWARNINGS": "ignore",
    }
    command = [*SERVER, "--host", HOST, "--port", str(port)]
    with (
        (home / "server.log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_until_it_answers(f"{url}/health")
            yield _Running(process, url)
        finally:
            process.terminate()


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - a URL of this file
                return
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"the server does not answer: {error}")
        time.sleep(0.1)
