"""The edition of a day, kept in the bucket: fetched once a day, whichever machine asks.

Two objects an address: the published bytes, replaced every day, and a note that says of which
day they are and what their checksum is. The note is written last; without it, or where the
bytes are not those that it speaks of, there is no cache.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

from core.checksums import sha256_of
from core.download.remote_file import without_secrets
from core.storage.bucket import Bucket, put


def cached(bucket: Bucket, url: str, day: dt.date, path: Path) -> bool:
    """Get the edition that was fetched on a day, if it is there and whole.

    Args:
        bucket: which.
        url: where the edition is published.
        day: on which it must have been fetched.
        path: where to put it.

    Raises:
        Unavailable: the bucket could not be asked.
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
    """Put a whole edition in place of the one before it.

    Args:
        bucket: which.
        url: where the edition is published.
        day: on which it was fetched.
        path: the edition, checked.
    """
    bucket.upload(path, _key(url))
    note = {"url": without_secrets(url), "day": str(day), "sha256": sha256_of(path)}
    put(bucket, json.dumps(note, indent=2).encode(), _note(url))


def _key(url: str) -> str:
    return f"covid/editions/{hashlib.sha256(url.encode()).hexdigest()[:8]}.json"


def _note(url: str) -> str:
    return _key(url).replace(".json", ".note.json")


def _known(data: bytes) -> dict[str, str] | None:
    """What a note says; None of one that somebody damaged."""
    try:
        note = json.loads(data)
        return {field: str(note[field]) for field in ("day", "sha256")}
    except (ValueError, TypeError, KeyError):
        return None
