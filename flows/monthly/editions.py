"""Editions: earlier objects of a month, kept in the bucket so that they can be restored.

The entry of an edition is written after its object and its rejects: without an entry, the edition
does not exist, whatever other objects there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace

from core.errors import Conflict, StorageError, UsageError
from core.storage.bucket import Bucket, Listed
from core.storage.put import write_json
from monthly.datasets import DATASETS
from monthly.ledger import Entry, known_fields
from monthly.month import Month
from monthly.newer import UNREADABLE, unreadable
from monthly.revision import EDITIONS

#: The fewest digits that may name an edition.
FEWEST_DIGITS = 4
#: In order of removal.
_KINDS = ("json", "rejects.csv", "parquet")


def editions_to_keep(dataset: str, asked: int | None) -> int:
    """Return the number of editions to keep of a month: as asked, or as the dataset declares.

    Raises:
        UsageError: the number is negative.
    """
    if asked is not None and asked < 0:
        raise UsageError(f"{dataset}: keep_editions {asked} is below 0; write 0 to keep none")
    return DATASETS[dataset].keep_editions if asked is None else asked


def edition_of(sha256: str) -> str:
    """Return the name of an edition: the first 12 digits of its object's SHA-256."""
    return sha256[:12]


def edition_key(month: Month, edition: str, kind: str) -> str:
    """Return a key like `editions/green/green_tripdata_2020-10/0a1b2c3d4e5f.parquet`."""
    return f"{_folder(month)}/{edition}.{kind}"


def listed_editions(bucket: Bucket, month: Month) -> dict[str, Listed]:
    """Return the objects of all editions of a month by key, including incomplete editions."""
    folder = _folder(month)
    found = {f"{folder}/{listed.name}": listed for listed in bucket.files(folder)}
    order = {key: _KINDS.index(kind) for key in found if (kind := _kind(key)) in _KINDS}
    return {key: found[key] for key in sorted(order, key=lambda key: (order[key], key))}


def edition_names(bucket: Bucket, month: Month) -> list[str]:
    """Return the editions of a month that have both entry and object, sorted."""
    found = listed_editions(bucket, month)
    names = (name_of(key) for key in found if _kind(key) == "json")
    return sorted(name for name in names if edition_key(month, name, "parquet") in found)


def read_edition(bucket: Bucket, month: Month, edition: str) -> Entry:
    """Return the entry of an edition, with the keys of the edition's own objects.

    Raises:
        StorageError: the edition does not exist, or its entry cannot be read; a newer version may
            have written it.
    """
    key = edition_key(month, edition, "json")
    stored = bucket.read(key)
    if stored is None:
        raise StorageError(f"{month}: {bucket.uri(key)} is gone; run again")
    try:
        return Entry.of(json.loads(stored.data))
    except UNREADABLE as error:
        where, data = f"{month}: {bucket.uri(key)}", stored.data
        raise unreadable(
            where,
            "the entry of an edition",
            error,
            lambda: Entry.of(known_fields(json.loads(data))),
        ) from error


def named_edition(month: Month, text: str, names: Iterable[str]) -> str:
    """Return the edition whose name begins with a text.

    Raises:
        UsageError: the text is too short, or matches no edition or several.
    """
    there = sorted(names)
    found = [name for name in there if name.startswith(text.lower())]
    if len(found) == 1 and len(text) >= FEWEST_DIGITS:
        return found[0]
    kept = f"kept: {', '.join(there)}" if there else "none is kept"
    if len(text) < FEWEST_DIGITS:
        what = f"{text!r} is too short for an edition; write {FEWEST_DIGITS} digits or more"
    elif found:
        what = f"{text!r} matches several editions"
    else:
        what = f"{text!r} matches no edition"
    raise UsageError(f"{month}: {what}; {kept}")


def keep_edition(bucket: Bucket, month: Month, entry: Entry) -> None:
    """Copy the current object of a month, its rejects, and last its entry, unless already copied.

    A copy that was truncated since is replaced, as the current object may be the only good one.

    Nothing is copied if the object is gone or damaged.

    Raises:
        Conflict: another run replaced the object in the meantime.
    """
    edition = edition_of(entry.object_sha256)
    key = edition_key(month, edition, "parquet")
    there = bucket.info(key)
    is_whole = there is not None and there.size == entry.object_size
    if is_whole and bucket.info(edition_key(month, edition, "json")):
        return
    version = proven_version(bucket, entry)
    if version is None:
        return
    info = bucket.copy(entry.object_key, key, version)
    rejects = _copy_rejects(bucket, month, entry, edition)
    kept = replace(entry, object_key=key, object_version=info.version, rejects_key=rejects)
    kept = replace(kept, history=(), pinned="", report_key=None)
    with suppress(Conflict):  # another run keeps the same edition
        write_json(bucket, edition_key(month, edition, "json"), asdict(kept), None)


def proven_version(bucket: Bucket, entry: Entry) -> str | None:
    """Return the version of a month's object if it is the one in the ledger, else None."""
    info = bucket.info(entry.object_key)
    if info is None or info.size != entry.object_size:
        return None
    if bucket.is_versioned and info.version == entry.object_version:
        return info.version
    return info.version if bucket.sha256(entry.object_key) == entry.object_sha256 else None


def prune(bucket: Bucket, month: Month, entry: Entry, keep: int) -> None:
    """Remove all but the last editions of a month; the edition of a pinned object stays too.

    Args:
        bucket: the bucket.
        month: the month.
        entry: its current entry, whose history gives the order of the editions.
        keep: number of editions to keep.
    """
    found, current = listed_editions(bucket, month), edition_of(entry.object_sha256)
    newest = [name for name in _newest_first(found, entry) if name != current]
    wanted = {*newest[:keep], *([current] if entry.pinned else [])}
    for key in found:
        if name_of(key) not in wanted:
            bucket.delete(key)


def _newest_first(found: Mapping[str, Listed], entry: Entry) -> list[str]:
    """Return the editions in the order of the history, then those of a history that was lost."""
    there = {name_of(key) for key in found if _kind(key) == "parquet"}
    replaced = dict.fromkeys(each.edition_before for each in reversed(entry.history))
    complete = [key for key in found if _kind(key) == "json"]
    by_time = sorted(complete, key=lambda key: found[key].modified, reverse=True)
    return [name for name in dict.fromkeys([*replaced, *map(name_of, by_time)]) if name in there]


def _copy_rejects(bucket: Bucket, month: Month, entry: Entry, edition: str) -> str | None:
    info = bucket.info(entry.rejects_key) if entry.rejects_key else None
    if info is None or entry.rejects_key is None:
        return None
    key = edition_key(month, edition, "rejects.csv")
    bucket.copy(entry.rejects_key, key, info.version)
    return key


def _folder(month: Month) -> str:
    return f"{EDITIONS}{month.dataset}/{month.stem}"


def name_of(key: str) -> str:
    """Return the edition that an object belongs to, by the object's key."""
    return key.rpartition("/")[2].partition(".")[0]


def _kind(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[2]
