"""What reading a part of an object promises, whatever the bucket."""

from __future__ import annotations

import hashlib

import pytest

from core.errors import StorageError
from core.storage.bucket import Bucket
from core.storage.put import put


def check_parts(bucket: Bucket) -> None:
    """The range that was asked for and no more; an object that ends before it is an error."""
    put(bucket, b"0123456789", "part")
    wanted = ((0, 4), (3, 2), (9, 1))
    assert [bucket.read_part("part", *part) for part in wanted] == [b"0123", b"34", b"9"]
    with pytest.raises(StorageError, match="part is shorter than it was"):
        bucket.read_part("part", 8, 5)
    with pytest.raises(StorageError):
        bucket.read_part("part", 10, 1)
    with pytest.raises(StorageError, match="is gone"):
        bucket.read_part("absent", 0, 1)
    assert bucket.sha256("part") == hashlib.sha256(b"0123456789").hexdigest()
    with pytest.raises(StorageError, match="absent"):
        bucket.sha256("absent")
