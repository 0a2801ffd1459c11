"""Ctrl-C handling: it ends a flow's command, whatever Prefect still waits for."""

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
from typing import NoReturn

from orchestration.exit_codes import ExitCode
from orchestration.json_log import is_on, worded

#: Seconds for Prefect to report the runs as crashed, notify, and stop a Dask cluster.
REPORT_SECONDS = 15


def end_quietly() -> None:
    """Make Ctrl-C end a command that still starts at once: a traceback of imports helps nobody."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Make Ctrl-C end the process once Prefect has reported its runs, or after REPORT_SECONDS.

    Prefect 2 reports the runs as crashed, but can then wait forever for threads of child flows
    that wait for its event loop. A second Ctrl-C ends the process at once. Neither loses data:
    months are written atomically, and the next run completes what is missing.
    """
    if signal.getsignal(signal.SIGINT) not in (signal.default_int_handler, signal.SIG_DFL):
        yield  # a background job of a shell, which must ignore Ctrl-C
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
    # It would log a line for each interrupted connection to Prefect's own database.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    _say("\nStopping; another Ctrl-C ends it at once.")
    raise KeyboardInterrupt


def _end() -> None:
    try:
        logging.shutdown()  # flushes what Prefect has logged for its server
        with suppress(OSError):
            sys.stdout.flush()
    finally:
        _kill()


def _kill() -> None:
    """End the process by the signal itself, so that a waiting shell or make knows the cause."""
    if os.isatty(2) and not is_on():
        os.write(2, b"\x1b[?25h")  # the cursor, which a live display hides
    _say("Stopped. The same command again completes what is missing.")
    _end_by_signal()


def end_by_signal() -> NoReturn:
    """End the process as Ctrl-C does by default, without a traceback; for the main thread."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _end_by_signal()


def _end_by_signal() -> NoReturn:
    os.kill(os.getpid(), signal.SIGINT)
    os._exit(ExitCode.INTERRUPTED)  # PID 1 of a container survives the signal


def _say(words: str) -> None:
    """Write to stderr without print, which may be active; Ctrl-C may have ended a pipe's reader."""
    with suppress(OSError):
        os.write(2, f"{worded(words, logging.WARNING)}\n".encode())
