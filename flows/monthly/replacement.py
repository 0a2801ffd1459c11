"""The replacement of a month in the bucket by a corrected file or an earlier edition.

In both cases, the replaced object becomes an edition first, and the ledger entry is written last:
until then, the old month is in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.checksums import sha256_of
from core.clock import utc_now
from core.download.remote_file import Download
from core.errors import Conflict, StorageError
from core.storage.bucket import Bucket
from core.waiting import LOG
from monthly.editions import (
    edition_names,
    edition_of,
    keep_edition,
    proven_version,
    prune,
    read_edition,
)
from monthly.ledger import (
    Entry,
    entry_key,
    keep,
    object_key,
    read_entry,
    rejects_key,
    write_entry,
)
from monthly.month import Month
from monthly.revision import Revision
from monthly.warehouses import AGAIN

if TYPE_CHECKING:
    from monthly.convert.to_parquet import Converted


@dataclass(frozen=True)
class Replaced:
    """What a new edition of a month replaces.

    Attributes:
        entry: the ledger entry.
        revision: what changes; None if the new object has the same bytes.
        editions: number of editions to keep.
    """

    entry: Entry
    revision: Revision | None
    editions: int


def replace_month(
    bucket: Bucket,
    download: Download[Month],
    converted: Converted,
    replacing: str | None,
    replaced: Replaced | None,
) -> Entry:
    """Upload a converted month; the object that it replaces becomes an edition first.

    If another run pins the month during the upload, the edition is put back.

    Args:
        bucket: the bucket to write to.
        download: the published file it was converted from.
        converted: the Parquet file and its counts.
        replacing: version of the entry that was read when the month was planned.
        replaced: what it replaces; None for a new month.

    Raises:
        Conflict: another run wrote the month in the meantime.
    """
    month = download.what
    with _sparing_pinned(bucket, month):
        # A month takes minutes to convert: long enough for somebody to pin the one that is there.
        _confirm(bucket, month, replacing)
        if replaced is None:
            return keep(bucket, month, download, converted, replacing)
        if replaced.revision and replaced.editions:
            keep_edition(bucket, month, replaced.entry)
        history = _extended(replaced.entry, replaced.revision)
        entry = keep(bucket, month, download, converted, replacing, history)
    if replaced.revision:
        _pruned(bucket, month, entry, replaced.editions)
    return entry


def restore(bucket: Bucket, month: Month, edition: str, folder: Path, editions: int) -> Entry:
    """Replace a month's object with an edition, and pin it.

    The object that it replaces becomes an edition first, even if none are kept otherwise.

    Args:
        bucket: the bucket.
        month: the month.
        edition: name of the edition, see `monthly.editions`.
        folder: the folder for the objects to compare.
        editions: number of editions to keep.

    Raises:
        Conflict: another run wrote the month in the meantime.
        StorageError: the edition is damaged, or the month is not in the bucket.
    """
    # Imported here: Arrow takes 0.25 s to import, and only restoring needs it.
    from monthly.corrections import correction

    before, version = known_entry(bucket, month)
    if edition == edition_of(before.object_sha256) and _is_whole(bucket, before):
        return pin(bucket, month)
    kept = read_edition(bucket, month, edition)
    path = _fetched(bucket, month, kept, folder)
    after = replace(kept, object_key=object_key(month), pinned=utc_now())
    reason = f"edition {edition} restored"
    revision = correction(bucket, month, before, after, path, reason, folder)
    with _sparing_pinned(bucket, month):
        _confirm(bucket, month, version)
        keep_edition(bucket, month, before)
        info = bucket.upload(path, object_key(month))
        after = replace(after, object_version=info.version, history=_extended(before, revision))
        entry = replace(after, rejects_key=_restored_rejects(bucket, month, kept))
        write_entry(bucket, month, entry, version)
    _pruned(bucket, month, entry, max(editions, 1))
    return entry


def _is_whole(bucket: Bucket, entry: Entry) -> bool:
    """Return whether a month's object is the one in the ledger, and its rejects are there."""
    has_rejects = not entry.rejects_key or bucket.info(entry.rejects_key) is not None
    return has_rejects and proven_version(bucket, entry) is not None


def _pruned(bucket: Bucket, month: Month, entry: Entry, keep: int) -> None:
    """Remove older editions; without that, the month is replaced all the same."""
    try:
        prune(bucket, month, entry, keep)
    except StorageError as error:
        LOG.warning("%s: its older editions stay until the next correction: %s", month, error)


