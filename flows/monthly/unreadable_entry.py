"""Ledger entries that this version cannot read, but must not replace."""

from __future__ import annotations

import json

from core.errors import StorageError
from core.storage.bucket import Bucket, Stored
from monthly.ledger import REBUILD, entry_key, refuse_damaged
from monthly.month import Month
from monthly.newer import UNREADABLE


def refuse_unreplaceable(bucket: Bucket, month: Month) -> None:
    """Refuse to replace an unreadable entry that a newer version wrote, or that is pinned.

    Raises:
        StorageError: a newer version wrote it, or it is damaged, but says that it is pinned.
    """
    stored, uri = bucket.read(entry_key(month)), bucket.uri(entry_key(month))
    if stored is not None and is_newer(stored.data):
        raise StorageError(
            f"{month}: {uri} was written by a newer version", *newer_advice("object")
        )
    if garbled_pin(stored):
        raise StorageError(f"{month}: {uri} is pinned, but damaged", REBUILD, _without("object"))


def newer_advice(what: str) -> tuple[str, str]:
    """Return what to do where a newer version wrote the entry in an object or a row."""
    return "update this project", _without(what)


def _without(what: str) -> str:
    return f"remove that {what} to load the month again, without its history and pin"


def is_newer(data: str | bytes) -> bool:
    """Return whether a newer version wrote an entry that this version cannot read."""
    try:
        refuse_damaged(data)
    except UNREADABLE:
        return False
    return True


def garbled_pin(stored: Stored | None) -> str:
    """Return the pin of a garbled entry as text, whatever its type; empty without one."""
    try:
        record = json.loads(stored.data) if stored else None
    except ValueError:
        return ""
    pinned = record.get("pinned") if isinstance(record, dict) else None
    return pinned if isinstance(pinned, str) else json.dumps(pinned) if pinned else ""
