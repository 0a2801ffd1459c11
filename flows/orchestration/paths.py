"""Paths used instead of blocks: a folder as bucket, a DuckDB file as warehouse."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from core.disk import nearest
from core.errors import UsageError


def is_path(name: str) -> bool:
    """Return whether the name of a bucket or a warehouse is a path, not a block (TYPE/NAME)."""
    return name.startswith((".", "~", "/")) or name.endswith(".duckdb") or Path(name).is_absolute()


def lasting(name: str) -> Path:
    """Return the absolute path of a name.

    Raises:
        UsageError: the path is in the temporary folder that this process runs in.
    """
    path = Path(name).expanduser().absolute()
    if copy := passing_folder(path):
        raise UsageError(
            f"{name!r} would be lost with {copy}, the copy of the project that this deployment "
            "runs in; write an absolute path, or run the deployment on process/zoom-local"
        )
    return path


def absolute_name(name: str) -> str:
    """Return a path as absolute, for another process, and a block name unchanged."""
    return str(lasting(name)) if is_path(name) else name


def refuse_unusable(folder: Path, what: str) -> None:
    """Raise if the folder or one of its parents is a file, or closed to this user.

    Raises:
        UsageError: naming it, and the settings that can choose another folder.
    """
    above = nearest(folder)
    if not above.is_dir():
        raise UsageError(
            f"{what}: {above} is a file, so there can be no folder {folder}; "
            "correct TRIPS_DATA, the block or the path"
        )
    if not os.access(above, os.X_OK):
        raise UsageError(
            f"{what}: this user may not enter {above}; correct its permissions, or name another "
            "folder: TRIPS_DATA, the block or the path"
        )


def refuse_unusable_file(file: Path, what: str) -> None:
    """Raise if the file is a folder, or its folder is unusable.

    Raises:
        UsageError: names it, and what to write instead.
    """
    refuse_unusable(file.parent, what)
    if file.is_dir():
        raise UsageError(
            f"{what}: {file} is a folder; name a DuckDB file, such as {file / 'trips.duckdb'}"
        )


def passing_folder(path: Path) -> Path | None:
    """Return the temporary copy of the project that contains a path, or None.

    Prefect deletes the copy when its process ends. It creates the folder with
    tempfile.TemporaryDirectory(suffix="prefect")
    (prefect/infrastructure/process.py, prefect/workers/process.py).
    """
    temporary = Path(tempfile.gettempdir())
    copies = [p for p in (path, *path.parents) if p.match("tmp*prefect")]
    return next((copy for copy in copies if copy.parent.samefile(temporary)), None)
