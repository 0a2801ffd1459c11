"""The scratch folder of a month or another job: used by one run at a time, removed when done."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from core.disk import room_for
from core.errors import Busy, StorageError, Unreachable
from core.waiting import acquire

#: Seconds to wait for another run of the same owner: longer than any month takes.
WAIT_SECONDS = 3600
#: Name of a folder, whatever its owner. The root may contain other programs' files too.
_NAME = re.compile(r".+-[0-9a-f]{8}")
#: Partial downloads in a folder.
_DOWNLOADS = ("*.part", "published/*.part")


class Owner(Protocol):
    """The owner of a folder: a month or another job. Messages show its text form."""

    @property
    def stem(self) -> str:
        """Return the prefix of the folder's name."""


@dataclass(frozen=True)
class NamedOwner:
    """The owner of a folder that does not belong to a month.

    Attributes:
        stem: prefix of the folder's name, and the name used in messages.
    """

    stem: str

    def __str__(self) -> str:
        """Return the name used in messages."""
        return self.stem


@contextmanager
def scratch_folder(owner: Owner, purpose: str) -> Iterator[Path]:
    """Yield a folder that only this run uses, in TRIPS_SCRATCH or the system's temporary folder.

    A second run of the same owner for the same purpose waits until the first has ended,
    and logs that it waits. What a killed run left is reused: a partial download resumes.

    Args:
        owner: a month or another job.
        purpose: what else the folder belongs to, such as the bucket.

    Raises:
        Busy: another run has held the folder for an hour.
        StorageError: the disk is full or not writable.
    """
    root = scratch_root()
    name = f"{owner.stem}-{hashlib.sha256(purpose.encode()).hexdigest()[:8]}"
    lock, folder = FileLock(root / f"{name}.lock"), root / name
    with room_for(f"the files of {owner}", root):
        make_root(root)
        _acquire(lock, owner)
    try:
        with room_for(f"the files of {owner}", root):
            folder.mkdir(exist_ok=True)
        yield folder
        shutil.rmtree(folder)
    except Unreachable:
        raise  # the next run resumes this download
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # must not hide the original error
        raise
    finally:
        lock.release()


def subfolder(folder: Path, name: str) -> Path:
    """Return a folder inside the scratch folder, creating it if needed."""
    path = folder / name
    with room_for(name, folder):
        path.mkdir(exist_ok=True)
    return path


def sweep_scratch() -> None:
    """Remove what killed runs left, except partial downloads, which the next run resumes.

    Raises:
        StorageError: this user may not enter the folder, or it is another user's.
    """
    root = scratch_root()
    refuse_foreign(root)
    with room_for("the files of a run", root):
        with suppress(FileNotFoundError):
            root.stat()  # since Python 3.13, glob hides a PermissionError
        folders = [path.with_suffix("") for path in root.glob("*.lock")]
        left = [path for path in folders if _NAME.fullmatch(path.name) and path.is_dir()]
    for folder in left:
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        # A live run keeps its folder, and so does another user where the root is shared.
        with suppress(Timeout, PermissionError), lock.acquire(timeout=0):
            if not any(path for pattern in _DOWNLOADS for path in folder.glob(pattern)):
                shutil.rmtree(folder)


def scratch_root() -> Path:
    """Return TRIPS_SCRATCH, or by default a private folder of this user."""
    named = os.environ.get("TRIPS_SCRATCH")
    return Path(named or Path(tempfile.gettempdir(), f"trips-scratch-{this_user()}"))


def this_user() -> str:
    """Return the number of this user, or where users have none the name."""
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()


def make_root(root: Path) -> None:
    """Create the folder of `scratch_root` if needed.

    Raises:
        StorageError: the default folder is another user's.
    """
    # A folder named in TRIPS_SCRATCH may be shared; the default one is private.
    mode = 0o777 if os.environ.get("TRIPS_SCRATCH") else 0o700
    root.mkdir(mode=mode, parents=True, exist_ok=True)
    refuse_foreign(root)


def refuse_foreign(root: Path) -> None:
    """Raise if the default folder, whose name anybody can guess, was made by another user.

    Raises:
        StorageError: it was, or its file system shows one owner for all files.
    """
    if os.environ.get("TRIPS_SCRATCH") or not hasattr(os, "getuid"):
        return
    with suppress(FileNotFoundError):
        if root.lstat().st_uid != os.getuid():
            raise StorageError(
                f"the scratch folder {root} belongs to another user, who could change the files of "
                "a run; have it removed, or name another folder (TRIPS_SCRATCH)"
            )


def _acquire(lock: FileLock, owner: Owner) -> None:
    try:
        acquire(lock, f"{owner}: another run on this machine is working on it", WAIT_SECONDS)
    except Timeout as error:
        raise Busy(
            f"{owner}: another run has been working on it for {WAIT_SECONDS} s; "
            f"end it (it holds {lock.lock_file}), then run again"
        ) from error
