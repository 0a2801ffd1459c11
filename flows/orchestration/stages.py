"""Logs the end of stages and runs as JSON: status, seconds and counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import get_run_logger
from prefect.client.schemas.objects import State

from monthly.month import Month
from orchestration import json_log
from orchestration.retries import next_try

P = ParamSpec("P")
R = TypeVar("R")

#: Counts of a line, by the attribute of a result that has them.
_COUNTS: Mapping[str, str] = {
    "rows_read": "rows_read",
    "rows_written": "rows_written",
    "rows_rejected": "rows_rejected",
    "rows": "rows",
    "row_groups": "row_groups",
    "size": "bytes",
    "loaded_size": "bytes",
}
#: Stage of the line about a whole run.
RUN = "run"


def stage(fn: Callable[P, R]) -> Callable[P, R]:
    """Log the end of a task as a stage, named like its function; see `ended`."""

    @wraps(fn)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not json_log.is_on():
            return fn(*args, **kwargs)
        given = signature(fn).bind(*args, **kwargs).arguments
        with json_log.shared(stage=fn.__name__, **_month_of(given)):
            return ended(fn, *args, **kwargs)

    return run


def run_of_flow(fn: Callable[P, R]) -> Callable[P, R]:
    """Log the end of a flow run; its lines have the dataset and month of its parameters."""

    @wraps(fn)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not json_log.is_on():
            return fn(*args, **kwargs)
        given = signature(fn).bind(*args, **kwargs).arguments
        with json_log.shared(**_month_of(given)):
            return ended(fn, *args, **kwargs)

    return run


def ended(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function and log its status, seconds and counts, on the console only."""
    started, error, failed = time.perf_counter(), "", logging.ERROR
    result: Any = None
    try:
        result = fn(*args, **kwargs)
        return result  # type: ignore[no-any-return] # as the function returned it
    except BaseException as raised:
        error, failed = type(raised).__name__, logging.WARNING if next_try(raised) else failed
        raise
    finally:
        status = _status(result, error)
        fields = {
            "stage": json_log.current("stage") or RUN,
            "status": status,
            "seconds": round(time.perf_counter() - started, 3),
            "counts": counts_of(result),
            "error": error or _error_of(result),
            "send_to_api": False,
        }
        level = failed if fields["error"] else logging.INFO
        get_run_logger().log(level, "%s: %s", fields["stage"], status, extra=fields)


def counts_of(result: object) -> dict[str, int]:
    """Return the counts of a result: a file's size; a list's length and sums."""
    if isinstance(result, State):
        return counts_of(result.data)
    if isinstance(result, Path):
        return {"bytes": result.stat().st_size} if result.is_file() else {}
    if not isinstance(result, list | tuple):
        return _counts(result)
    # A tuple is not a list of results, but one result and what comes with it.
    found = {"items": len(result)} if isinstance(result, list) else {}
    for each in result:
        for name, count in _counts(each).items():
            found[name] = found.get(name, 0) + count
    return found


def _counts(result: object) -> dict[str, int]:
    given = ((name, getattr(result, attribute, None)) for attribute, name in _COUNTS.items())
    return {name: count for name, count in given if isinstance(count, int)}


def _status(result: object, error: str) -> str:
    if error:
        return "Failed"
    return (result.name if isinstance(result, State) else None) or "Completed"


def _error_of(result: object) -> str | None:
    """Return the class of the error of a run that returned it as its state."""
    error = result.data if isinstance(result, State) else None
    return type(error).__name__ if isinstance(error, BaseException) else None


def _month_of(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the dataset and month among a function's arguments, if any."""
    for value in given.values():
        for found in (value, getattr(value, "month", None), getattr(value, "what", None)):
            if isinstance(found, Month):
                return {"dataset": found.dataset, "month": found.year_month}
    return _named(given)


def _named(given: Mapping[str, Any]) -> dict[str, str]:
    datasets = [given.get("color"), given.get("dataset")]
    datasets += [getattr(value, "dataset", None) for value in given.values()]
    fields = next(({"dataset": name} for name in datasets if isinstance(name, str)), {})
    year, month = given.get("year"), given.get("month")
    if fields and isinstance(year, int) and isinstance(month, int):
        fields["month"] = f"{year:04}-{month:02}"
    return fields
