"""What a Dask worker of a cluster of our own loads as it starts."""

from __future__ import annotations

import multiprocessing
import signal


def dask_setup(worker: object) -> None:
    """Ctrl-C, which reaches all that a terminal's command has started, ends the worker at once.

    Else its loop ends and its thread works on, into hundreds of lines of tracebacks. The command
    reports the runs that were on it.
    """
    if multiprocessing.parent_process():  # else it lives in the command's own process
        signal.signal(signal.SIGINT, signal.SIG_DFL)
