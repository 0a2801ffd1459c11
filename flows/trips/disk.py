"""What a disk says that takes no more, as an error that says where and how much is free."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trips.errors import StorageError

#: Full, over quota, too large for it, read-only, or not ours to write to.
_REFUSALS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
)


@contextmanager
def room_for(what: str, folder: Path) -> Iterator[None]:
    """Name what could not be written when the disk of a folder takes no more.

    Args:
        what: the file, and the month if it is known.
        folder: where it is written to; need not be there yet.

    Raises:
        StorageError: the disk refused.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        raise refusal(what, folder, error) from error


def refusal(what: str, folder: Path, error: Exception) -> StorageError:
    """The error for a file that a disk did not take."""
    return StorageError(
        f"cannot keep {what} in {folder.absolute()}: {error}; {free_space(folder)} there; "
        "make room, or choose another folder"
    )


def free_space(folder: Path) -> str:
    """`1,234 MB are free`, on the disk of a folder that need not be there yet."""
    folder = folder.absolute()
    there = next(f for f in (folder, *folder.parents) if f.is_dir())
    return f"{shutil.disk_usage(there).free / 1e6:,.0f} MB are free"
