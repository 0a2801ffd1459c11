"""Settings of Dask for the duration of a test."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any


def hasty_connections() -> AbstractContextManager[Any]:
    """Let Dask's clients give up soon on a scheduler that does not answer."""
    # Imported here because few tests need Dask, which takes a second to import.
    import dask.config

    # If it were first imported while the value is set, its defaults would leave with the value.
    import distributed  # noqa: F401

    return dask.config.set({"distributed.comm.timeouts.connect": "200ms"})
