"""Months start no faster than the limit, by a clock that the tests set."""

from __future__ import annotations

from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.states import Completed

from core.errors import UsageError
from engines import concurrency
from engines.start_limit import StartLimit, start_limit
from monthly.month import Month


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


class Job:
    """A task that only notes when it starts, and takes the seconds that it is given."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.started = clock, list[float]()

    def submit(self, seconds: float) -> Any:
        """Start, and return a future whose end moves the clock."""
        self.started.append(self.clock.time)

        @cache
        def wait() -> Any:
            self.clock.pause(seconds)
            return Completed(data=seconds)

        return SimpleNamespace(wait=wait)


def test_months_start_apart_and_the_first_at_once() -> None:
    clock, started = Clock(), list[float]()
    limit = StartLimit(12, clock.now)
    for _ in range(3):
        limit.wait(clock.pause)
        started.append(clock.time)
    assert started == [100, 112, 124]


def test_the_time_that_a_month_took_counts() -> None:
    clock = Clock()
    limit = StartLimit(12, clock.now)
    for _ in range(2):
        limit.wait(clock.pause)
        clock.pause(20)
    assert clock.time == 140


def test_months_that_wait_for_a_worker_start_apart_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds when a month starts, not when it begins to wait for a worker."""
    clock = Clock()
    limit, job = StartLimit(12, clock.now), Job(clock)
    monkeypatch.setattr(concurrency, "start_limit", lambda: limit)
    monkeypatch.setattr(limit, "wait", partial(limit.wait, clock.pause))
    side_by_side: Any = concurrency.side_by_side
    months = [Month("green", 2020, number) for number in (1, 2, 3)]
    took = zip(months, (30, 0, 0))
    assert side_by_side(((month, job, (seconds,)) for month, seconds in took), 1) == [30, 0, 0]
    assert job.started == [100, 130, 142]


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
def test_a_value_that_is_not_a_number_above_0_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPS_MONTHS_PER_MINUTE", value)
    with pytest.raises(UsageError, match="TRIPS_MONTHS_PER_MINUTE in the environment"):
        start_limit()
