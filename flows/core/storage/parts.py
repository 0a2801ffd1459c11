"""Parts of keys and of objects, checked."""

from __future__ import annotations

from pathlib import PurePosixPath

from core.errors import StorageError, UsageError


def whole_part(data: bytes, size: int, uri: str) -> bytes:
    """Return the bytes that were read if they have the requested size.

    Raises:
        StorageError: the object ends before the requested range does.
    """
    if len(data) != size:
        raise StorageError(f"{uri} is shorter than it was: it was replaced; run again")
    return data


def parts_of(key: str) -> tuple[str, ...]:
    """Return the parts of an object key.

    Raises:
        UsageError: the key leads out of the bucket.
    """
    parts = PurePosixPath(key).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise UsageError(
            f"object key {key!r} does not stay inside the bucket; write it without .. or a first /"
        )
    return parts
