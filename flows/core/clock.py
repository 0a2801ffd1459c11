"""The time as ledgers record it."""

from __future__ import annotations

import datetime as dt


def utc_now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
