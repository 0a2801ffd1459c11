"""Messages of the logger `trips` about waiting, in the log of the run that waits."""

from __future__ import annotations

import logging

from prefect import get_run_logger
from prefect.exceptions import MissingContextError

from orchestration import json_log


class RunLog(logging.Handler):
    """A log handler that forwards to the logger of the run, or to stderr outside a run."""

    def emit(self, record: logging.LogRecord) -> None:
        """Forward a record."""
        try:
            get_run_logger().log(record.levelno, "%s", record.getMessage())
        except MissingContextError:
            json_log.say(record.getMessage(), record.levelno)


def install() -> None:
    """Add the handler to the logger `trips`, once however often a flow file is loaded."""
    logger = logging.getLogger("trips")
    # By name: Prefect may load this file again, which creates a different class.
    if not any(type(handler).__name__ == RunLog.__name__ for handler in logger.handlers):
        logger.addHandler(RunLog())
        logger.propagate = False  # Prefect's root handler would print it a second time
