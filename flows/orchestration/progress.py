"""Progress of downloads and months: live lines on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any, TypeAlias

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from orchestration.terminal import console, is_terminal

#: Seconds between two lines in the log; a month takes less on a fast connection.
LOG_SECONDS = 5.0

Told = Callable[[int, "int | None"], None]
#: A string: Python 3.10 cannot subscript LoggerAdapter at runtime.
Log: TypeAlias = "logging.Logger | logging.LoggerAdapter[logging.Logger]"


@contextmanager
def shown_progress(label: str, logger: Log) -> Iterator[Told]:
    """Yield a callback that shows a download's progress: bytes so far, total bytes or None."""
    if is_terminal():
        bars = _screen().downloads
        with _screen().line(bars, label, None) as task:
            yield lambda done, total: bars.update(task, completed=done, total=total)
    else:
        yield _logged(label, logger)


def _logged(label: str, logger: Log) -> Told:
    last = time.monotonic()

    def tell(done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= LOG_SECONDS:
            last = time.monotonic()
            share = f" ({done / total:.0%})" if total else ""
            logger.info("%s: %.1f MB%s", label, done / 1e6, share)

    return tell


class MonthCount:
    """The number of months that have ended.

    Attributes:
        total: months to run.
        done: months that have ended, failed or not.
        failed: months that failed.
    """

    def __init__(self, total: int, show: Callable[[MonthCount], None]) -> None:
        self.total, self.done, self.failed = total, 0, 0
        self._show = show

    def add(self, is_failed: bool) -> None:
        """Count a month that has ended."""
        self.done += 1
        self.failed += is_failed
        self._show(self)

    def __str__(self) -> str:
        """Return the counts: `3 of 6 months, 1 failed`."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} of {self.total} months{failed}"


@contextmanager
def counted_months(total: int) -> Iterator[MonthCount]:
    """Yield the count of months that have ended, shown live on a terminal if there are several."""
    if total < 2 or not is_terminal():
        yield MonthCount(total, lambda count: None)
        return
    bar = _screen().months
    with _screen().line(bar, "months", total, failed=0) as task:
        yield MonthCount(
            total, lambda count: bar.update(task, completed=count.done, failed=count.failed)
        )


class Screen:
    """The live lines below the log: one display for all months and downloads of a process.

    Attributes:
        months: the line of a run over many months.
        downloads: a line for each download.
    """

    def __init__(self, shared: Console) -> None:
        self.months = Progress(
            TextColumn("{task.description}"), BarColumn(20), _Counts(), _Pace(), console=shared
        )
        self.downloads = Progress(
            TextColumn("{task.description}"),
            BarColumn(20),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=shared,
        )
        both = Group(self.months, self.downloads)
        self._live = Live(both, console=shared, transient=True)
        self._lock, self._lines = threading.Lock(), 0

    @contextmanager
    def line(
        self, progress: Progress, label: str, total: int | None, **fields: Any
    ) -> Iterator[TaskID]:
        """Show a line; the display starts with the first one and ends with the last."""
        task = progress.add_task(label, total=total, **fields)
        self._count(1)
        try:
            yield task
        finally:
            progress.remove_task(task)
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._lines += change
            if self._lines == 0:
                self._live.stop()
            elif not self._live.is_started:
                self._live.start()


@cache
def _screen() -> Screen:
    return Screen(console())


class _Counts(ProgressColumn):
    """Months done, failed and left."""

    def render(self, task: Task) -> Text:
        total = int(task.total or 0)
        done, failed = int(task.completed), task.fields["failed"]
        return Text(f"{done} of {total} done, {failed} failed, {total - done} left")


class _Pace(ProgressColumn):
    """Months a minute since the start, and the time that the others take at this rate."""

    def render(self, task: Task) -> Text:
        if not task.completed or not task.elapsed:
            return Text("")
        left = ((task.total or 0) - task.completed) * task.elapsed / task.completed
        a_minute = 60 * task.completed / task.elapsed
        return Text(f"{a_minute:.1f} a minute, {timedelta(seconds=round(left))} remaining")
