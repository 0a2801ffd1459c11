"""The plan of which files to rewrite and why, based on listings and the ledger alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from core.errors import UsageError
from core.storage.bucket import Listed
from row_groups.ledger import Entry, read_entry
from row_groups.places import Place
from row_groups.rewrite import declared_dataset

#: "" selects recently changed files, test_subset only the first file, reprocess all files.
Intent = Literal["", "test_subset", "reprocess"]
#: Older than any file, but still within the range of dates.
_ALL_DAYS = 100_000
_OTHER = "what the sink has is not what its ledger names"


@dataclass(frozen=True)
class Planned:
    """A file of the source and whether to rewrite it.

    Attributes:
        name: file name in source and sink.
        modified: modification time of the source, UTC, ISO 8601.
        due: whether to rewrite the file.
        reason: why, or why not.
        entry: the file's ledger entry; None if it was never rewritten.
        entry_version: version of that entry, for a conditional write.
    """

    name: str
    modified: str
    due: bool
    reason: str
    entry: Entry | None
    entry_version: str | None

    @property
    def stem(self) -> str:
        """Return the name without its extension."""
        return PurePosixPath(self.name).stem

    def __str__(self) -> str:
        """Return the name."""
        return self.name


def plan_files(
    source: Place,
    sink: Place,
    pattern: str,
    intent: str,
    days: int,
    now: dt.datetime,
    rows_per_group: int,
) -> list[Planned]:
    """Plan the files that an intent selects, sorted by name, without writing anything.

    Args:
        source: folder with the files.
        sink: folder with the rewritten files and their ledger.
        pattern: glob pattern of the names.
        intent: one of `Intent`.
        days: maximum age of a change for the intent "".
        now: current time, with a time zone.
        rows_per_group: rows that each row group except the last shall have.

    Raises:
        UsageError: the intent is unknown, days is negative, or source and sink are the same.
    """
    _refuse(source, sink, intent, days)
    files = source.files(pattern)
    if intent == "test_subset":
        files = files[:1]
    since = None if intent else now - dt.timedelta(days=min(days, _ALL_DAYS))
    return [_planned(file, source, sink, intent, since, rows_per_group) for file in files]


def _refuse(source: Place, sink: Place, intent: str, days: int) -> None:
    if intent not in get_args(Intent):
        raise UsageError(
            f"unknown intent {intent!r}: leave it empty for what changed in the last days, "
            "or write test_subset or reprocess"
        )
    if days < 0:
        raise UsageError(f"days {days} is negative; write 0 or more")
    # A link, or a path with `..`, may lead to the same folder; an S3 address stays as it is.
    if Path(str(source)).resolve() == Path(str(sink)).resolve():
        raise UsageError(f"source and sink are both {source}; name another sink")


def _planned(
    file: Listed,
    source: Place,
    sink: Place,
    intent: str,
    since: dt.datetime | None,
    rows_per_group: int,
) -> Planned:
    entry, version = read_entry(sink, file.name)
    due, reason, but = True, intent, ""
    if since and file.modified < since:
        due, reason = False, f"not changed since {since:%Y-%m-%d %H:%M} UTC"
        if but := _not_rewritten(file, sink, entry):
            reason += f", but {but}; increase days, or set intent to reprocess"
    elif intent != "reprocess":
        due, reason = _changed(file, source, sink, entry)
    if entry and not due and not but:
        reason += _but(file, entry, rows_per_group)
    return Planned(file.name, file.modified.isoformat(), due, reason, entry, version)


def _not_rewritten(file: Listed, sink: Place, entry: Entry | None) -> str:
    """Return why a file that is too old to be due is not the rewritten one; empty if it is."""
    if entry is None:
        return "never rewritten"
    if file.size != entry.source_size:
        return f"it had {entry.source_size:,} bytes when rewritten, and now has {file.size:,}"
    return "" if is_in_sink(sink, file.name, entry) else _OTHER


def _changed(file: Listed, source: Place, sink: Place, entry: Entry | None) -> tuple[bool, str]:
    """Return whether the source or sink differs from the ledger, and why; a new time is ignored."""
    if entry is None:
        return True, "not rewritten yet"
    if file.size != entry.source_size:
        return True, f"changed: {entry.source_size:,} bytes became {file.size:,}"
    same_time = file.modified.isoformat() == entry.source_modified
    if not same_time and source.bucket.etag(source.key(file.name)) != entry.source_etag:
        return True, "changed: the same size, another ETag"
    if not is_in_sink(sink, file.name, entry):
        return True, _OTHER
    return False, "same size and time" if same_time else "a new time, but the same size and ETag"


def _but(file: Listed, entry: Entry, rows_per_group: int) -> str:
    """Return how an unchanged file differs from what this run asks for, and the remedy."""
    lacks = []
    if entry.rows_per_group != rows_per_group:
        lacks.append(f"{entry.rows_per_group:,} rows per group, not {rows_per_group:,}")
    dataset = declared_dataset(file.name)  # the declaration may be gone since the last run
    if dataset and entry.schema_version != dataset.schema_version:
        lacks.append("the types of another declaration")
    return f", but it has {', and '.join(lacks)}; set intent to reprocess" if lacks else ""


def is_in_sink(sink: Place, name: str, entry: Entry) -> bool:
    """Return whether the object of an entry exists and is unchanged since it was written."""
    info = sink.bucket.info(sink.key(name))
    return info is not None and (info.size, info.version) == (
        entry.object_size,
        entry.object_version,
    )
