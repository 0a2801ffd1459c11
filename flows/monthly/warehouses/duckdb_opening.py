"""Open a DuckDB file, which lets in one writer: say who holds it, and how long to wait at most."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from core.disk import DATA_SETTING, free_space, replacing, room_for
from core.errors import Busy, StorageError
from core.waiting import NEXT_SECONDS, waiting

#: Seconds to wait while another process has the file open: DuckDB allows a single writer.
WAIT_SECONDS = 300
_POLL_SECONDS = 0.1
#: Program, process id and user in DuckDB's error message.
_HOLDER = re.compile(r"lock is held in (.*?\(PID \d+\)(?: by user [\w-]+)?)")
#: One thread of this process at a time: DuckDB refuses to mix read-only and read-write
#: connections to one file.
_ONE_AT_A_TIME: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


@contextmanager
def opened(path: Path, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file for one thread of this process at a time; create it if it is to be written.

    Raises:
        Busy: another process kept it open for WAIT_SECONDS.
        StorageError: DuckDB cannot open it.
    """
    with _turn(path), _open(path, read_only) as db:
        yield db


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Hold the file exclusively among the threads of this process."""
    turn = _ONE_AT_A_TIME[path]
    if not turn.acquire(blocking=False):
        what = f"{path} is open in another thread of this run"
        with waiting(what, None, first=NEXT_SECONDS):  # most waits are short
            turn.acquire()
    try:
        yield
    finally:
        turn.release()


def _open(path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
    said: list[str] = []  # DuckDB's messages, which name the process that has the file
    try:
        return _opened(path, read_only, said)
    except (duckdb.IOException, Timeout):
        with waiting(f"{path} is open elsewhere", WAIT_SECONDS, lambda: _holder(said[-1])):
            return _open_in_time(path, read_only, said)


def _opened(path: Path, read_only: bool, said: list[str]) -> duckdb.DuckDBPyConnection:
    try:
        if not read_only and not path.exists():
            _make(path)
        return duckdb.connect(str(path), read_only=read_only)
    except (duckdb.IOException, Timeout) as error:
        said.append(str(error))
        if _is_held(error):
            raise
        raise StorageError(f"{path} cannot be opened ({error}); {_remedy(path, error)}") from error


def _remedy(path: Path, error: Exception) -> str:
    if "Permission denied" in str(error):
        return f"correct its permissions, or name another path ({DATA_SETTING})"
    return (
        f"{free_space(path.parent)} there; name a path where DuckDB can write ({DATA_SETTING}), "
        "or remove what is not a database"
    )


def _open_in_time(path: Path, read_only: bool, said: list[str]) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return _opened(path, read_only, said)
        except (duckdb.IOException, Timeout) as error:
            if time.monotonic() > deadline:
                raise Busy(
                    f"{path} has been open elsewhere for {WAIT_SECONDS} s; "
                    f"close it there, then run again ({error})"
                ) from error
            time.sleep(_POLL_SECONDS)


def _holder(said: str) -> str:
    """Return the process that has the file, as DuckDB's message names it."""
    found = _HOLDER.search(said)
    return found[1] if found else said.partition("\n")[0]


def _make(path: Path) -> None:
    """Create a new database atomically.

    A kill while DuckDB writes its first bytes would leave a file that cannot be opened.
    """
    new = path.with_name(f".{path.name}.new")
    with room_for(path.name, path.parent, DATA_SETTING):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=0):
            if path.exists():
                return
            new.unlink(missing_ok=True)  # left by a killed process
            with replacing(path, new):
                duckdb.connect(str(new)).close()


def _is_held(error: Exception) -> bool:
    """Return whether another process has the file, which only the message of the error says."""
    said = ("Could not set lock on file", "used by another process")
    return isinstance(error, Timeout) or any(words in str(error) for words in said)
