"""Check what every bucket promises about reading part of an object and copying one."""

from __future__ import annotations

import hashlib

import pytest

from core.errors import Conflict, StorageError
from core.storage.bucket import Bucket
from core.storage.put import put


def check_parts(bucket: Bucket) -> None:
    """Check that exactly the requested range is read, and that a shorter object is an error."""
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


def check_copies(bucket: Bucket) -> None:
    """Check that a copy has the bytes of the requested version and is an independent object."""
    put(bucket, b"old content", "data/month.parquet")
    known = bucket.info("data/month.parquet")
    assert known
    for _ in range(2):  # over the first copy, too
        info = bucket.copy("data/month.parquet", "editions/month/one.parquet", known.version)
        assert info == bucket.info("editions/month/one.parquet")
        assert info.size == len(b"old content")
    put(bucket, b"new", "data/month.parquet")
    stored = bucket.read("editions/month/one.parquet")
    assert stored
    assert stored.data == b"old content"
    with pytest.raises(Conflict, match=r"month\.parquet was changed by another run"):
        bucket.copy("data/month.parquet", "editions/month/two.parquet", known.version)
    bucket.delete("data/month.parquet")
    with pytest.raises(Conflict, match=r"month\.parquet was changed by another run"):
        bucket.copy("data/month.parquet", "editions/month/two.parquet", known.version)
    assert bucket.info("editions/month/two.parquet") is None
