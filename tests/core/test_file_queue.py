"""Threads are served in the order of arrival; a killed process blocks no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock

from core import file_queue
from core.file_queue import FileQueue


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_threads_are_served_in_the_order_of_arrival(tmp_path: Path) -> None:
    queue, served = FileQueue(tmp_path / "a[b]*.duckdb"), list[int]()

    def wait(number: int) -> None:
        with queue.turn():
            served.append(number)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(5)]
    with queue.turn():
        for number, thread in enumerate(threads, start=1):
            thread.start()
            wait_until(lambda number=number: len(queue._tickets()) == number + 1)  # type: ignore[misc]
    for thread in threads:
        thread.join(60)
    assert served == [0, 1, 2, 3, 4]
    assert queue.is_empty()


def test_the_ticket_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """Its file stays, but its lock does not."""
    queue = FileQueue(tmp_path / "trips.duckdb")
    (tmp_path / ".trips.duckdb.waits.000000007").touch()
    assert not queue.is_empty()
    with queue.turn():
        pass
    assert queue.is_empty()


def test_leaving_the_queue_keeps_the_ticket_of_the_next_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other threads may come and go between a ticket's release and the removal of its file."""
    queue, next_one = FileQueue(tmp_path / "trips.duckdb"), ExitStack()

    class ThenOthers(FileLock):
        def release(self, force: bool = False) -> None:
            was_ticket = self.is_locked and "waits" in str(self.lock_file)
            super().release(force)
            if was_ticket:
                monkeypatch.setattr(file_queue, "FileLock", FileLock)
                with queue.turn():
                    pass
                next_one.enter_context(queue.turn())

    monkeypatch.setattr(file_queue, "FileLock", ThenOthers)
    with queue.turn():
        pass
    with next_one:
        assert not queue.is_empty()
    assert queue.is_empty()
