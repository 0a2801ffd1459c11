"""Paths in place of blocks: a folder as bucket, a DuckDB file as warehouse."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.errors import UsageError


def is_path(name: str) -> bool:
    """Tell whether a bucket or a warehouse is named by its path: a block is TYPE/NAME."""
    return name.startswith((".", "~", "/")) or name.endswith(".duckdb") or Path(name).is_absolute()


def lasting(name: str) -> Path:
    """Return the absolute path that is meant.

    Raises:
        UsageError: it would be gone with the folder that this process runs in.
    """
    path = Path(name).expanduser().absolute()
    if copy := passing_folder(path):
        raise UsageError(
            f"{name!r} would be lost with {copy}, the copy of the project that this deployment "
            "runs in; write an absolute path, or run the deployment on process/zoom-local"
        )
    return path


def absolute_name(name: str) -> str:
    """Return a path as absolute, for another process; the name of a block as it is."""
    return str(lasting(name)) if is_path(name) else name


def refuse_file_above(folder: Path, what: str) -> None:
    """Raise if a file stands where a folder, or one above it, must be.

    Raises:
        UsageError: it names the file, and the settings that can name another folder.
    """
    above = next(path for path in (folder, *folder.parents) if path.exists())
    if not above.is_dir():
        raise UsageError(
            f"{what}: {above} is a file, so there can be no folder {folder}; "
            "correct TRIPS_DATA, the block or the path"
        )


def passing_folder(path: Path) -> Path | None:
    """Return the copy of the project that a path is in, gone when its process ends, or None.

    Prefect makes that folder by tempfile.TemporaryDirectory(suffix="prefect")
    (prefect/infrastructure/process.py, prefect/workers/process.py).
    """
    temporary = Path(tempfile.gettempdir())
    copies = [p for p in (path, *path.parents) if p.match("tmp*prefect")]
    return next((copy for copy in copies if copy.parent.samefile(temporary)), None)
