"""Opens a DuckDB file, which allows one writer: names the one that has it, and waits its turn."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from core.disk import DATA_SETTING, free_space, replacing, room_for
from core.duckdb_instance import instance
from core.errors import Busy, StorageError
from core.file_queue import FileQueue
from core.waiting import NEXT_SECONDS, waiting
from monthly.warehouses.table_columns import quoted

#: Seconds to wait while another process has the file open: DuckDB allows a single writer.
WAIT_SECONDS = 300
#: Seconds between two attempts, each of which takes half a millisecond.
_POLL_SECONDS = 0.02
#: Names of DuckDB's own catalogs and schemas, which an attached file must not have.
_RESERVED = ("information_schema", "main", "memory", "pg_catalog", "system", "temp")
#: What to do about a damaged file.
MOVE_AWAY = (
    "its bytes are damaged: move its .wal file away if there is one; then replace the database "
    "with a copy, or move it away, and the next run loads its months from the bucket again"
)
#: Program, process id and user in DuckDB's error message.
_HOLDER = re.compile(r"lock is held in (.*?\(PID \d+\)(?: by user [\w-]+)?)")
#: One thread of this process at a time: DuckDB refuses to mix read-only and read-write
#: connections to one file.
_ONE_AT_A_TIME: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


@contextmanager
def opened(what: str, path: Path, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file for one thread of all processes at a time; create it unless it is only read.

    Threads get it in the order of arrival, so none waits longer than those ahead take.

    Args:
        what: the month or dataset concerned, for errors.
        path: the file.
        read_only: whether it is only read.

    Raises:
        Busy: another process kept it open for WAIT_SECONDS after the turn came.
        StorageError: DuckDB cannot open it.
    """
    said: list[str] = []  # DuckDB's messages, which name the process that has the file
    with ExitStack() as closing:
        with _concerning(what):
            db = _open_at_once(closing, path, read_only, said)
            db = db or _open_in_order(closing, path, read_only, said)
        yield db


@contextmanager
def _concerning(what: str) -> Iterator[None]:
    """Prefix a StorageError with the month or dataset concerned."""
    try:
        yield
    except StorageError as error:
        raise type(error)(f"{what}: {error.message}", *error.remedies) from error


def _open_at_once(
    closing: ExitStack, path: Path, read_only: bool, said: list[str]
) -> duckdb.DuckDBPyConnection | None:
    """Open a file that no other thread has open or waits for; else return None."""
    lock = _ONE_AT_A_TIME[real_file(path)]
    if not FileQueue(real_file(path)).is_empty() or not lock.acquire(blocking=False):
        return None
    with ExitStack() as attempt:
        attempt.callback(lock.release)
        try:
            db = _opened(attempt, path, read_only, said)
        except (duckdb.IOException, Timeout):
            return None
        closing.push(attempt.pop_all())
        return db


def _open_in_order(
    closing: ExitStack, path: Path, read_only: bool, said: list[str]
) -> duckdb.DuckDBPyConnection:
    """Open a file after all threads that asked earlier."""
    lock = _ONE_AT_A_TIME[real_file(path)]
    with _turn(path), ExitStack() as attempt:
        what = f"{path} is open in another thread of this run"
        with waiting(what, None, first=NEXT_SECONDS):  # most waits are short
            attempt.enter_context(lock)
        with waiting(f"{path} is open elsewhere", WAIT_SECONDS, lambda: _holder(said)):
            db = _open_in_time(attempt, path, read_only, said)
        closing.push(attempt.pop_all())
        return db


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Wait for those ahead; a reader that cannot write next to the file does not queue."""
    with ExitStack() as waited:
        if os.access(real_file(path).parent, os.W_OK):
            with waiting(f"others wait for {path} first", None, first=NEXT_SECONDS):
                waited.enter_context(FileQueue(real_file(path)).turn())
        yield


def _opened(
    closing: ExitStack, path: Path, read_only: bool, said: list[str]
) -> duckdb.DuckDBPyConnection:
    try:
        if not read_only and not path.exists():
            _make(path)
        return closing.enter_context(_attached(path, real_file(path), read_only))
    except (duckdb.Error, Timeout) as error:
        said.append(str(error))
        if _is_held(error):
            raise
        raise StorageError(f"{path} cannot be opened ({error}); {_remedy(path, error)}") from error


def _remedy(path: Path, error: Exception) -> str:
    if "Permission denied" in str(error):
        return f"correct its permissions, or name another path ({DATA_SETTING})"
    if "not a valid DuckDB database" in str(error):
        return f"the file stays as it is; name another path ({DATA_SETTING})"
    if is_damage(error):
        return MOVE_AWAY
    if "replaying WAL" in str(error):
        return (
            "that .wal file is damaged or belongs to another database: put that database back, or "
            "move the .wal file away, and the next run loads what is missing from the bucket again"
        )
    if "newer version of DuckDB" in str(error):
        return f"the file stays as it is; update duckdb, or name another path ({DATA_SETTING})"
    if "file handle conflict" in str(error):
        return "this process already has it open: close that connection, then run again"
    room = free_space(real_file(path).parent)
    return f"{room} there; name a path where DuckDB can write ({DATA_SETTING})"


def is_damage(error: Exception) -> bool:
    """Return whether a database is damaged, which only the error's message shows."""
    return "Corrupt database file" in str(error)


