"""Checks of a month in the bucket: entry, object, footer, rejects and report."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.errors import BadFile, SchemaError
from core.storage.bucket import Bucket, ObjectInfo, Stored
from monthly.ledger import (
    Entry,
    entry_key,
    object_key,
    refuse_damaged,
    rejects_key,
    report_key,
)
from monthly.month import Month
from monthly.newer import UNREADABLE, newer
from monthly.revision import EDITIONS
from monthly.schema_change import schema_change
from monthly.unreadable_entry import garbled_pin
from monthly.verify.findings import Fault, FaultKind
from monthly.verify.footer import Footer, read_footer
from monthly.verify.measuring import measure_object, rebuilt_entry
from monthly.warehouses import Recorded


@dataclass(frozen=True)
class Inspected:
    """What the bucket has of a month.

    Attributes:
        faults: what is wrong there.
        entry: the ledger entry, or what stands in for it; None if nothing says what the month is.
        version: version of the stored entry; None if it is absent.
        is_read: whether the object was read in full.
    """

    faults: tuple[Fault, ...]
    entry: Entry | None
    version: str | None
    is_read: bool = False


@dataclass(frozen=True)
class Inspection:
    """The checks of one month, which write nothing.

    Attributes:
        month: the month.
        bucket: where it is kept.
        recorded: the warehouse's ledger row, which has a copy of the entry.
        read: whether to read the object in full even if its version proves the content.
    """

    month: Month
    bucket: Bucket
    recorded: Recorded | None
    read: bool

    def inspect(self) -> Inspected:
        """Inspect the month in the bucket.

        Raises:
            StorageError: the bucket cannot be read, or a newer version wrote the entry.
        """
        stored = self.bucket.read(entry_key(self.month))
        version = stored.version if stored else None
        found = self._entry(stored)
        if isinstance(found, Fault):
            is_garbled = found.kind is FaultKind.ENTRY_GARBLED
            return self._without_entry(found, version, garbled_pin(stored) if is_garbled else "")
        return self._with_entry(found, version)

    def _entry(self, stored: Stored | None) -> Entry | Fault:
        if stored is None:
            return self._of_entry(FaultKind.ENTRY_MISSING, "the ledger has no entry")
        try:
            entry = Entry.of(json.loads(stored.data))
            schema_change(entry)
            dt.datetime.fromisoformat(entry.converted_at)
        except UNREADABLE as error:
            return self._garbled(stored, error)
        if (entry.dataset, entry.year_month) != (self.month.dataset, self.month.year_month):
            other = f"this is the entry of {entry.dataset} {entry.year_month}"
            return self._of_entry(FaultKind.ENTRY_OF_ANOTHER, other)
        if entry.object_key.startswith(EDITIONS):
            edition = f"this is the entry of an edition, {entry.object_key}"
            return self._of_entry(FaultKind.ENTRY_WRONG, edition)
        return entry

    def _garbled(self, stored: Stored, error: Exception) -> Fault:
        """Return the fault of an entry that cannot be read; a repair would lose its history.

        Raises:
            StorageError: a newer version wrote it.
        """
        try:
            refuse_damaged(stored.data)
        except UNREADABLE:
            return self._of_entry(FaultKind.ENTRY_GARBLED, f"this is not an entry: {error}")
        raise newer(f"{self.month}: {self.bucket.uri(entry_key(self.month))}", error)

    def _with_entry(self, entry: Entry, version: str | None) -> Inspected:
        info = self.bucket.info(entry.object_key)
        wrong, is_read = self._object_fault(entry, info)
        said = ""
        if wrong and info and self._was_loaded(entry, info):
            said = "it names a different object from the one that is there and was loaded"
        elif info and not wrong:
            said = self._contradiction(entry, info)
        if info and said:
            wrong = self._of_entry(FaultKind.ENTRY_WRONG, said)
            other = self._stand_in(info)
            entry = replace(other, pinned=entry.pinned, history=entry.history)
        faults = [wrong] if wrong else []
        return Inspected((*faults, *self._beside(entry)), entry, version, is_read)

    def _without_entry(self, fault: Fault, version: str | None, pinned: str) -> Inspected:
        """Check the object against what stands in for the entry, whose pin it keeps."""
        copy, info = self.recorded.entry if self.recorded else None, self._info()
        if info is None:
            if fault.kind is FaultKind.ENTRY_MISSING and copy and not copy.object_key:
                return Inspected((), copy, None)  # loaded straight from the publisher
            return Inspected((fault, self._missing(object_key(self.month))), copy, version)
        try:
            entry = self._stand_in(info)
        except (BadFile, SchemaError) as error:
            damage = self._damage(object_key(self.month), str(error))
            return Inspected((fault, damage), copy, version, True)
        entry = replace(entry, pinned=pinned or entry.pinned)
        other = self._of_another(entry.object_key, info)
        faults = [fault, *([other] if other else []), *self._beside(entry)]
        return Inspected(tuple(faults), entry, version, True)

    def _info(self) -> ObjectInfo | None:
        return self.bucket.info(object_key(self.month))

    def _stand_in(self, info: ObjectInfo) -> Entry:
        """Return the warehouse's copy of the entry if it is of this object, else a rebuilt one."""
        key, known = object_key(self.month), self.recorded
        if known and known.entry and self._is(known.entry, info):
            entry = replace(known.entry, object_size=info.size, object_version=info.version)
        else:
            found = measure_object(self.bucket, self.month, key)
            is_it = known is not None and known.sha256 == found.sha256
            source = known.source if known and is_it else ""
            entry = rebuilt_entry(self.month, info, found, source, self._rejects())
        report = report_key(self.month)
        return replace(entry, report_key=report if self.bucket.info(report) else None)

    def _is(self, entry: Entry, info: ObjectInfo) -> bool:
        """Return whether an object is the entry's; read it if its version proves nothing.

        Copying a bucket changes the versions, but not the content.
        """
        if info.size != entry.object_size:
            return False
        if self.bucket.is_versioned and info.version == entry.object_version and not self.read:
            return True
        return self.bucket.sha256(object_key(self.month)) == entry.object_sha256

    def _was_loaded(self, entry: Entry, info: ObjectInfo) -> bool:
        """Return whether the object is not the entry's, but the one that the warehouse has."""
        known = self.recorded
        if known is None or known.sha256 == entry.object_sha256:
            return False
        return known.sha256 == self.bucket.sha256(object_key(self.month))

    def _object_fault(self, entry: Entry, info: ObjectInfo | None) -> tuple[Fault | None, bool]:
        """Return the object's fault, if any, and whether it was read in full."""
        if info is None:
            return self._missing(entry.object_key), False
        if info.size != entry.object_size:
            said = f"it has {info.size:,} bytes, and the entry says {entry.object_size:,}"
            return self._other_or_damaged(entry.object_key, info, said), False
        proven = self.bucket.is_versioned and info.version == entry.object_version
        if proven and not self.read:
            return None, False
        if self.bucket.sha256(entry.object_key) == entry.object_sha256:
            return None, True
        said = "its SHA-256 is not the one in the entry"
        return self._other_or_damaged(entry.object_key, info, said), True

    def _other_or_damaged(self, key: str, info: ObjectInfo, said: str) -> Fault:
        return self._of_another(key, info) or self._damage(key, said)

    def _contradiction(self, entry: Entry, info: ObjectInfo) -> str:
        """Return how an entry contradicts the footer of its own object; empty if it does not."""
        if entry.rows_read != entry.rows_written + entry.rows_rejected:
            return (
                f"it says {entry.rows_read:,} rows read, but {entry.rows_written:,} written and "
                f"{entry.rows_rejected:,} rejected"
            )
        footer = read_footer(self.bucket, entry.object_key, info.size)
        if footer.rows != entry.rows_written:
            return f"it says {entry.rows_written:,} rows, and the object has {footer.rows:,}"
        return "; ".join(_other_nulls(entry, footer))

    def _of_another(self, key: str, info: ObjectInfo) -> Fault | None:
        """Return the fault of an object with the rows of another month; None if it has none."""
        try:
            footer = read_footer(self.bucket, key, info.size)
        except BadFile:
            return None  # it is damaged, as the caller says
        if footer.months is None or footer.is_of(self.month):
            return None
        said = f"it has the rows of {footer.year_month}"
        return Fault(FaultKind.OBJECT_OF_ANOTHER, said, self.bucket.uri(key))

    def _beside(self, entry: Entry) -> Iterator[Fault]:
        """Yield the faults of the declaration, the rejects and the report."""
        # A pinned month is meant to stay as it is.
        if not entry.pinned and (change := schema_change(entry)):
            yield Fault(FaultKind.OUTDATED, change, self.bucket.uri(entry.object_key))
        if entry.rejects_key:
            yield from self._of_rejects(entry.rejects_key, entry.rows_rejected)
        if entry.report_key and self.bucket.info(entry.report_key) is None:
            uri = self.bucket.uri(entry.report_key)
            yield Fault(FaultKind.REPORT_MISSING, "the report is gone", uri)

    def _of_rejects(self, key: str, expected: int) -> Iterator[Fault]:
        found, uri = self._rejects(key), self.bucket.uri(key)
        if found is None:
            yield Fault(FaultKind.REJECTS_MISSING, "the rejected rows are gone", uri)
        elif found[1] != expected:
            said = f"it has {found[1]:,} rejected rows, and the entry says {expected:,}"
            yield Fault(FaultKind.REJECTS_WRONG, said, uri)

    def _rejects(self, key: str = "") -> tuple[str, int] | None:
        """Return the key and the number of the rejected rows; None if there is no such object."""
        key = key or rejects_key(self.month)
        stored = self.bucket.read(key)
        return (key, _records(stored.data) - 1) if stored else None

    def _of_entry(self, kind: FaultKind, what: str) -> Fault:
        return Fault(kind, what, self.bucket.uri(entry_key(self.month)))

    def _missing(self, key: str) -> Fault:
        return Fault(FaultKind.OBJECT_MISSING, "the object is gone", self.bucket.uri(key))

    def _damage(self, key: str, what: str) -> Fault:
        return Fault(FaultKind.OBJECT_DAMAGED, what, self.bucket.uri(key))


def _other_nulls(entry: Entry, footer: Footer) -> Iterator[str]:
    """Yield the columns whose null counts in footer and entry differ."""
    if not entry.columns:  # from before 1.3
        return
    yield from (
        f"column {name} is not in the object" for name in entry.columns.keys() - footer.columns
    )
    for name, nulls in sorted(footer.nulls.items()):
        count = entry.columns[name].count if name in entry.columns else 0
        if footer.rows - nulls != count:
            yield f"it says {count:,} values of {name}, and the object has {footer.rows - nulls:,}"


def _records(data: bytes) -> int:
    """Count the records of a CSV, whose texts may have line breaks and any length."""
    count, is_open = 0, False
    for line in data.removesuffix(b"\n").split(b"\n"):
        is_open ^= line.count(b'"') % 2 == 1
        count += not is_open
    return count
