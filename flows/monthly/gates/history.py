"""The history of a month: the entries of the months before it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from core.storage.bucket import Bucket
from monthly.ledger import Entry, entry_key, read_entry
from monthly.month import Month, months_of_stems

#: Number of months to compare a month with.
MONTHS = 12


def read_history(bucket: Bucket, month: Month) -> list[Entry]:
    """Return the entries of the months nearest to a month, with one request each, concurrently."""
    folder = PurePosixPath(entry_key(month)).parent.as_posix()
    names = [listed.name for listed in bucket.files(folder)]
    stems = [name.removesuffix(".json") for name in names if name.endswith(".json")]
    there = nearest(month, months_of_stems(month.dataset, stems))
    with ThreadPoolExecutor(MONTHS) as reading:
        found = reading.map(lambda each: read_entry(bucket, each, garbled_too=True)[0], there)
        return [entry for entry in found if entry]


def nearest(month: Month, there: Iterable[Month]) -> list[Month]:
    """Return the last twelve months before a month; if there are fewer, add the next ones after."""
    others = sorted(each for each in there if each != month)
    before = [each for each in reversed(others) if each < month]
    return [*before, *(each for each in others if each > month)][:MONTHS]


def alike(entry: Entry, history: Iterable[Entry]) -> list[Entry]:
    """Return the months of the same kind: published, or generated with as many rows."""
    same = (each for each in history if each.is_generated == entry.is_generated)
    return [each for each in same if not entry.is_generated or each.etag == entry.etag]
