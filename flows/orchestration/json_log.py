"""The log as JSON, one object a line on stderr, if TRIPS_LOG=json; results stay on stdout.

This module does not import Prefect: Prefect's own logging configuration can name `JsonLines`, and
a usage error should not wait for an import of seconds.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from core.download.secrets import known_values
from core.redaction import redacted, secrets_of
from orchestration.variables import LOG, setting

#: The keys of each line after time, level, logger and message, null if unknown; the first six are
#: attributes that Prefect gives the records of a run.
KEYS = (
    *("flow_name", "flow_run_name", "flow_run_id", "task_name", "task_run_name", "task_run_id"),
    *("dataset", "month", "stage", "status", "seconds", "counts", "error", "traceback"),
)
#: Those with free text, where secrets are masked. In the others, such as the time, a short secret
#: like `2026` would only break what reads the log.
_TEXTS = ("message", "flow_run_name", "task_run_name", "error", "traceback")
#: What the lines logged within a run or a stage share: dataset, month, stage.
_shared: ContextVar[Mapping[str, Any]] = ContextVar("shared", default={})  # noqa: B039 - replaced, never changed


def is_on() -> bool:
    """Return whether the log is JSON."""
    return setting(LOG).value == "json"


@contextmanager
def shared(**fields: Any) -> Iterator[None]:
    """Give the lines logged within the block these fields, except those that are None."""
    given = {name: value for name, value in fields.items() if value is not None}
    token = _shared.set({**_shared.get(), **given})
    try:
        yield
    finally:
        _shared.reset(token)


def current(name: str) -> Any:
    """Return a field that lines share at this moment, or None."""
    return _shared.get().get(name)


def say(message: str, level: int = logging.INFO, **fields: Any) -> None:
    """Print a message outside the log of a run on stderr, as text or as JSON."""
    # With its line break in one write, or another thread's line could come between.
    print(f"{worded(message, level, **fields)}\n", end="", file=sys.stderr, flush=True)


def worded(message: str, level: int = logging.INFO, **fields: Any) -> str:
    """Return a message as it is printed: as text, or as a line of JSON with these fields."""
    if not is_on():
        return message
    record = logging.LogRecord("trips", level, "", 0, "%s", (message.strip(),), None)
    record.__dict__.update(fields)
    return line_of(record)


def line_of(record: logging.LogRecord) -> str:
    """Return a record as a JSON object in one line, without secrets."""
    known = {**dict.fromkeys(KEYS), **_shared.get()}
    known |= {key: value for key in KEYS if (value := getattr(record, key, None)) is not None}
    if record.exc_info and record.exc_info[1]:
        known["error"] = known["error"] or type(record.exc_info[1]).__name__
        known["traceback"] = "".join(traceback.format_exception(*record.exc_info))
    when = dt.datetime.fromtimestamp(record.created, dt.timezone.utc)
    line = {
        "time": when.isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "message": record.getMessage(),
        **known,
    }
    secrets = known_values() | secrets_of(os.environ)
    shown = {k: redacted(str(v), secrets) for k, v in line.items() if k in _TEXTS and v is not None}
    return json.dumps(line | shown, default=str)


class JsonLines(logging.StreamHandler):  # type: ignore[type-arg] # no [TextIO] on Python 3.10
    """A handler that writes records to the current stderr as JSON, one object a line."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        logging.Handler.__init__(self, level)  # a StreamHandler would keep the stderr of now

    @property
    def stream(self) -> TextIO:  # as logging's own _StderrHandler
        """Return the stderr of this moment."""
        return sys.stderr

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, whatever formatter is set."""
        return line_of(record)


def install() -> None:
    """Replace the handlers that write text to the console, once Prefect has set them up."""
    if not is_on():
        return
    logging.captureWarnings(True)
    consoles = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    for logger in map(logging.getLogger, [None, *logging.root.manager.loggerDict]):
        for handler in [*logger.handlers]:
            # By name: Prefect may load this file again, which creates a different class.
            is_json = type(handler).__name__ == JsonLines.__name__
            if not is_json and getattr(handler, "stream", None) in consoles:
                _replace(logger, handler)


def _replace(logger: logging.Logger, handler: logging.Handler) -> None:
    lines = JsonLines(handler.level)
    lines.filters = [*handler.filters]
    lines.name = handler.name  # by which Prefect configures it again
    logger.removeHandler(handler)
    logger.addHandler(lines)
