"""A limit on the months that a parent run starts, for an API with a limit on requests."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.errors import UsageError
from orchestration import variables
from orchestration.variables import setting


class StartLimit:
    """The minimum time between the starts of two months."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._now = seconds, now
        self._next = now()

    @property
    def remaining(self) -> float:
        """Return the seconds until the next month may start, 0 if it may start now."""
        return max(0.0, self._next - self._now())

    def take(self) -> None:
        """Note that a month starts now."""
        self._next = self._now() + self._seconds

    def wait(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Wait until the next month may start, and note that it starts."""
        pause(self.remaining)
        self.take()


def start_limit() -> StartLimit:
    """Return the limit that TRIPS_MONTHS_PER_MINUTE sets; without it, months start at once.

    Raises:
        UsageError: it is not a number above 0.
    """
    found = setting(variables.MONTHS_PER_MINUTE)
    if not found.value:
        return StartLimit(0)
    try:
        most = float(found.value)
    except ValueError:
        most = 0
    if not 0 < most < float("inf"):
        raise UsageError(f"{found.origin} is {found.value!r}, not a number above 0; write 5")
    return StartLimit(60 / most)
