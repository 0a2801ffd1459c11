"""The log of a command: this project's lines, without Prefect's and without tracebacks."""

from __future__ import annotations

import gc
import logging
import os
import sys
import warnings
from gzip import GzipFile
from pathlib import Path
from typing import TypeGuard

from orchestration.prefect_home import freeze_objects

import prefect
from prefect.logging.configuration import setup_logging
from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console
from rich.theme import Theme

from core.redaction import redacted
from orchestration import json_log
from orchestration.json_log import JsonLines

_PREFECT = str(Path(prefect.__file__).parent) + os.sep
#: Functions of prefect.engine that log why a run failed, which the command reports at its end.
REPORTS = (
    "begin_flow_run",
    "create_and_begin_subflow_run",
    "orchestrate_flow_run",
    "begin_task_run",
    "orchestrate_task_run",
    "report_flow_run_crashes",
    "report_task_run_crashes",
)


def show_own_lines(tracebacks: bool) -> None:
    """Print only this project's lines and others' warnings; the UI shows everything.

    Args:
        tracebacks: whether to print a failure when it occurs, with its traceback.
    """
    setup_logging()
    for handler in _handlers():
        handler.addFilter(_OwnLines(tracebacks))
        if not tracebacks and _is_text(handler):
            handler.setFormatter(_ForTerminal(handler.formatter or logging.Formatter()))


def is_terminal() -> bool:
    """Return whether the log goes to a terminal, even while a display replaces `sys.stderr`.

    A JSON log does not: nothing may be printed between its lines.
    """
    return os.isatty(2) and not json_log.is_on()


def console() -> Console:
    """Return the console of the log, which a live display must share."""
    for handler in filter(_is_text, _handlers()):
        handler.console.push_theme(Theme())  # its own theme lacks the styles of progress bars
        return handler.console
    return Console(stderr=True)


def _is_text(handler: logging.Handler) -> TypeGuard[PrefectConsoleHandler]:
    return isinstance(handler, PrefectConsoleHandler)


def _handlers() -> list[logging.Handler]:
    loggers = (logging.getLogger(name) for name in ("", "prefect"))
    handlers = (handler for logger in loggers for handler in logger.handlers)
    return [
        handler for handler in handlers if isinstance(handler, PrefectConsoleHandler | JsonLines)
    ]


class _OwnLines(logging.Filter):
    """A filter that hides what Prefect's engine logs about each task and flow."""

    def __init__(self, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to print a record, based on the code that logged it."""
        if not record.pathname.startswith(_PREFECT) or getattr(record, "is_transient", False):
            return True
        reported = record.funcName in REPORTS and not self._tracebacks
        return record.levelno >= logging.WARNING and not reported


class _ForTerminal(logging.Formatter):
    """A formatter that works on a copy, so the record sent to the server stays complete."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's `terminal` text, or its message, and any exception in one line."""
        text = getattr(record, "terminal", record.getMessage())
        if record.exc_info:
            text = redacted(f"{text} {record.exc_info[1]}")
        short = record.__dict__ | {"exc_info": None, "exc_text": None, "msg": text, "args": None}
        return self._formatter.format(logging.makeLogRecord(short))


def hide_noise() -> None:
    """Hide harmless messages that Prefect's API prints when it runs in a flow's process."""
    # Printed by the first run, which creates the database.
    warnings.filterwarnings("ignore", "Skipped unsupported reflection")
    # Google's libraries, which Prefect imports, print this on Python 3.10.
    warnings.filterwarnings("ignore", "You are using a non-supported Python version")
    # Printed by the packages of all blocks, which Prefect imports to load the notification block.
    for said in ("Type 'KubernetesClusterConfig'", "Callable print_func", "Mixing V1 models"):
        warnings.filterwarnings("ignore", said)
    # Python 3.13 finalizes the API's gzip streams after they are closed.
    shown = sys.unraisablehook
    sys.unraisablehook = lambda found: None if type(found.object) is GzipFile else shown(found)


def collect_seldom() -> None:
    """Make Python's garbage collector run rarely in a short-lived process.

    Starting its API, Prefect creates about a million objects that live until the process ends.
    Scanning them repeatedly takes a tenth of the command's time.
    """
    freeze_objects()
    gc.set_threshold(50_000)
