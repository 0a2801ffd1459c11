"""Ctrl-C ends a flow's command, whatever Prefect still waits for."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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

    def press(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.write(2, b"\nStopping; another Ctrl-C ends it at once.\n")  # print may be at work
        # Of connections to Prefect's own database that are cut off, a line each.
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
        _end_later()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        if pressed.is_set():
            logging.shutdown()  # what Prefect has logged for its server
            _end()
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_later() -> None:
    timer = threading.Timer(REPORT_SECONDS, _end)
    timer.daemon = True
    timer.start()


def _end() -> None:
    """By the signal itself, so that a shell or make that waits for the process knows why."""
    print("Stopped. The same command again completes what is missing.", file=sys.stderr)
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGINT)
