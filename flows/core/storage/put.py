"""Uploads of small objects: bytes that may already be there, and records as JSON."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
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


def write_json(
    bucket: Bucket, key: str, record: Mapping[str, object], replacing: str | None
) -> None:
    """Write a record as JSON if the object's version is still `replacing`; None for no object.

    Raises:
        Conflict: another run wrote it in the meantime.
    """
    data = json.dumps(record, indent=2, sort_keys=True).encode() + b"\n"
    bucket.write(key, data, replacing)
