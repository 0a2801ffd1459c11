"""Waits that log what they wait for, who holds it, and the time limit."""

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
#: Seconds before the first message: most waits are shorter and need none.
FIRST_SECONDS = 1.5
#: Seconds between messages.
NEXT_SECONDS = 30.0
#: Seconds between two attempts to take a lock.
_POLL_SECONDS = 0.01

#: Returns who holds the resource: empty if unknown, None if nobody does.
Holder = Callable[[], str | None]


def _unknown() -> str:
    return ""


@contextmanager
def waiting(
    what: str, at_most: float | None, holder: Holder = _unknown, first: float | None = None
) -> Iterator[None]:
    """Log a warning soon after the block begins, and repeat it until the block ends.

    This starts a thread, so enter it only after a first attempt has failed.

    Args:
        what: the reason, such as "trips.duckdb is open in another program".
        at_most: seconds until the caller gives up; None if it never does.
        holder: called for each message.
        first: seconds before the first message; None for FIRST_SECONDS.
    """
    ended = threading.Event()
    pause = FIRST_SECONDS if first is None else first
    # Run in the context of the waiting run, so that the message goes to that run's log.
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
    except Exception:  # a failure here must not suppress the message
        return ""


class Pace:
    """The timing of messages in a polling loop."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start a new wait."""
        self._next = time.monotonic() + FIRST_SECONDS

    def is_due(self) -> bool:
        """Return whether a message is due; if so, schedule the next one."""
        now = time.monotonic()
        due = now >= self._next
        if due:
            self._next = now + NEXT_SECONDS
        return due


def acquire(lock: BaseFileLock, what: str, seconds: float) -> None:
    """Acquire a file lock, logging warnings while another run holds it.

    Raises:
        Timeout: the other run held it for the whole time.
    """
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with waiting(what, seconds, lambda: locked_by(Path(lock.lock_file))):
            lock.acquire(timeout=seconds, poll_interval=_POLL_SECONDS)


def locked_by(path: Path) -> str:
    """Return `PID N` of the process that locked a file, from /proc/locks; empty if unknown."""
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