def _open_in_time(
    closing: ExitStack, path: Path, read_only: bool, said: list[str]
) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return _opened(closing, path, read_only, said)
        except (duckdb.IOException, Timeout) as error:
            if time.monotonic() > deadline:
                raise Busy(
                    f"{path} has been open elsewhere for {WAIT_SECONDS} s; "
                    f"close it there, then run again ({error})"
                ) from error
            time.sleep(_POLL_SECONDS)


def _holder(said: Sequence[str]) -> str | None:
    """Return the process that has the file, as DuckDB's last message names it."""
    last = said[-1] if said else ""
    found = _HOLDER.search(last)
    return found[1] if found else last.partition("\n")[0] or None


def _make(path: Path) -> None:
    """Create a new database atomically.

    A kill while DuckDB writes its first bytes would leave a file that cannot be opened.
    """
    file = real_file(path)
    new = file.with_name(f".{file.name}.new")
    _refuse_missing_disk(path, file)
    with room_for(path.name, file.parent, DATA_SETTING):
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.name}.lock"), timeout=0):
            if file.exists():
                return
            _refuse_log(file)  # not before: another process may just have created both
            new.unlink(missing_ok=True)  # left by a killed process
            with replacing(file, new), _attached(path, new, read_only=False):
                pass


def _refuse_missing_disk(path: Path, file: Path) -> None:
    """Refuse to create the missing folder of a link's file: its disk may not be mounted."""
    if path.is_symlink() and not file.parent.is_dir():
        raise StorageError(
            f"{path} is a link to {file}, whose folder is missing; mount or create that folder, or "
            f"name another path ({DATA_SETTING})"
        )


def _refuse_log(file: Path) -> None:
    """Refuse to create a file beside a write-ahead log, which DuckDB before 2.0 would apply."""
    log = file.with_name(f"{file.name}.wal")
    if log.exists():
        raise StorageError(
            f"{log} has changes to a database that is gone; put {file.name} back, or move the .wal "
            "file away, then run again"
        )


def real_file(path: Path) -> Path:
    """Return the file that a path leads to: two links to one file share its locks and its log."""
    return Path(os.path.realpath(path))


@contextmanager
def _attached(path: Path, file: Path, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """Attach `file`, to which `path` leads or will lead, and detach it on exit."""
    spill = Path(f"{path}.tmp")
    duck = instance(temp_directory=str(spill))
    literal, name = str(file).replace("'", "''"), quoted(_catalog_of(path))
    options = "TYPE duckdb, READ_ONLY" if read_only else "TYPE duckdb"
    with duck.cursor() as db:
        db.execute(f"ATTACH '{literal}' AS {name} ({options})")
    try:
        with duck.cursor() as db:
            db.execute(f"USE {name}")
            yield db
    finally:
        # If the checkpoint fails, committed data stays in the write-ahead log.
        with duck.cursor() as db, suppress(duckdb.IOException):
            db.execute(f"DETACH {name}")
        if spill.exists():  # the end of the instance removes it
            instance.cache_clear()


def _catalog_of(path: Path) -> str:
    """Return the file's name in SQL: the one that DuckDB would give it, unless it is reserved."""
    name = path.name.partition(".")[0] or path.stem
    return f"{name}_db" if name.lower() in _RESERVED else name


def _is_held(error: Exception) -> bool:
    """Return whether another process has the file, which only the message of the error says."""
    said = ("Could not set lock on file", "used by another process")
    return isinstance(error, Timeout) or any(words in str(error) for words in said)
