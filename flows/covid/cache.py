"""A daily cache of the edition in the bucket, shared by all machines.

It has two objects per URL: the published bytes, replaced every day, and a note with their day
and checksum. The note is written last; without it, or if the bytes do not match it, the cache
counts as empty.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

from core.checksums import sha256_of
from core.download.remote_file import without_secrets
from core.storage.bucket import Bucket
from core.storage.put import put


def cached(bucket: Bucket, url: str, day: dt.date, path: Path) -> bool:
    """Download the edition that was fetched on a day; return whether it was cached and intact.

    Args:
        bucket: bucket with the cache.
        url: URL of the edition.
        day: day on which it must have been fetched.
        path: target path.

    Raises:
        Unavailable: the bucket cannot be reached.
    """
    note = bucket.read(_note(url))
    if note is None or bucket.info(_key(url)) is None:
        return False
    known = _known(note.data)
    if known is None or known["day"] != str(day):
        return False
    bucket.download(_key(url), path)
    return sha256_of(path) == known["sha256"]


def keep(bucket: Bucket, url: str, day: dt.date, path: Path) -> None:
    """Replace the cached edition.

    Args:
        bucket: bucket with the cache.
        url: URL of the edition.
        day: day on which it was fetched.
        path: the complete edition, already checked.
    """
    bucket.upload(path, _key(url))
    note = {"url": without_secrets(url), "day": str(day), "sha256": sha256_of(path)}
    put(bucket, json.dumps(note, indent=2).encode(), _note(url))


def _key(url: str) -> str:
    return f"covid/editions/{hashlib.sha256(url.encode()).hexdigest()[:8]}.json"


def _note(url: str) -> str:
    return _key(url).replace(".json", ".note.json")


def _known(data: bytes) -> dict[str, str] | None:
    """Return the fields of a note; None if it is damaged."""
    try:
        note = json.loads(data)
        return {field: str(note[field]) for field in ("day", "sha256")}
    except (ValueError, TypeError, KeyError):
        return None
