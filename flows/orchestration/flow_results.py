"""Results of flows: this project's errors as plain messages, months with their run time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from traceback import format_exception
from typing import Any, ParamSpec, TypeVar

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from core.errors import Held, TripsError
from core.redaction import redacted
from monthly.plan import Plan, Status
from monthly.result import MonthResult, Outcome, result_of
from orchestration.retries import PASSING, RUN_AGAIN, has_conflict, next_try
from orchestration.stages import run_of_flow
from orchestration.wording import in_ui, words_in_ui

P = ParamSpec("P")
R = TypeVar("R")


def plain_failures(fn: Callable[P, R]) -> Callable[P, R]:
    """Make a flow fail with only the message of an error, if it is one of this project's.

    Prefect would add a prefix to the message and log a traceback. Any other error keeps both,
    as the traceback is needed to find its cause.
    """
    told = run_of_flow(fn)

    @wraps(fn)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return told(*args, **kwargs)
        except TripsError as error:
            if _Plain.off:
                raise
            failed: Any = Failed(name=name_of(error), message=words_in_ui(error), data=error)
            return failed  # type: ignore[no-any-return] # a flow may return a state for its result

    return run


#: Name of the state of a run whose months are held.
HELD = "HELD"


def name_of(error: TripsError) -> str:
    """Return the name of the state that a run ends in."""
    return HELD if isinstance(error, Held) else "Failed"


def error_of(state: State[Any]) -> TripsError:
    """Return why a run failed; an error of another library is wrapped in one of this project's."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, State):
        return error_of(error)
    if isinstance(error, Exception):
        return readable(error)
    return TripsError(state.message or state.name or "failed")


def readable(error: Exception) -> TripsError:
    """Return an error with a message of one line; this project's errors have one already."""
    if isinstance(error, TripsError):
        return error
    return TripsError(" ".join(f"{type(error).__name__}: {error}".split()))


def timed(fn: Callable[P, R]) -> Callable[P, R]:
    """Set the run time of a flow, in seconds, on the month that it returns."""

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


def skipped(plan: Plan, where: str) -> State[MonthResult]:
    """Return the state of a month without work, named Skipped or Pinned, with its reason."""
    is_pinned = plan.status is Status.PINNED
    outcome = Outcome.PINNED if is_pinned else Outcome.UNCHANGED
    line = result_of(plan.month, outcome, plan.reason, plan.entry, where)
    message = f"{plan.month}: {in_ui(plan.reason, plan.remedies)}"
    name = "Pinned" if is_pinned else "Skipped"
    return Completed(name=name, message=message, data=replace(line, remedies=plan.remedies))


class _Plain(logging.Filter):
    """A log filter for all handlers: masks secrets of addresses, words this project's errors."""

    off = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask secrets, replace the traceback of this project's errors, and keep the record."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, TripsError) and not _Plain.off:
            _word(record, error)
        elif record.exc_info:
            record.exc_text = redacted("".join(format_exception(*record.exc_info))).rstrip()
        elif has_conflict(vars(record).get("task_run_id")):
            _lower(record)  # Prefect's record that the task run failed
            record.msg, record.args = "%s", (record.getMessage().replace(RUN_AGAIN, ""),)
        message = record.getMessage()
        if (shown := redacted(message)) != message:
            record.msg, record.args = "%s", (shown,)
        return True


def _word(record: logging.LogRecord, error: TripsError) -> None:
    """Replace the traceback with the error's message and, if the run goes on, what follows."""
    said, after = words_in_ui(error), next_try(error)
    record.msg, record.args = "%s%s", (said.removesuffix(RUN_AGAIN) if after else said, after)
    record.is_transient = bool(after) and isinstance(error, PASSING)
    if after:
        _lower(record)
    record.exc_info = record.exc_text = None


def _lower(record: logging.LogRecord) -> None:
    """Downgrade an error to a warning."""
    if record.levelno > logging.WARNING:
        record.levelno, record.levelname = logging.WARNING, "WARNING"


def keep_tracebacks() -> None:
    """Show all errors as Prefect does, for the rest of the process."""
    _Plain.off = True


def install() -> None:
    """Add the filter to Prefect's run loggers, once however often a flow file is loaded."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        # By name: Prefect may load this file again, which creates a different class.
        if not any(type(each).__name__ == _Plain.__name__ for each in logger.filters):
            logger.addFilter(_Plain())
