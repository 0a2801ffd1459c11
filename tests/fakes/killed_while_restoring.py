"""Restore an edition in a folder and load it; a module for `fakes.forks.Forks`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.scratch import scratch_folder
from core.storage.bucket import FolderBucket
from fakes.forks import serve
from fakes.one_month import MONTH, load, warehouse_of
from monthly.replacement import restore


def restore_and_load(job: dict[str, Any]) -> str:
    """Restore the job's edition, then load it."""
    root = Path(job["root"])
    bucket = FolderBucket(root / "bucket")
    with scratch_folder(MONTH, "restore") as folder:
        entry = restore(bucket, MONTH, job["edition"], folder, 1)
    load(bucket, warehouse_of(root))
    return entry.object_sha256


if __name__ == "__main__":
    import monthly.corrections  # noqa: F401 - before the fork, as it takes a quarter of a second

    serve(restore_and_load)
