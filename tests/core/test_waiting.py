"""A run that waits says for what, who holds it and how long at most; others are silent."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from types import SimpleNamespace
from typing import Any

import pytest

from core import scratch, waiting
from core.scratch import scratch_folder
from core.storage import bucket as buckets
from core.storage.bucket import FolderBucket
from fakes.postgres import Database
from monthly.month import Month
from monthly.warehouses.duckdb import DuckDBFile

MONTH = Month("yellow", 2021, 1)
_HOLD_FILE = (
    "import sys, filelock\n"
    "with filelock.FileLock(sys.argv[1]):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)
_HOLD_DUCKDB = _HOLD_FILE.replace("filelock.FileLock(", "duckdb.connect(").replace(
    "sys, filelock", "sys, duckdb"
)


@pytest.fixture
def said() -> Iterator[Queue[str]]:
    """Yield the messages of the logger `trips`."""
    found: Queue[str] = Queue()
    handler = logging.Handler()
    handler.emit = lambda record: found.put(record.getMessage())  # type: ignore[method-assign] # a stub
    logger = logging.getLogger("trips")
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(waiting, "NEXT_SECONDS", 0.05)


class Holder:
    """Another process that holds something until it is asked to release it."""

    def __init__(self, code: str, path: Path) -> None:
        command = [sys.executable, "-c", code, str(path)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == "held\n"

    def let_go(self) -> None:
        """Make it release what it holds, and end."""
        self.process.communicate()


def words_while_held(
    holder: Holder, said: Queue[str], use: threading.Thread, count: int
) -> list[str]:
    """Return the first messages of a waiting thread, then let go and wait for its end."""
    use.start()
    words = [said.get(timeout=20) for _ in range(count)]
    holder.let_go()
    use.join(60)
    assert not use.is_alive()
    return words


def test_a_duckdb_file_in_use_is_reported_within_two_seconds(
    said: Queue[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = DuckDBFile(tmp_path / "trips.duckdb", "256MB")
    warehouse.query("SELECT 1")
    holder = Holder(_HOLD_DUCKDB, warehouse.path)
    assert waiting.FIRST_SECONDS < 2
    monkeypatch.setattr(waiting, "FIRST_SECONDS", 0.05)
    use = threading.Thread(target=warehouse.query, args=("SELECT 1",))
    use.start()
    word = said.get(timeout=20)
    holder.let_go()
    use.join(60)
    assert word.startswith(f"{warehouse.path} is open elsewhere (")
    assert f"(PID {holder.process.pid})" in word
    assert word.endswith("s, 300 s at most")


@pytest.mark.usefixtures("soon")
def test_it_is_said_again_and_again_until_the_wait_ends(said: Queue[str], tmp_path: Path) -> None:
    warehouse = DuckDBFile(tmp_path / "trips.duckdb", "256MB")
    warehouse.query("SELECT 1")
    before = set(threading.enumerate())
    use = threading.Thread(target=warehouse.query, args=("SELECT 1",))
    assert len(words_while_held(Holder(_HOLD_DUCKDB, warehouse.path), said, use, 3)) == 3
    for speaking in set(threading.enumerate()) - before:
        speaking.join(20)
    while not said.empty():
        said.get()
    with pytest.raises(Empty):
        said.get(timeout=0.3)


@pytest.mark.usefixtures("soon")
def test_a_month_that_another_run_works_on_is_reported_with_its_process(said: Queue[str]) -> None:
    def use() -> None:
        with scratch_folder(MONTH, "a"):
            pass

    use()
    (lock,) = scratch.scratch_root().glob("*.lock")
    holder = Holder(_HOLD_FILE, lock)
    (word,) = words_while_held(holder, said, threading.Thread(target=use), 1)
    assert word.startswith("yellow 2021-01: ")
    assert f"PID {holder.process.pid}" in word
    assert f"{scratch.WAIT_SECONDS:g} s at most" in word


@pytest.mark.usefixtures("soon")
def test_a_folder_that_another_run_writes_to_is_reported(said: Queue[str], tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path / "bucket")
    bucket.write("a", b"1", None)
    holder = Holder(_HOLD_FILE, tmp_path / "bucket" / ".lock")
    use = threading.Thread(target=bucket.write, args=("b", b"1", None))
    (word,) = words_while_held(holder, said, use, 1)
    assert str(tmp_path / "bucket") in word
    assert f"{buckets.LOCK_SECONDS:g} s at most" in word


@pytest.mark.usefixtures("soon")
def test_a_load_that_waits_for_another_session_names_it(
    said: Queue[str], database: Database
) -> None:
    warehouse = database.warehouse()
    with warehouse._transaction("x") as first:
        assert warehouse._take(first, "yellow_tripdata_2021-01", 5)
        pid = first.connection.info.backend_pid

        def second() -> None:
            with warehouse._transaction("y") as sql:
                assert not warehouse._take(sql, "yellow_tripdata_2021-01", 20)

        use = threading.Thread(target=second)
        use.start()
        word = said.get(timeout=20)
    use.join(60)
    assert word.startswith("yellow_tripdata_2021-01: another run is working on it in ")
    assert f"session {pid} of " in word
    assert "20 s at most" in word


def test_a_run_that_need_not_wait_says_nothing(said: Queue[str], tmp_path: Path) -> None:
    warehouse = DuckDBFile(tmp_path / "trips.duckdb", "256MB")
    warehouse.query("SELECT 1")
    with scratch_folder(MONTH, "a"):
        pass
    assert said.empty()


@pytest.mark.parametrize("holder", ["PID 7", None])
def test_messages_are_rare_and_need_a_holder(said: Queue[str], holder: str | None) -> None:
    """The first one comes soon, others rarely, and none if nobody holds what the run waits for."""
    pauses: list[float] = []

    def ended(pause: float) -> bool:
        pauses.append(pause)
        return len(pauses) == 3

    event: Any = SimpleNamespace(wait=ended, is_set=lambda: False)
    waiting._speak(event, "it is busy", 60, lambda: holder, 1.5)
    assert pauses == [1.5, waiting.NEXT_SECONDS, waiting.NEXT_SECONDS]
    assert said.qsize() == (2 if holder else 0)


def test_a_loop_reports_soon_and_then_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 1.6, 2.0, 31.0, 31.7, 32.0, 33.0, 33.6])
    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    pace = waiting.Pace()
    assert [pace.is_due() for _ in range(5)] == [False, True, False, False, True]
    pace.restart()
    assert [pace.is_due() for _ in range(2)] == [False, True]
