"""The scratch folder of a month: one run at a time, emptied when the month is done."""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from core.disk import room_for
from core.errors import Busy, Unreachable
from core.waiting import acquire

#: Seconds to wait for another run of the same month: longer than any month takes.
WAIT_SECONDS = 3600


class Stemmed(Protocol):
    """What a folder is for: a month, or another job. As text, how messages call it."""

    @property
    def stem(self) -> str:
        """What the folder's name begins with."""


@dataclass(frozen=True)
class Job:
    """What a folder is for that belongs to no month.

    Attributes:
        stem: what its name begins with, and how messages call it.
    """

    stem: str

    def __str__(self) -> str:
        """As messages call it."""
        return self.stem


@contextmanager
def scratch_folder(month: Stemmed, purpose: str) -> Iterator[Path]:
    """A folder that only this run uses, under TRIPS_SCRATCH or the system's temporary folder.

    A second run of the same month for the same purpose waits, and says so,
    until the first has ended.
    What a killed run left is found again: a partial download goes on where it stopped.

    Args:
        month: which; any other job has a folder in the same way.
        purpose: what else the folder belongs to, the bucket say.

    Raises:
        Busy: another run has had it for an hour.
        StorageError: the disk takes no more.
    """
    root = scratch_root()
    name = f"{month.stem}-{hashlib.sha256(purpose.encode()).hexdigest()[:8]}"
    lock, folder = FileLock(root / f"{name}.lock"), root / name
    with room_for(f"the files of {month}", root):
        _make_root(root)
        _acquire(lock, month)
    try:
        with room_for(f"the files of {month}", root):
            folder.mkdir(exist_ok=True)
        yield folder
        shutil.rmtree(folder)
    except Unreachable:
        raise  # the next run goes on where this download stopped
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # what failed before is what matters
        raise
    finally:
        lock.release()


def subfolder(folder: Path, name: str) -> Path:
    """A folder inside the scratch folder, made if it is not there."""
    path = folder / name
    with room_for(name, folder):
        path.mkdir(exist_ok=True)
    return path


def sweep_scratch() -> None:
    """Remove what killed runs left, but for downloads that a run of their month goes on with."""
    for folder in filter(Path.is_dir, scratch_root().glob("*_tripdata_*")):
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        with suppress(Timeout), lock.acquire(timeout=0):  # a run that goes on keeps its folder
            if not any(folder.glob("published/*.part")):
                shutil.rmtree(folder)


def scratch_root() -> Path:
    """Return TRIPS_SCRATCH, or a folder of this user's own: others may not write into it."""
    named = os.environ.get("TRIPS_SCRATCH")
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    return Path(named or Path(tempfile.gettempdir(), f"trips-scratch-{user}"))


def _make_root(root: Path) -> None:
    # One that somebody named may be shared; the default is private.
    mode = 0o777 if os.environ.get("TRIPS_SCRATCH") else 0o700
    root.mkdir(mode=mode, parents=True, exist_ok=True)


def _acquire(lock: FileLock, month: Stemmed) -> None:
    try:
        acquire(lock, f"{month}: another run on this machine is at it", WAIT_SECONDS)
    except Timeout as error:
        raise Busy(
            f"{month}: another run has been at it for {WAIT_SECONDS} s; "
            f"end it (it holds {lock.lock_file}), then run again"
        ) from error
