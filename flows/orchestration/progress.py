"""Progress of downloads: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

#: Seconds between two lines in the log; a month takes less on a fast connection.
LOG_SECONDS = 5.0

Told = Callable[[int, "int | None"], None]
#: A string: Python 3.10 cannot subscript LoggerAdapter at runtime.
Log: TypeAlias = "logging.Logger | logging.LoggerAdapter[logging.Logger]"


@contextmanager
def shown_progress(label: str, logger: Log) -> Iterator[Told]:
    """Yield a callback that shows a download's progress: bytes so far, total bytes or None."""
    if sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        yield _logged(label, logger)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), transient=True)


def _logged(label: str, logger: Log) -> Told:
    last = time.monotonic()

    def tell(done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= LOG_SECONDS:
            last = time.monotonic()
            share = f" ({done / total:.0%})" if total else ""
            logger.info("%s: %.1f MB%s", label, done / 1e6, share)

    return tell
