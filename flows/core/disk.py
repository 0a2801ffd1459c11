"""Files in folders, and disk errors as StorageErrors that name the folder and the setting."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StorageError

#: The disk is full or over quota, or the file is too large for it.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
#: The folder is read-only, or this user may not write there.
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
#: A file exists where a folder must be.
_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EEXIST})
#: The path is a folder, or its name is too long for a file.
_NAMES = frozenset({errno.EISDIR, errno.ENAMETOOLONG})
_A_FOLDER = "a folder is where a file must be: move it away"
#: The setting that locates an embedded bucket's folder and an embedded warehouse's file.
DATA_SETTING = "TRIPS_DATA, or its block"


@contextmanager
def room_for(what: str, folder: Path, setting: str = "TRIPS_SCRATCH") -> Iterator[None]:
    """Raise a StorageError that names the file if a folder's disk refuses to write it.

    Args:
        what: the file, and the month if it is known.
        folder: where it is written; need not exist yet.
        setting: the setting that names that folder.

    Raises:
        StorageError: the disk is full or not writable, the folder has been removed, or the file
            cannot have that name.
    """
    try:
        yield
    except OSError as error:
        is_gone = error.errno == errno.ENOENT and not os.path.exists(folder)  # noqa: PTH110
        if is_gone or error.errno in _FULL | _FORBIDDEN | _IN_THE_WAY | _NAMES:
            raise refusal(what, folder, error, setting) from error
        raise


def refusal(
    what: str, folder: Path, error: OSError, setting: str = "TRIPS_SCRATCH"
) -> StorageError:
    """Return the error for a file that a disk refused to write."""
    kept = f"cannot keep {what} in {folder.absolute()}: {error}"
    if error.errno in _FORBIDDEN:
        return StorageError(
            f"{kept}; this user may not write there: correct its permissions, or name another "
            f"folder ({setting})"
        )
    if error.errno in _IN_THE_WAY:
        return StorageError(
            f"{kept}; a file is where a folder must be: move it away, or name another folder "
            f"({setting})"
        )
    ways_out = {
        errno.EISDIR: _A_FOLDER,
        errno.ENAMETOOLONG: "choose a shorter name",
        errno.ENOENT: "that folder is missing: create it and run again",
    }
    way_out = ways_out.get(error.errno or 0, f"{free_space(folder)} there; make room")
    return StorageError(f"{kept}; {way_out}, or name another folder ({setting})")


@contextmanager
def replacing(target: Path, part: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces the target on success and is removed on failure."""
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Return a hidden path next to a file, for one run to write what is to replace the file."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")


@contextmanager
def allowed(path: Path, setting: str = DATA_SETTING) -> Iterator[Path]:
    """Yield the path; raise a StorageError that names it if this user may not read or remove it.

    Raises:
        StorageError: the user lacks the permission, or the path is a folder.
    """
    try:
        yield path
    except (PermissionError, IsADirectoryError) as error:
        is_folder = isinstance(error, IsADirectoryError)
        way_out = _A_FOLDER if is_folder else "correct its permissions"
        raise StorageError(
            f"cannot use {path}: {error}; {way_out}, or name another folder ({setting})"
        ) from error


def files_under(folder: Path) -> list[Path]:
    """Return the files in a folder and below it, in order.

    A subfolder that is removed meanwhile counts as empty.

    Raises:
        OSError: the folder does not exist, or it or a folder below it cannot be read.
    """

    def refuse(error: OSError) -> None:
        if Path(error.filename) == folder or not isinstance(error, FileNotFoundError):
            raise error

    # Path.rglob would treat a subfolder that it cannot read as empty.
    found = os.walk(folder, onerror=refuse)
    files = (Path(place, name) for place, _, names in found for name in names)
    return sorted(file for file in files if file.is_file())


def free_space(folder: Path) -> str:
    """Return `1,234 MB are free` for the disk of a folder, which need not exist yet."""
    return f"{shutil.disk_usage(nearest(folder)).free / 1e6:,.0f} MB are free"


def nearest(path: Path) -> Path:
    """Return the path, or its closest parent that exists as far as this user can see."""
    path = path.absolute()
    # Not Path.exists, which raises PermissionError inside a folder that this user may not enter.
    return next(each for each in (path, *path.parents) if os.path.exists(each))  # noqa: PTH110
