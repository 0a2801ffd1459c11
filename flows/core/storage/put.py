"""Uploads of small objects that may already be there."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath

from core.disk import room_for
from core.storage.bucket import Bucket


def put(bucket: Bucket, data: bytes, key: str) -> bool:
    """Upload a small object unless it already has this content; return whether it was uploaded.

    Raises:
        StorageError: the bucket or the temporary folder refuses the write.
    """
    there = bucket.read(key)
    if there is not None and there.data == data:
        return False
    with tempfile.TemporaryDirectory(prefix="trips-put-") as folder:
        path = Path(folder, PurePosixPath(key).name)
        with room_for(path.name, path.parent, "TMPDIR"):
            path.write_bytes(data)
        bucket.upload(path, key)
    return True
