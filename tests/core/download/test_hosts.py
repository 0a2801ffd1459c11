"""Requests to a host are limited, at a time and per second, across threads and processes."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import multiprocessing.synchronize
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime
from pathlib import Path

import pytest

from core.download import hosts
from core.download.hosts import request_slot, seconds_of, wait_until
from core.errors import StorageError, UsageError

HOST = "files.example.org"
NOW = dt.datetime(2026, 11, 29, 12, 0, tzinfo=dt.timezone.utc)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPS_HOST_REQUESTS", "2")


@pytest.fixture
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lift the limit per second, so that only the limit of concurrent requests applies."""
    monkeypatch.setattr(hosts, "_SECOND", 0.0)


class Clock:
    """A clock that advances only when something sleeps."""

    def __init__(self) -> None:
        self._now = float(int(time.time()))  # a file's time has it exactly

    def time(self) -> float:
        """Return the seconds since 1970."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self._now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the slots a fake clock, so that no test really waits."""
    own = Clock()
    monkeypatch.setattr(hosts, "time", own)
    return own


def stay(entered: threading.Event, leave: threading.Event) -> None:
    with request_slot(HOST):
        entered.set()
        assert leave.wait(20)


def test_no_more_requests_at_a_time_than_slots(two: None, no_pace: None) -> None:
    """No request ends before all eight threads have asked for a slot."""
    all_asked, running, most = threading.Event(), set[int](), list[int]()

    def request(number: int) -> None:
        if number == 7:
            all_asked.set()
        with request_slot(HOST):
            running.add(number)
            assert all_asked.wait(20)
            most.append(len(running))
            running.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(request, range(60)))
    assert len(most) == 60
    assert max(most) <= 2


def test_a_third_request_waits_until_one_of_two_has_ended(two: None, no_pace: None) -> None:
    entered, leave = [threading.Event() for _ in range(3)], [threading.Event() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        first = [pool.submit(stay, entered[n], leave[n]) for n in range(2)]
        assert all(event.wait(20) for event in entered[:2])
        third = pool.submit(stay, entered[2], leave[2])
        assert not entered[2].wait(0.2)
        leave[0].set()
        assert entered[2].wait(20)
        leave[1].set()
        leave[2].set()
        for each in (*first, third):
            each.result()


def test_no_more_requests_per_second_than_slots(two: None, clock: Clock) -> None:
    started = []
    for _ in range(7):
        with request_slot(HOST):
            started.append(clock.time())
    # Of any three, the last began a whole second after the first.
    assert all(later - first > 0.99 for first, later in zip(started, started[2:]))


def test_hosts_do_not_wait_for_each_other(two: None) -> None:
    with request_slot(HOST), request_slot(HOST), request_slot("other.org"), request_slot("[::1]"):
        pass


def _use(scratch: str) -> None:
    os.environ |= {"TRIPS_SCRATCH": scratch, "TRIPS_HOST_REQUESTS": "2"}
    with request_slot(HOST):
        pass


def _hold(scratch: str, entered: multiprocessing.synchronize.Event) -> None:
    os.environ |= {"TRIPS_SCRATCH": scratch, "TRIPS_HOST_REQUESTS": "1"}
    with request_slot(HOST):
        entered.set()
        threading.Event().wait()


def test_processes_share_the_slots(
    scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned, file, stamp = multiprocessing.get_context("fork"), tmp_path / "times", hosts._stamp

    def noted(path: Path, when: float) -> None:
        with file.open("a") as times:
            times.write(f"{when}\n")
        stamp(path, when)

    monkeypatch.setattr(hosts, "_SECOND", 0.4)
    monkeypatch.setattr(hosts, "_stamp", noted)
    processes = [spawned.Process(target=_use, args=(str(scratch),)) for _ in range(4)]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    started = sorted(map(float, file.read_text().split()))
    assert len(started) == 4
    assert all(later - first > 0.39 for first, later in zip(started, started[2:]))


def test_a_killed_process_releases_its_slot(
    scratch: Path, no_pace: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPS_HOST_REQUESTS", "1")
    spawned = multiprocessing.get_context("fork")
    entered = spawned.Event()
    process = spawned.Process(target=_hold, args=(str(scratch), entered))
    process.start()
    assert entered.wait(20)
    assert hosts._free(hosts._folder(HOST), 1) is None
    process.kill()
    process.join()
    with request_slot(HOST):
        pass


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("77", 77.0),
        (" 0 ", 0.0),
        ("Sun, 29 Nov 2026 12:02:00 GMT", 120.0),
        ("Sunday, 29-Nov-26 12:02:00 GMT", 120.0),
        ("Sun Nov 29 12:02:00 2026", 120.0),
        ("Sun, 29 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header, NOW) == seconds


@pytest.mark.parametrize("as_date", [False, True])
def test_the_next_request_waits_as_long_as_the_host_asks(
    as_date: bool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=32)
    header = format_datetime(until, usegmt=True) if as_date else "31"
    started = clock.time()
    assert wait_until(HOST, header) == f"Retry-After: {header}"
    with request_slot("other.example.org"):
        assert clock.time() == started
    with request_slot(HOST):
        waited = clock.time() - started
    assert 30.5 < waited < 32.5
    assert f"{HOST} asks for a pause of " in caplog.text


def test_a_pause_is_capped_and_says_so(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    assert wait_until(HOST, "86400") == "Retry-After: 86400, of which 600 s are obeyed"
    assert hosts._pause(hosts._folder(HOST)) == 600
    assert f"{HOST} asks for a pause of 86400 s, of which 600 s are obeyed" in caplog.text


def test_a_shorter_pause_does_not_end_a_longer_one(clock: Clock) -> None:
    """Several of ten concurrent requests may be refused, and the last answer may be the mildest."""
    wait_until(HOST, "300")
    wait_until(HOST, "1")
    wait_until(HOST, "0")
    assert hosts._pause(hosts._folder(HOST)) == 300


def test_a_pause_from_before_the_clock_was_set_back_does_not_count() -> None:
    wait_until(HOST, "0")
    hosts._stamp(hosts._closed(hosts._folder(HOST)), time.time() + 90_000)
    with request_slot(HOST):
        pass


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "٣", "9" * 5000])
def test_an_invalid_limit_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPS_HOST_REQUESTS", value)
    with pytest.raises(UsageError, match=f"TRIPS_HOST_REQUESTS '{value}' is not a number"):
        request_slot(HOST).__enter__()


def test_the_default_scratch_folder_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds even if a request slot creates it."""
    monkeypatch.delenv("TRIPS_SCRATCH")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with request_slot(HOST):
        pass
    (root,) = tmp_path.iterdir()
    assert root.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs two users")
def test_users_of_one_scratch_folder_have_separate_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither may write the other's files, such as that of a Retry-After."""
    with tempfile.TemporaryDirectory() as scratch:  # only pytest's user may enter its folders
        Path(scratch).chmod(0o1777)
        monkeypatch.setenv("TRIPS_SCRATCH", scratch)
        wait_until(HOST, "0")
        with request_slot(HOST):
            pass
        process = multiprocessing.get_context("fork").Process(target=_as_somebody_else)
        process.start()
        process.join()
    assert process.exitcode == 0


def _as_somebody_else() -> None:
    os.setuid(65534)
    wait_until(HOST, "0")
    with request_slot(HOST):
        pass


def test_a_folder_that_cannot_be_written_is_named(scratch: Path) -> None:
    scratch.write_text("")  # a file in its place
    with pytest.raises(StorageError, match=f"the request slots of {HOST} in {scratch}"):
        request_slot(HOST).__enter__()
