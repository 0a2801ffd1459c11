"""What `trips` says while it waits, in the log of the run that waits."""

from __future__ import annotations

import logging
import sys

from prefect import get_run_logger
from prefect.exceptions import MissingContextError


class RunLog(logging.Handler):
    """Forwards to the logger of the run; outside of any run to stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        try:
            get_run_logger().log(record.levelno, "%s", record.getMessage())
        except MissingContextError:
            print(record.getMessage(), file=sys.stderr, flush=True)


def install() -> None:
    """Have the logger `trips` speak there, once however often a flow file is loaded."""
    logger = logging.getLogger("trips")
    # By name: Prefect may load this file a second time, and the class is another one then.
    if not any(type(handler).__name__ == RunLog.__name__ for handler in logger.handlers):
        logger.addHandler(RunLog())
        logger.propagate = False  # Prefect's root handler would print it a second time
