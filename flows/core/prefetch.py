"""Produce items on a separate thread, ahead of their consumer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def prefetched(items: Iterator[T], most: int = 1) -> Iterator[Iterator[T]]:
    """Yield an iterator over the items that stays up to `most` items ahead of its consumer.

    The thread ends with the context, even after an error.

    Args:
        items: what to iterate over; no item is None.
        most: number of items to produce while the previous one is in use.
    """
    with ThreadPoolExecutor(1, "prefetch") as thread:

        def taken() -> Iterator[T]:
            coming = deque(thread.submit(next, items, None) for _ in range(most))
            while (item := coming.popleft().result()) is not None:
                coming.append(thread.submit(next, items, None))
                yield item

        try:
            yield taken()
        finally:
            thread.shutdown(cancel_futures=True)
