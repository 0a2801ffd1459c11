"""What a flow ends with: errors of this project in plain words, a month with its seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect.client.schemas.objects import State
from prefect.states import Failed

from core.errors import TripsError
from monthly.result import MonthResult

P = ParamSpec("P")
R = TypeVar("R")


def plain_failures(fn: Callable[P, R]) -> Callable[P, R]:
    """Have a flow end Failed with the message of an error of this project, and that alone.

    Prefect would put words before it, and a traceback into the log. Any other error keeps both:
    where it arose is all there is to find it by.
    """

    @wraps(fn)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return fn(*args, **kwargs)
        except TripsError as error:
            if _Plain.off:
                raise
            failed: Any = Failed(message=str(error), data=error)
            return failed  # type: ignore[no-any-return] # a flow may return a state for its result

    return run


def timed(fn: Callable[P, R]) -> Callable[P, R]:
    """Write the seconds of a flow into the line of the month that it returns."""

    @wraps(fn)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        started = time.perf_counter()
        result: Any = fn(*args, **kwargs)
        seconds = time.perf_counter() - started
        if isinstance(result, State) and isinstance(result.data, MonthResult):
            result.data = replace(result.data, seconds=seconds)
        elif isinstance(result, MonthResult):
            result = replace(result, seconds=seconds)
        return result  # type: ignore[no-any-return] # as it was, but for the seconds

    return run


class _Plain(logging.Filter):
    """Puts the message of an error of this project in place of its traceback."""

    off = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, whoever handles it."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, TripsError) and not _Plain.off:
            record.msg, record.args = "%s", (str(error),)
            record.exc_info = record.exc_text = None
        return True


def keep_tracebacks() -> None:
    """Leave all errors as Prefect shows them, for the rest of the process."""
    _Plain.off = True


def install() -> None:
    """Change what the runs of this process log, once however often a flow file is loaded."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        # By name: Prefect may load this file a second time, and the class is another one then.
        if not any(type(each).__name__ == _Plain.__name__ for each in logger.filters):
            logger.addFilter(_Plain())
