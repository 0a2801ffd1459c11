"""Months start no faster than the limit, by a clock that the tests set."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from engines.start_limit import StartLimit, start_limit


class Clock:
    """A clock that only a pause moves."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        """Return the time, in seconds."""
        return self.time

    def pause(self, seconds: float) -> None:
        """Move on."""
        self.time += seconds


def test_months_start_apart_and_the_first_at_once() -> None:
    clock = Clock()
    limit = StartLimit(12, clock.now)
    started = [clock.time for _ in limit.spaced("abc", clock.pause)]
    assert started == [100, 112, 124]


def test_the_time_that_a_month_took_counts() -> None:
    clock = Clock()
    limit = StartLimit(12, clock.now)
    for _ in limit.spaced("ab", clock.pause):
        clock.pause(20)
    assert clock.time == 140


def test_the_variable_names_months_per_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPS_MONTHS_PER_MINUTE", "5")
    limit = start_limit()
    limit.take()
    assert 11 < limit.remaining <= 12
    monkeypatch.setenv("TRIPS_MONTHS_PER_MINUTE", "")
    limit = start_limit()
    limit.take()
    assert not limit.remaining


@pytest.mark.parametrize("value", ["five", "0", "-1", "inf", "nan"])
def test_a_value_that_is_no_number_above_0_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPS_MONTHS_PER_MINUTE", value)
    with pytest.raises(UsageError, match="TRIPS_MONTHS_PER_MINUTE in the environment"):
        start_limit()