def pin(bucket: Bucket, month: Month) -> Entry:
    """Keep runs from replacing a month, until it is unpinned.

    Raises:
        Conflict: another run wrote the month in the meantime.
        StorageError: the month is not in the bucket, or has changed since it was loaded.
    """
    entry, version = refuse_unpinnable(bucket, month)
    if entry.pinned:
        return entry
    pinned = replace(entry, pinned=utc_now())
    write_entry(bucket, month, pinned, version)
    return pinned


def refuse_unpinnable(bucket: Bucket, month: Month) -> tuple[Entry, str | None]:
    """Return the ledger entry of a month that is or can be pinned, and its version; see `pin`."""
    entry, version = known_entry(bucket, month)
    if not entry.pinned and proven_version(bucket, entry) is None:
        uri = bucket.uri(entry.object_key)
        raise StorageError(
            f"{month}: {uri} is gone or not the object in the ledger, so it cannot be pinned",
            AGAIN,
        )
    return entry, version


def unpin(bucket: Bucket, month: Month) -> Entry:
    """Let runs replace a month again.

    Raises:
        Conflict: another run wrote the month in the meantime.
        StorageError: the month is not in the bucket.
    """
    entry, version = known_entry(bucket, month)
    if entry.pinned:
        entry = replace(entry, pinned="")
        write_entry(bucket, month, entry, version)
    return entry


def known_entry(bucket: Bucket, month: Month) -> tuple[Entry, str | None]:
    """Return the ledger entry of a month and its version.

    Raises:
        StorageError: the month is not in the bucket.
    """
    entry, version = read_entry(bucket, month)
    if entry is None:
        raise StorageError(
            f"{month} is not in the bucket; run flows/etl_web_to_gcs.py for it first"
        )
    return entry, version


def _confirm(bucket: Bucket, month: Month, version: str | None) -> None:
    """Raise a Conflict if the month's entry is not the one that was read any more."""
    stored = bucket.read(entry_key(month))
    if (stored.version if stored else None) != version:
        uri = bucket.uri(entry_key(month))
        raise Conflict(f"{uri} was changed by another run; run again")


@contextmanager
def _sparing_pinned(bucket: Bucket, month: Month) -> Iterator[None]:
    """Put a pinned month's object back if this run replaced it before it noticed the pin."""
    try:
        yield
    except Conflict:
        entry, version = read_entry(bucket, month)
        if entry and entry.pinned and proven_version(bucket, entry) is None:
            _put_back(bucket, month, entry, version)
        raise


def _put_back(bucket: Bucket, month: Month, entry: Entry, version: str | None) -> None:
    """Copy the edition of a pinned entry, if it is kept, in place of the month's object."""
    edition = edition_of(entry.object_sha256)
    if edition not in edition_names(bucket, month):
        return
    kept = read_edition(bucket, month, edition)
    if bucket.sha256(kept.object_key) != entry.object_sha256:
        return
    there = bucket.info(kept.object_key)
    _confirm(bucket, month, version)
    info = bucket.copy(kept.object_key, object_key(month), there.version if there else "")
    rejects = _restored_rejects(bucket, month, kept)
    known = replace(entry, object_version=info.version, rejects_key=rejects)
    write_entry(bucket, month, known, version)


def _extended(before: Entry, revision: Revision | None) -> tuple[Revision, ...]:
    return (*before.history, revision) if revision else before.history


def _fetched(bucket: Bucket, month: Month, kept: Entry, folder: Path) -> Path:
    path = folder / f"{month.stem}.edition.parquet"
    bucket.download(kept.object_key, path)
    if sha256_of(path) != kept.object_sha256:
        raise StorageError(
            f"{month}: {bucket.uri(kept.object_key)} is damaged: its SHA-256 is not that of the "
            "edition; restore another one, or load the month from the publisher"
        )
    return path


def _restored_rejects(bucket: Bucket, month: Month, kept: Entry) -> str | None:
    info = bucket.info(kept.rejects_key) if kept.rejects_key else None
    if info is None or kept.rejects_key is None:
        bucket.delete(rejects_key(month))
        return None
    bucket.copy(kept.rejects_key, rejects_key(month), info.version)
    return rejects_key(month)
