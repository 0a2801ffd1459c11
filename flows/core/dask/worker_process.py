"""What a Dask worker of a cluster of our own loads as it starts."""

from __future__ import annotations

import multiprocessing
import os
import signal
from types import FrameType


def dask_setup(worker: object) -> None:
    """Ctrl-C, which reaches all that a terminal's command has started, only silences the worker.

    It is stopped by the command, which reports the runs that were on it. By itself its loop would
    end and its thread work on, into hundreds of lines of tracebacks; and if it died, Dask would
    start another one, with the month anew.
    """
    if multiprocessing.parent_process():  # else it lives in the command's own process
        signal.signal(signal.SIGINT, _say_no_more)


def _say_no_more(number: int, frame: FrameType | None) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
