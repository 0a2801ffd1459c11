"""The lock on a Prefect home, so that one `make serve` at a time uses it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

HOST = "127.0.0.1"


class CannotServe(Exception):
    """A reason why serving is impossible, as a message for the user."""


@contextmanager
def alone(folder: Path, port: int) -> Iterator[int]:
    """Hold the lock on this Prefect home: two schedulers on one database start runs twice.

    Yields the lock's descriptor, for the programs: they hold it even if this process is killed.

    Raises:
        CannotServe: see `locked`.
    """
    lock, note = locked(folder), folder / "running"
    try:
        note.write_text(f"http://{HOST}:{port}, PID {os.getpid()}")
        yield lock
    finally:
        note.unlink(missing_ok=True)
        os.close(lock)


def locked(folder: Path) -> int:
    """Lock the Prefect home of a folder, and return the descriptor that holds the lock.

    Raises:
        CannotServe: other processes hold it, whose address and PIDs the message has; or this user
            may not write the home.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise CannotServe(
            f"{folder} cannot be written ({error.strerror}); correct its permissions, or name "
            "another home: export PREFECT_HOME=FOLDER"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise CannotServe(_who_runs(folder)) from error
    return lock


def _who_runs(folder: Path) -> str:
    """Return what runs here already, and how to end it."""
    where, first, holders = "", "", _holders(folder / "lock")
    with suppress(FileNotFoundError):  # the first one is starting or stopping
        where = f": {(folder / 'running').read_text().strip()}"
        first = where.rpartition(" ")[2]
    if first and holders and first not in holders:
        return (
            f"make serve was killed here{where}; end what it left running first: "
            f"kill {' '.join(holders)}"
        )
    return (
        f"make serve is already running here{where}; use that one, or stop it first (Ctrl-C "
        "where it was started)"
    )


def _holders(lock: Path) -> list[str]:
    """Return the PIDs of this user's processes that have a file open."""
    found, path = [], str(lock.resolve())
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(file.path == path for file in process.open_files()):
                found.append(str(process.pid))
    return found
