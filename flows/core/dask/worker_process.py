"""Preload script for the workers of the clusters that this project starts."""

from __future__ import annotations

import multiprocessing
import os
import signal
from types import FrameType


def dask_setup(worker: object) -> None:
    """Make Ctrl-C, which reaches every process of a terminal's command, only silence the worker.

    The command stops the worker and reports the runs that were on it. By default, the worker's
    event loop would end while its thread kept working, with hundreds of lines of tracebacks; and
    if the worker died, Dask would start another one and the month from scratch.
    """
    if multiprocessing.parent_process():  # else it runs in the command's own process
        signal.signal(signal.SIGINT, _silence)


def _silence(number: int, frame: FrameType | None) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
