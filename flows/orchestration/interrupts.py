"""Ctrl-C ends a flow's command, whatever Prefect still waits for."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

#: Seconds for Prefect to report the runs as crashed, tell of it, and stop a Dask cluster.
REPORT_SECONDS = 15


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Within, Ctrl-C ends the process: when Prefect has reported its runs, or REPORT_SECONDS later.

    Prefect 2 reports them as crashed and then can wait for ever, for threads of child flows that
    wait for its event loop. A second Ctrl-C ends the process at once. Nothing is lost by either:
    a month is there or not, and the next run completes it.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # a shell's background job, which a Ctrl-C for others does not concern
        return
    pressed = threading.Event()
    signal.signal(signal.SIGINT, partial(_press, pressed))
    try:
        yield
    finally:
        if pressed.is_set():
            _end()
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _press(pressed: threading.Event, number: int, frame: FrameType | None) -> None:
    pressed.set()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    timer = threading.Timer(REPORT_SECONDS, _kill)
    timer.daemon = True
    timer.start()
    # Of connections to Prefect's own database that are cut off, a line each.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    _say("\nStopping; another Ctrl-C ends it at once.\n")
    raise KeyboardInterrupt


def _end() -> None:
    try:
        logging.shutdown()  # what Prefect has logged for its server
        with suppress(OSError):
            sys.stdout.flush()
    finally:
        _kill()


def _kill() -> None:
    """By the signal itself, so that a shell or make that waits for the process knows why."""
    _say("Stopped. The same command again completes what is missing.\n")
    os.kill(os.getpid(), signal.SIGINT)
    os._exit(128 + signal.SIGINT)  # the first process of a container does not die of it


def _say(words: str) -> None:
    """Not by print, which may be at work; and Ctrl-C has ended what it was piped into as well."""
    with suppress(OSError):
        os.write(2, words.encode())
