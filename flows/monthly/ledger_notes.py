"""A month's load and report, as its ledger entry records them after the upload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.errors import Conflict
from core.storage.bucket import Bucket
from monthly.ledger import Entry, read_entry, report_key, write_entry
from monthly.month import Month


def has_report(bucket: Bucket, month: Month, entry: Entry) -> bool:
    """Return whether the bucket has a report that shows the month's current object.

    Args:
        bucket: the bucket with the entry and the report.
        month: the month.
        entry: its ledger entry, which names a report drawn from this object. Entries from before
            1.3, which lack column figures too, name none.
    """
    if entry.report_key is None and entry.columns:
        return False
    return bucket.info(report_key(month)) is not None


def note_report(bucket: Bucket, month: Month, drawn: Entry) -> None:
    """Record that the month's report was drawn, unless another run has replaced the month since.

    Args:
        bucket: the bucket with the entry and the report.
        month: the month.
        drawn: the entry of the object that the report shows.
    """
    _note(
        bucket,
        month,
        drawn,
        lambda entry: entry if entry.report_key else replace(entry, report_key=report_key(month)),
    )


def note_load(bucket: Bucket, month: Month, loaded: Entry, seconds: float) -> bool:
    """Record how long the load into the warehouse took, unless the month was replaced since.

    Return whether the bucket still has the object that was loaded. If not, another run may already
    have loaded the object that replaced it.

    Args:
        bucket: the bucket with the entry.
        month: the month.
        loaded: the entry of the object that was loaded.
        seconds: duration of the load.
    """
    taken = {"load": round(seconds, 3)}
    return _note(
        bucket,
        month,
        loaded,
        lambda entry: replace(entry, seconds={**entry.seconds, **taken}),
    )


def _note(bucket: Bucket, month: Month, known: Entry, noted: Callable[[Entry], Entry]) -> bool:
    """Change the month's entry if it still describes the known object; return whether it does."""
    while True:
        entry, version = read_entry(bucket, month)
        if entry is None or entry.object_sha256 != known.object_sha256:
            return False
        if (new := noted(entry)) == entry:
            return True
        try:
            write_entry(bucket, month, new, version)
        except Conflict:
            continue  # another run wrote the entry: it may be of another object now
        return True
