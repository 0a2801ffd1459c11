"""Stop programs."""

from __future__ import annotations

import subprocess

from fakes.preloaded import Started

_STOP_SECONDS = 40


def stop(process: Started) -> None:
    """Ask a program to stop, and wait until it has.

    Raises:
        subprocess.TimeoutExpired: it did not stop, and was killed.
    """
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
