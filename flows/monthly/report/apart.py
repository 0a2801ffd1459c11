"""Draws in a separate process, because matplotlib holds the interpreter, which other months need.

The process ends with the one that started it, because it reads its standard input to the end.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from monthly.month import Month
from monthly.report.drawing import Drawing, draw

_FLOWS = Path(__file__).absolute().parents[2]
_SERVE = "from monthly.report.apart import serve; serve()"
#: Seconds that a picture in progress has once the run has ended.
_GRACE = 10.0


class Drawer:
    """A process that draws months, one at a time.

    Attributes:
        pid: the number of the process.
    """

    def __init__(self) -> None:
        paths = [str(_FLOWS), *filter(None, [os.environ.get("PYTHONPATH")])]
        # The folder of the command may have any file in it; Python 3.10 does not know the variable.
        more = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
        # In a session of its own: Ctrl-C in a terminal ends the run, and the run ends this.
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, this file
            [sys.executable, "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | more,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._asks = Connection(_own(self._process.stdin), readable=False)
        self._answers = Connection(_own(self._process.stdout), writable=False)
        self._lock = threading.Lock()

    def draw(self, month: Month, parquet: Path, names: Mapping[int, str]) -> Drawing | None:
        """Draw a month in the process; None if the process has ended, for whatever reason.

        Raises:
            Exception: what drawing raises.
        """
        try:
            with self._lock:
                self._asks.send((month, parquet.absolute(), dict(names)))
                answer = self._answers.recv()
        except (EOFError, OSError):
            return None
        if isinstance(answer, Exception):
            raise answer
        drawn: Drawing = answer
        return drawn

    def close(self) -> None:
        """End the process once the picture in progress is drawn."""
        self._asks.close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._lock:
            self._answers.close()


def _own(pipe: Any) -> int:
    """Return a file descriptor of a pipe that its connection closes, and close the pipe."""
    with pipe:
        return os.dup(pipe.fileno())


def serve() -> None:
    """Draw months as asked on standard input, until it ends."""
    import monthly.report.pictures  # noqa: F401 - matplotlib, before the first month asks for it

    # Pictures leave megabytes in reference cycles. Collecting these once a month, without scanning
    # what is imported, takes less memory than Python's own schedule and no more time.
    gc.disable()
    gc.freeze()
    asks = Connection(os.dup(0), writable=False)
    answers = Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    with suppress(EOFError, BrokenPipeError):  # the run has ended
        while True:
            answers.send(_answer(asks.recv()))
            gc.collect()
    gc.unfreeze()  # or DuckDB reports its own objects as leaked


def _answer(asked: tuple[Month, Path, Mapping[int, str]]) -> Drawing | Exception:
    try:
        return draw(*asked)
    except Exception as error:
        return error
