"""Held months: what is set aside in the bucket for a month that its gates held.

The record, a small JSON object, is written after the objects that it describes. Without it, the
month is not held, whatever other objects there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.clock import utc_now
from core.download.remote_file import Download
from core.errors import Held, Remedy
from core.storage.bucket import Bucket
from core.storage.put import write_json
from monthly.gates.judging import Finding
from monthly.gates.thresholds import Gates
from monthly.ledger import Entry, confirmed, known_fields
from monthly.month import Month
from monthly.newer import UNREADABLE, known, unreadable

if TYPE_CHECKING:
    from monthly.convert.to_parquet import Converted

#: Accepts a held month.
ACCEPT = Remedy("accept", True, "to load it anyway")
_FOLDER = "held"


@dataclass(frozen=True)
class HeldMonth:
    """The record of a month that is set aside.

    Attributes:
        held_at: when, UTC, ISO 8601.
        findings: why.
        entry: what would have become its ledger entry, with the keys of the objects set aside.
        accepted_at: when it was accepted, UTC, ISO 8601; empty if it was not. If a run is killed
            while it accepts the month, any other run completes it.
        version: the bucket's version of the record, for a conditional write.
    """

    held_at: str
    findings: tuple[Finding, ...]
    entry: Entry
    accepted_at: str = ""
    version: str = ""

    @classmethod
    def of(cls, record: Mapping[str, Any], version: str) -> HeldMonth:
        """Return the record that `to_json` wrote."""
        findings = tuple(Finding.of(each) for each in record["findings"])
        entry, accepted = Entry.of(record["entry"]), record["accepted_at"]
        return cls(record["held_at"], findings, entry, accepted, version)

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        findings = [each.to_json() for each in self.findings]
        when = {"held_at": self.held_at, "accepted_at": self.accepted_at}
        return {**when, "findings": findings, "entry": asdict(self.entry)}

    def holds_under(self, gates: Gates) -> bool:
        """Return whether these thresholds also hold the month, and nobody has accepted it."""
        return not self.accepted_at and any(
            each.beyond > getattr(gates, each.gate).hold for each in self.findings
        )

    def is_over(self, entry: Entry) -> bool:
        """Return whether the ledger has its file, or a different one from the same address."""
        same_file = self.entry.source_sha256 == entry.source_sha256
        return same_file or self.entry.url == entry.url


def aside_key(month: Month, kind: str) -> str:
    """Return the key of an object set aside, like `held/green/green_tripdata_2020-10.json`."""
    return f"{_FOLDER}/{month.dataset}/{month.stem}.{kind}"


@dataclass(frozen=True)
class Aside:
    """What is set aside for a month.

    Attributes:
        keys: keys of its objects, the record last.
        held: the record; None if there is none, as after a run that was killed.
    """

    keys: tuple[str, ...] = ()
    held: HeldMonth | None = None

    def is_over(self, entry: Entry) -> bool:
        """Return whether it is a leftover, because the publisher's file confirms the entry."""
        return bool(self.keys) and (self.held is None or self.held.is_over(entry))


#: For most months, nothing is set aside.
NOTHING = Aside()


def read_aside(bucket: Bucket, month: Month) -> Aside:
    """Return what is set aside for a month.

    Raises:
        StorageError: its record cannot be read.
    """
    keys = keys_aside(bucket, month)
    return Aside(keys, _record(bucket, month) if keys else None)


def keys_aside(bucket: Bucket, month: Month) -> tuple[str, ...]:
    """Return the keys of the objects that are set aside for a month, the record last."""
    folder = f"{_FOLDER}/{month.dataset}"
    there = {f"{folder}/{listed.name}" for listed in bucket.files(folder)}
    kinds = ("parquet", "rejects.csv", "report.html", "json")
    return tuple(key for kind in kinds if (key := aside_key(month, kind)) in there)


def _record(bucket: Bucket, month: Month) -> HeldMonth | None:
    key = aside_key(month, "json")
    stored = bucket.read(key)
    if stored is None:
        return None
    try:
        return HeldMonth.of(json.loads(stored.data), stored.version)
    except UNREADABLE as error:
        where, data = f"{month}: {bucket.uri(key)}", stored.data
        raise unreadable(
            where, "the record of a held month", error, lambda: _known(json.loads(data))
        ) from error


def _known(record: Mapping[str, Any]) -> HeldMonth:
    """Return a record without the fields that this version lacks."""
    findings = [known(Finding, each) for each in record["findings"]]
    return HeldMonth.of(
        {**record, "findings": findings, "entry": known_fields(record["entry"])}, version=""
    )


def keep_aside(
    bucket: Bucket,
    entry: Entry,
    converted: Converted,
    report: Path,
    findings: Sequence[Finding],
    replacing: HeldMonth | None,
) -> None:
    """Upload a month without a ledger entry: its object, rejects, report, and last its record.

    Args:
        bucket: the bucket to write to.
        entry: the month's entry, before it has an object.
        converted: the Parquet file and its rejects.
        report: the page with the findings.
        findings: why it is held.
        replacing: the record that was read when the month was planned.

    Raises:
        Conflict: another run wrote the record in the meantime.
    """
    month = converted.month
    info = bucket.upload(converted.path, aside_key(month, "parquet"))
    rejects, page = aside_key(month, "rejects.csv"), aside_key(month, "report.html")
    if converted.rejects:
        bucket.upload(converted.rejects, rejects)
    else:
        bucket.delete(rejects)
    bucket.upload(report, page)
    kept = replace(
        entry,
        object_key=aside_key(month, "parquet"),
        object_size=info.size,
        object_sha256=converted.sha256,
        object_version=info.version,
        rejects_key=rejects if converted.rejects else None,
        report_key=page,
    )
    _write(bucket, month, HeldMonth(utc_now(), tuple(findings), kept), replacing)


def confirm_aside(bucket: Bucket, month: Month, held: HeldMonth, found: Download[Month]) -> None:
    """Store the publisher's new ETag or modification time for the same held content."""
    _write(bucket, month, replace(held, entry=confirmed(held.entry, found)), held)


def accept_aside(bucket: Bucket, month: Month, held: HeldMonth) -> None:
    """Record that a held month was accepted, before any of it is loaded."""
    _write(bucket, month, replace(held, accepted_at=utc_now()), held)


def _write(bucket: Bucket, month: Month, record: HeldMonth, replacing: HeldMonth | None) -> None:
    version = replacing.version if replacing else None
    write_json(bucket, aside_key(month, "json"), record.to_json(), version)


def discard(bucket: Bucket, aside: Aside) -> None:
    """Remove what is set aside for a month, the record last."""
    for key in aside.keys:
        bucket.delete(key)


def reason_of(findings: Sequence[Finding]) -> str:
    """Return the findings as a sentence."""
    return "; ".join(each.text for each in findings)


def held_error(month: Month, findings: Sequence[Finding], report: str = "") -> Held:
    """Return the error that says why a month is held, and how to accept it.

    Args:
        month: the month.
        findings: why it is held.
        report: where its report is; empty if nothing is set aside.
    """
    kept = f"its report is {report}" if report else "nothing of it was kept"
    return Held(f"{month}: {reason_of(findings)}; {kept}", ACCEPT)
