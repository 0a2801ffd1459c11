"""CPU times of the threads of this process, which bound its time on any number of cores."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Seconds between samples. Up to about this much of the time of a thread that ends is not counted.
_STEP_SECONDS = 0.01
_TASKS = Path("/proc/self/task")


@contextmanager
def busiest_thread() -> Iterator[Callable[[], float]]:
    """Yield a function that stops the count and returns the CPU seconds of the busiest thread."""
    before, after, done = _seconds(), _seconds(), threading.Event()

    def sample() -> None:
        while not done.wait(_STEP_SECONDS):
            after.update(_seconds())

    sampler = threading.Thread(target=sample)

    def busiest() -> float:
        done.set()
        sampler.join()
        after.update(_seconds())
        return max(end - before.get(thread, 0) for thread, end in after.items())

    sampler.start()
    try:
        yield busiest
    finally:
        done.set()
        sampler.join()


def _seconds() -> dict[str, float]:
    """Return the CPU seconds of each thread that is running."""
    found = {}
    for thread in _TASKS.iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            nanoseconds = (thread / "schedstat").read_text().split()[0]
            found[thread.name] = int(nanoseconds) / 1e9
    return found
