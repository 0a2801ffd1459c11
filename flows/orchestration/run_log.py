"""The log of a run: lines of the logger `trips`, and those that Prefect's server does not get."""

from __future__ import annotations

import logging
from typing import Any

from prefect import get_run_logger
from prefect.exceptions import MissingContextError
from prefect.logging.handlers import APILogWorker

from orchestration import json_log


class RunLog(logging.Handler):
    """A log handler that forwards to the logger of the run, or to stderr outside a run."""

    def emit(self, record: logging.LogRecord) -> None:
        """Forward a record."""
        try:
            get_run_logger().log(record.levelno, "%s", record.getMessage())
        except MissingContextError:
            json_log.say(record.getMessage(), record.levelno)


async def _sent(worker: Any, lines: list[Any]) -> None:
    """Send lines to Prefect's server; say once on stderr why it does not get them.

    Prefect says it every two seconds, and without a line break: the next line of the log, or the
    reason with which a command ends, would continue its text.
    """
    try:
        await worker._client.create_logs(lines)
    except Exception as error:  # whatever a client raises, the run goes on
        why = " ".join((str(error) or type(error).__name__).split())
        if why != getattr(worker, "why", None):
            said = f"The log of this run does not reach Prefect's server: {why}"
            json_log.say(said, logging.WARNING)
        worker.why = why


def install() -> None:
    """Add the handler to the logger `trips`, once however often a flow file is loaded."""
    APILogWorker._handle_batch = _sent  # type: ignore[method-assign, assignment] # of Prefect
    logger = logging.getLogger("trips")
    # By name: Prefect may load this file again, which creates a different class.
    if not any(type(handler).__name__ == RunLog.__name__ for handler in logger.handlers):
        logger.addHandler(RunLog())
        logger.propagate = False  # Prefect's root handler would print it a second time
