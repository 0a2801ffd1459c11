"""Turns at a publisher's server, shared by all threads and processes of this machine.

Each host has as many places as TRIPS_HOST_REQUESTS. A request takes one that is free and that no
other request took within the last second, and keeps it until its response ends, so there are
never more requests at a time, and never more per second. The operating system frees the place of
a killed process.
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
#: Requests to one host at a time and per second, unless TRIPS_HOST_REQUESTS says otherwise.
REQUESTS = 10
#: Seconds that a Retry-After is obeyed at most; a server's mistake must not stop a run for days.
MOST_SECONDS = 600.0
_SECOND = 1.0
#: Seconds between two looks at places that are all taken.
_PAUSE_SECONDS = 0.02


@contextmanager
def turn(host: str) -> Iterator[None]:
    """Wait for a turn at a host, and keep its place until the block ends.

    Raises:
        UsageError: TRIPS_HOST_REQUESTS is not a number of requests.
        StorageError: the scratch folder is not writable.
    """
    number, folder = requests_allowed(), _folder(host)
    with room_for(f"the turns at {host}", folder):
        _make(folder)
        place = _free(folder, number)
        if place is None:
            with waiting(_why(host, number, folder), None):
                place = _next(folder, number)
    try:
        yield
    finally:
        place.release()


def wait_until(host: str, retry_after: str | None) -> str:
    """Let no request go to a host before the time that its Retry-After names.

    Args:
        host: the host.
        retry_after: the header: seconds, or an HTTP date; None if there was none.

    Returns:
        The wait in words, for the message of the error.
    """
    seconds = seconds_of(retry_after, dt.datetime.now(dt.timezone.utc))
    if seconds is None:
        return f"Retry-After: {retry_after or 'not given'}"
    obeyed = min(seconds, MOST_SECONDS)
    folder = _folder(host)
    with room_for(f"the turns at {host}", folder):
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
    # The scratch folder is what the processes of one machine share, and different machines do not.
    # Where users share it, they may not write each other's files.
    return scratch_root() / f"hosts-{this_user()}.lock" / host.lower().replace(":", "_")


def _make(folder: Path) -> None:
    make_root(scratch_root())
    folder.mkdir(parents=True, exist_ok=True)


def _next(folder: Path, number: int) -> FileLock:
    while (place := _free(folder, number)) is None:
        time.sleep(_PAUSE_SECONDS)
    return place


def _free(folder: Path, number: int) -> FileLock | None:
    """Return a place of one's own, or None if all are taken or the host asks for a pause."""
    if _pause(folder) > 0:
        return None
    return next(filter(None, (_taken(folder, place) for place in range(number))), None)


def _taken(folder: Path, number: int) -> FileLock | None:
    lock, last = FileLock(folder / f"{number}.lock"), folder / f"{number}.last"
    if 0 <= time.time() - _time_of(last) < _SECOND:
        return None
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    # Between the look and the lock, another request may have come and gone.
    if 0 <= time.time() - _time_of(last) < _SECOND:
        lock.release()
        return None
    _stamp(last, time.time())
    return lock


def _pause(folder: Path) -> float:
    """Return the seconds for which the host still asks to be left alone."""
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
