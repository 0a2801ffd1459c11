"""The number of threads for a piece of work: its share of the cores this process may use."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import UsageError

#: The variable that limits the threads of a process.
VARIABLE = "TRIPS_THREADS"

_lock = threading.Lock()
_at_work = 0


def most_threads() -> int:
    """Return TRIPS_THREADS, or by default the number of cores.

    Raises:
        UsageError: it is not a whole number above 0.
    """
    asked = os.environ.get(VARIABLE) or str(_cores())
    if not asked.isdecimal() or not int(asked):
        raise UsageError(f"{VARIABLE} {asked!r} is not a number of threads; write 2, for example")
    return int(asked)


@contextmanager
def threads_shared() -> Iterator[int]:
    """Yield the number of threads that this piece of work may start, given other running work.

    Work that started earlier keeps its threads; a month seldom outlasts the next one by much.
    """
    global _at_work
    most = most_threads()
    with _lock:
        _at_work += 1
        share = max(1, most // _at_work)
    try:
        yield share
    finally:
        with _lock:
            _at_work -= 1


def _cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
