"""The threads that several conversions in one process share."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from core.threads import most_threads, threads_shared


def test_a_second_month_gets_half_and_a_later_one_all_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRIPS_THREADS", "8")
    with threads_shared() as first, threads_shared() as second, threads_shared() as third:
        assert (first, second, third) == (8, 4, 2)
    with threads_shared() as later:
        assert later == 8


def test_every_month_gets_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPS_THREADS", "1")
    with threads_shared() as first, threads_shared() as second:
        assert (first, second) == (1, 1)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_an_invalid_number_of_threads_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPS_THREADS", text)
    with pytest.raises(UsageError, match=f"TRIPS_THREADS '{text}' is not a number of threads"):
        most_threads()
