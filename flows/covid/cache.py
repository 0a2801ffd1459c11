"""A daily cache of the edition in the bucket, shared by all machines.

It has two objects per URL: the published bytes, replaced when they change, and a note with the
day of the last request, their checksum and ETag. The note is written last; without it, or if the
bytes do not match it, the cache counts as empty.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.checksums import sha256_of
from core.download.fetch import transport_of
from core.download.remote_file import Download, RemoteFile, without_secrets
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
    known = _known(bucket, url)
    return known["day"] == str(day) and _is_intact(bucket, url, known, path)


def unchanged(bucket: Bucket, edition: RemoteFile[str], day: dt.date, path: Path) -> bool:
    """Download the edition of an earlier day if the publisher still has it; return whether it has.

    Args:
        bucket: bucket with the cache.
        edition: the edition; a publisher that takes conditional requests describes only a new one.
        day: today, as whose edition the cached one then counts.
        path: target path.

    Raises:
        SourceError: the publisher does not answer, or refuses.
        Unavailable: the bucket cannot be reached.
    """
    known = _known(bucket, edition.url)
    asked = replace(edition, etag=known["etag"])
    if not asked.etag or not _is_intact(bucket, edition.url, known, path):
        return False
    if transport_of(edition.url).look(asked).etag != asked.etag:
        return False
    _write_note(bucket, edition.url, {**known, "day": str(day)})
    return True


def keep(bucket: Bucket, found: Download[str], day: dt.date) -> None:
    """Replace the cached edition with one that was fetched, complete and checked, on a day."""
    bucket.upload(found.path, _key(found.url))
    _write_note(
        bucket, found.url, {"day": str(day), "sha256": found.sha256, "etag": found.etag or ""}
    )


def _is_intact(bucket: Bucket, url: str, known: Mapping[str, str], path: Path) -> bool:
    if bucket.info(_key(url)) is None:
        return False
    bucket.download(_key(url), path)
    return sha256_of(path) == known["sha256"]


def _write_note(bucket: Bucket, url: str, known: Mapping[str, str]) -> None:
    note = {"url": without_secrets(url), **known}
    put(bucket, json.dumps(note, indent=2).encode(), _note(url))


def _key(url: str) -> str:
    return f"covid/editions/{hashlib.sha256(url.encode()).hexdigest()[:8]}.json"


def _note(url: str) -> str:
    return _key(url).replace(".json", ".note.json")


def _known(bucket: Bucket, url: str) -> dict[str, str]:
    """Return the fields of the note, empty if they are absent or damaged."""
    stored = bucket.read(_note(url))
    try:
        note: Any = json.loads(stored.data if stored else b"{}")
    except ValueError:
        note = {}
    found = note if isinstance(note, dict) else {}
    return {field: str(found.get(field, "")) for field in ("day", "sha256", "etag")}
