"""Waiting that speaks: who waits for what, who has it, and for how long at most."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path

from filelock import BaseFileLock, Timeout

LOG = logging.getLogger("trips")
#: Seconds of silence at first: most waits are shorter, and nobody need know of those.
FIRST_SECONDS = 1.5
#: Seconds from one message to the next.
NEXT_SECONDS = 30.0

#: Says who has what is waited for: empty if that is unknown, None if nobody has.
Holder = Callable[[], str | None]


def _unknown() -> str:
    return ""


@contextmanager
def waiting(
    what: str, at_most: float | None, holder: Holder = _unknown, first: float | None = None
) -> Iterator[None]:
    """Warn while the block lasts: soon after its begin, then again and again.

    It starts a thread, so enter it once a first attempt has failed.

    Args:
        what: what is the matter, as "trips.duckdb is open in another program".
        at_most: seconds until the wait is given up; None if it is not.
        holder: asked anew for each message.
        first: seconds before the first message, if they are others than usual.
    """
    ended = threading.Event()
    pause = FIRST_SECONDS if first is None else first
    # With the context of the waiting run: the message is to stand in that run's log.
    speak = copy_context().run
    threading.Thread(
        target=speak, args=(_speak, ended, what, at_most, holder, pause), daemon=True
    ).start()
    try:
        yield
    finally:
        ended.set()


def _speak(
    ended: threading.Event, what: str, at_most: float | None, holder: Holder, pause: float
) -> None:
    begun = time.monotonic()
    limit = "" if at_most is None else f", {at_most:g} s at most"
    while not ended.wait(pause):
        who = _asked(holder)
        if who is not None and not ended.is_set():
            by = f" ({who})" if who else ""
            LOG.warning("%s%s; waiting for %.0f s%s", what, by, time.monotonic() - begun, limit)
        pause = NEXT_SECONDS


def _asked(holder: Holder) -> str | None:
    try:
        return holder()
    except Exception:  # whatever fails here must not keep the message back
        return ""


class Pace:
    """When to speak in a loop that looks again and again."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin a new wait."""
        self._next = time.monotonic() + FIRST_SECONDS

    def is_due(self) -> bool:
        """Tell whether it is time to speak; the next time is later."""
        now = time.monotonic()
        due = now >= self._next
        if due:
            self._next = now + NEXT_SECONDS
        return due


def acquire(lock: BaseFileLock, what: str, seconds: float) -> None:
    """Take a lock of a file, and speak while another run has it.

    Raises:
        Timeout: it had it all the time.
    """
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with waiting(what, seconds, lambda: locked_by(Path(lock.lock_file))):
            lock.acquire(timeout=seconds)


def locked_by(path: Path) -> str:
    """Who has locked a file, as Linux lists it; empty where that is not known."""
    table = Path("/proc/locks")
    if not table.exists():
        return ""
    status = path.stat()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    for line in table.read_text().splitlines():
        fields = line.split()
        if fields[1] != "->" and fields[5] == f"{device}:{status.st_ino}":
            return f"PID {fields[4]}"
    return ""
