"""Items are produced ahead in order, up to a limit, and no thread is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from core.prefetch import prefetched

#: Seconds to wait for another thread, which takes microseconds.
PATIENCE = 10


@pytest.mark.parametrize("most", [1, 3, 100])
def test_all_items_come_in_order(most: int) -> None:
    with prefetched(iter(range(20)), most) as items:
        assert [*items] == [*range(20)]


def test_as_many_items_are_produced_ahead_as_allowed() -> None:
    """While the first item is in use, two more are produced, on another thread."""
    produced: list[int] = []
    two_ahead = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(10):
            assert threading.current_thread() is not threading.main_thread()
            produced.append(number)
            if len(produced) == 3:
                two_ahead.set()
            yield number

    with prefetched(numbers(), 2) as items:
        assert next(items) == 0
        assert two_ahead.wait(PATIENCE)
    assert produced == [0, 1, 2]


def test_error_of_the_producer_reaches_the_consumer() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    before = set(threading.enumerate())
    with pytest.raises(OSError, match="the disk is gone"), prefetched(failing()) as items:
        assert [*items]
    assert set(threading.enumerate()) <= before


def test_error_of_the_consumer_ends_the_thread() -> None:
    def refuse(number: int) -> None:
        raise OSError(f"no room for {number}")

    before = set(threading.enumerate())
    with pytest.raises(OSError, match="no room for 0"), prefetched(iter(range(10))) as items:
        refuse(next(items))
    assert set(threading.enumerate()) <= before
