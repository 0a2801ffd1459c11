"""What a disk says that takes no more, as an error that says where, and which setting to change."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StorageError

#: Full, over quota, too large for it.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
#: Read-only, or not ours to write to.
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
#: A file stands where a folder must be.
_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EEXIST})
#: What says where the folder of an embedded bucket and the file of an embedded warehouse are.
DATA_SETTING = "TRIPS_DATA, or its block"


@contextmanager
def room_for(what: str, folder: Path, setting: str = "TRIPS_SCRATCH") -> Iterator[None]:
    """Name what could not be written when the disk of a folder takes no more.

    Args:
        what: the file, and the month if it is known.
        folder: where it is written to; need not be there yet.
        setting: what has named that folder.

    Raises:
        StorageError: the disk refused.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL | _FORBIDDEN | _IN_THE_WAY:
            raise
        raise refusal(what, folder, error, setting) from error


def refusal(
    what: str, folder: Path, error: OSError, setting: str = "TRIPS_SCRATCH"
) -> StorageError:
    """The error for a file that a disk did not take."""
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
    return StorageError(
        f"{kept}; {free_space(folder)} there; make room, or name another folder ({setting})"
    )


def free_space(folder: Path) -> str:
    """`1,234 MB are free`, on the disk of a folder that need not be there yet."""
    folder = folder.absolute()
    # By os: a folder that may not be looked into is none that could be asked.
    there = next(f for f in (folder, *folder.parents) if os.path.isdir(f))  # noqa: PTH112
    return f"{shutil.disk_usage(there).free / 1e6:,.0f} MB are free"
