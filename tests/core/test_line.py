"""Whoever came first is served first, whoever is killed holds up nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock

from core import line as lines
from core.line import Line


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_threads_are_served_in_the_order_of_arrival(tmp_path: Path) -> None:
    line, served = Line(tmp_path / "a[b]*.duckdb"), list[int]()

    def wait(number: int) -> None:
        with line.first():
            served.append(number)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(5)]
    with line.first():
        for number, thread in enumerate(threads, start=1):
            thread.start()
            wait_until(lambda number=number: len(line._places()) == number + 1)  # type: ignore[misc]
    for thread in threads:
        thread.join(60)
    assert served == [0, 1, 2, 3, 4]
    assert line.is_empty()


def test_the_place_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """Its file stays, but its lock does not."""
    line = Line(tmp_path / "trips.duckdb")
    (tmp_path / ".trips.duckdb.waits.000000007").touch()
    assert not line.is_empty()
    with line.first():
        pass
    assert line.is_empty()


def test_whoever_leaves_does_not_take_the_place_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the release of a place and the end of its file, others may come and go."""
    line, next_one = Line(tmp_path / "trips.duckdb"), ExitStack()

    class ThenOthers(FileLock):
        def release(self, force: bool = False) -> None:
            was_place = self.is_locked and "waits" in str(self.lock_file)
            super().release(force)
            if was_place:
                monkeypatch.setattr(lines, "FileLock", FileLock)
                with line.first():
                    pass
                next_one.enter_context(line.first())

    monkeypatch.setattr(lines, "FileLock", ThenOthers)
    with line.first():
        pass
    with next_one:
        assert not line.is_empty()
    assert line.is_empty()
