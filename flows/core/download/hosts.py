"""Limits the requests to each host, across all threads and processes of this machine.

Each host has TRIPS_HOST_REQUESTS slots. A request takes a free slot that no other request took
within the last second, and holds it until its response ends. That limits both the concurrent
requests and the requests per second. The operating system releases the slot of a killed process.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

from filelock import FileLock, Timeout

from core.disk import room_for
from core.errors import UsageError
from core.scratch import make_root, scratch_root, this_user
from core.waiting import LOG, waiting

SETTING = "TRIPS_HOST_REQUESTS"
#: Default limit of requests to one host, at a time and per second.
REQUESTS = 10
#: Longest Retry-After that is obeyed, in seconds; a server's mistake must not stop a run for days.
MOST_SECONDS = 600.0
_SECOND = 1.0
#: Seconds between two attempts to take a slot.
_PAUSE_SECONDS = 0.02


@contextmanager
def request_slot(host: str) -> Iterator[None]:
    """Wait for a slot for a request to a host, and hold it until the block ends.

    Raises:
        UsageError: TRIPS_HOST_REQUESTS is not a number of requests.
        StorageError: the scratch folder is not writable.
    """
    number, folder = requests_allowed(), _folder(host)
    with room_for(f"the request slots of {host}", folder):
        _make(folder)
        slot = _free(folder, number)
        if slot is None:
            with waiting(_why(host, number, folder), None):
                slot = _next(folder, number)
    try:
        yield
    finally:
        slot.release()


def wait_until(host: str, retry_after: str | None) -> str:
    """Block all requests to a host until the time in its Retry-After.

    Args:
        host: the host.
        retry_after: value of the header, seconds or an HTTP date; None if it is absent.

    Returns:
        The wait in words, for the error message.
    """
    seconds = seconds_of(retry_after, dt.datetime.now(dt.timezone.utc))
    if seconds is None:
        return f"Retry-After: {retry_after or 'not given'}"
    obeyed = min(seconds, MOST_SECONDS)
    folder = _folder(host)
    with room_for(f"the request slots of {host}", folder):
        _make(folder)
        # A response that was on its way does not shorten the pause that another one asked for.
        _stamp(_closed(folder), time.time() + max(obeyed, _pause(folder)))
    capped = f", of which {obeyed:.0f} s are obeyed" if obeyed < seconds else ""
    LOG.warning("%s asks for a pause of %.0f s%s", host, seconds, capped)
    return f"Retry-After: {retry_after}{capped}"


def seconds_of(retry_after: str | None, now: dt.datetime) -> float | None:
    """Return the seconds of a Retry-After (RFC 9110, 10.2.3); None if it is absent or garbled."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without a zone is in GMT, as all HTTP dates are.
    utc = then if then.tzinfo else then.replace(tzinfo=dt.timezone.utc)
    return max((utc - now).total_seconds(), 0.0)


def requests_allowed() -> int:
    """Return the requests to one host at a time and per second.

    Raises:
        UsageError: TRIPS_HOST_REQUESTS is not a number of requests.
    """
    text = os.environ.get(SETTING) or str(REQUESTS)
    if not re.fullmatch("0*[1-9][0-9]{0,5}", text):
        raise UsageError(f"{SETTING} {text!r} is not a number of requests; write 1 or more")
    return int(text)


def _folder(host: str) -> Path:
    # Processes on one machine share its scratch folder; different machines do not. Users who share
    # one cannot write each other's files.
    return scratch_root() / f"hosts-{this_user()}.lock" / host.lower().replace(":", "_")


def _make(folder: Path) -> None:
    make_root(scratch_root())
    folder.mkdir(parents=True, exist_ok=True)


def _next(folder: Path, number: int) -> FileLock:
    while (slot := _free(folder, number)) is None:
        time.sleep(_PAUSE_SECONDS)
    return slot


def _free(folder: Path, number: int) -> FileLock | None:
    """Return an acquired slot, or None if all are taken or the host asks for a pause."""
    if _pause(folder) > 0:
        return None
    return next(filter(None, (_taken(folder, slot) for slot in range(number))), None)


def _taken(folder: Path, number: int) -> FileLock | None:
    lock, last = FileLock(folder / f"{number}.lock"), folder / f"{number}.last"
    if 0 <= time.time() - _time_of(last) < _SECOND:
        return None
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    # Another request may have come and gone between the check and the lock.
    if 0 <= time.time() - _time_of(last) < _SECOND:
        lock.release()
        return None
    _stamp(last, time.time())
    return lock


def _pause(folder: Path) -> float:
    """Return the remaining seconds of the pause that the host asked for, 0 if none."""
    left = _time_of(_closed(folder)) - time.time()
    return left if left <= MOST_SECONDS else 0.0  # the clock was set back


def _closed(folder: Path) -> Path:
    return folder / "closed-until"


def _why(host: str, number: int, folder: Path) -> str:
    if (left := _pause(folder)) > 0:
        return f"{host} asked for a pause, {left:.0f} s are left"
    return f"{number} requests to {host} at a time and per second ({SETTING})"


def _time_of(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _stamp(path: Path, when: float) -> None:
    path.touch()
    os.utime(path, (when, when))
