"""The system's time zone, which Prefect's import may not know."""

from __future__ import annotations

import os

from core.errors import UsageError


def refuse_unknown_time_zone() -> None:
    """Raise if Prefect does not know the zone in TZ: its import would end in a traceback.

    Raises:
        UsageError: names the zone.
    """
    zone = os.environ.get("TZ")
    if not zone:
        return
    import pendulum  # not at the top: nearly nobody sets TZ

    try:
        pendulum.now()
    except Exception as error:  # pendulum 2, on Python 3.10 and 3.11; pendulum 3 takes UTC
        raise UsageError(
            f"TZ is {zone!r}, which is not a name of a time zone that Prefect knows; "
            "write one such as Europe/Berlin, or unset TZ"
        ) from error
