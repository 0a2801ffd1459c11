"""Scripts without a server, next to a process that writes to the same database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

pytestmark = pytest.mark.flow

PROJECT = Path(__file__).absolute().parents[2]
_INSERT = "INSERT INTO configuration (id, key, value) VALUES (?, ?, '{}')"


@contextmanager
def another_writer(database: Path) -> Iterator[None]:
    """Insert rows in one transaction after another, as the server of `make serve` does."""
    stop = Event()

    def write() -> None:
        with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as there:
            number = 0
            while not stop.wait(0.01):
                there.execute(_INSERT, (f"{number:032x}", str(number)))
                number += 1

    writer = Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def done(home: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script without a server, on the database of this Prefect home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return subprocess.run(
        [sys.executable, str(PROJECT / script)],
        env=kept | {"PREFECT_HOME": str(home), "TRIPS_ENV_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.slow
def test_blocks_and_deployments_are_saved_while_a_server_writes(
    tmp_path: Path, prefect_database: Callable[[Path], None]
) -> None:
    """Prefect's own transactions would fail with "database is locked" and print tracebacks."""
    prefect_database(tmp_path / "prefect.db")
    with another_writer(tmp_path / "prefect.db"):
        blocks = done(tmp_path, "blocks/make_process_blocks.py")
        assert (blocks.returncode, blocks.stderr) == (0, "")
        deployed = done(tmp_path, "deployments/local_deploy.py")
    assert deployed.returncode == 0, deployed.stderr
    (line,) = deployed.stderr.splitlines()
    assert line.startswith("PREFECT_API_URL is not set")
