"""Which files are to be rewritten, and why: decided from listings and the ledger alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, get_args

from core.errors import UsageError
from core.storage.bucket import Listed
from row_groups.ledger import Entry, read_entry
from row_groups.places import Place

#: "" is what changed of late, test_subset the first file only, reprocess everything.
Intent = Literal["", "test_subset", "reprocess"]


@dataclass(frozen=True)
class Planned:
    """A file of the source, and whether there is work.

    Attributes:
        name: of the file, in source and sink.
        modified: when the source was written, UTC, ISO 8601.
        due: whether it is to be rewritten.
        reason: why, or why not.
        entry: what the ledger says of it; None for a file that was never rewritten.
        entry_version: of that entry, for a conditional write.
    """

    name: str
    modified: str
    due: bool
    reason: str
    entry: Entry | None
    entry_version: str | None

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return PurePosixPath(self.name).stem

    def __str__(self) -> str:
        """The name."""
        return self.name


def plan_files(
    source: Place, sink: Place, pattern: str, intent: str, days: int, now: dt.datetime
) -> list[Planned]:
    """Look at the files that an intent means, by name; writes nothing.

    Args:
        source: where the files are.
        sink: where the rewritten ones are, with their ledger.
        pattern: of the names.
        intent: one of `Intent`.
        days: how old a change may be for the intent "".
        now: with a time zone.

    Raises:
        UsageError: an unknown intent, fewer than 0 days, or source and sink are one place.
    """
    _refuse(source, sink, intent, days)
    files = source.files(pattern)
    if intent == "test_subset":
        files = files[:1]
    since = None if intent else now - dt.timedelta(days=days)
    return [_planned(file, source, sink, intent, since) for file in files]


def _refuse(source: Place, sink: Place, intent: str, days: int) -> None:
    if intent not in get_args(Intent):
        raise UsageError(
            f"intent {intent!r} is none; leave it empty for what changed in the last days, "
            "or write test_subset or reprocess"
        )
    if days < 0:
        raise UsageError(f"days {days} is less than none; write 0 or more")
    if str(source) == str(sink):
        raise UsageError(f"source and sink are both {source}; name another sink")


def _planned(
    file: Listed, source: Place, sink: Place, intent: str, since: dt.datetime | None
) -> Planned:
    entry, version = read_entry(sink, file.name)
    due, reason = True, intent
    if since and file.modified < since:
        due, reason = False, f"not changed since {since:%Y-%m-%d %H:%M} UTC"
    elif intent != "reprocess":
        due, reason = _changed(file, source, sink, entry)
    return Planned(file.name, file.modified.isoformat(), due, reason, entry, version)


def _changed(file: Listed, source: Place, sink: Place, entry: Entry | None) -> tuple[bool, str]:
    """Whether there is another content than the ledger speaks of; a new time alone is none."""
    if entry is None:
        return True, "not rewritten yet"
    if file.size != entry.source_size:
        return True, f"changed: {entry.source_size:,} bytes became {file.size:,}"
    same_time = file.modified.isoformat() == entry.source_modified
    if not same_time and source.bucket.etag(source.key(file.name)) != entry.source_etag:
        return True, "changed: the same size, another ETag"
    if not is_in_sink(sink, file.name, entry):
        return True, "what the sink has is not what its ledger speaks of"
    return False, "same size and time" if same_time else "a new time, but the same size and ETag"


def is_in_sink(sink: Place, name: str, entry: Entry) -> bool:
    """Whether the object of an entry is there, and still as it was written."""
    info = sink.bucket.info(sink.key(name))
    return info is not None and (info.size, info.version) == (
        entry.object_size,
        entry.object_version,
    )


def in_work(planned: Sequence[Planned]) -> list[Planned]:
    """Those that there is work for."""
    return [file for file in planned if file.due]
