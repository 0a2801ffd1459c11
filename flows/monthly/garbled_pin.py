"""The pin of a month whose ledger entry this version cannot read, as a newer one wrote it."""

from __future__ import annotations

import json

from core.errors import StorageError
from core.storage.bucket import Bucket, Stored
from monthly.ledger import entry_key
from monthly.month import Month


def refuse_garbled_pin(bucket: Bucket, month: Month) -> None:
    """Refuse to replace a month with a garbled entry that says that it is pinned.

    Raises:
        StorageError: it is pinned.
    """
    if garbled_pin(bucket.read(entry_key(month))):
        raise StorageError(
            f"{month}: {bucket.uri(entry_key(month))} is pinned, but not an entry of this version",
            "unpin the month with the version that pinned it",
        )


def garbled_pin(stored: Stored | None) -> str:
    """Return the pin of a garbled entry as text, whatever its type; empty without one."""
    try:
        record = json.loads(stored.data) if stored else None
    except ValueError:
        return ""
    pinned = record.get("pinned") if isinstance(record, dict) else None
    return pinned if isinstance(pinned, str) else json.dumps(pinned) if pinned else ""
