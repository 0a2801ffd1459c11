"""The ledger: what the bucket holds of each month, its source, and its row counts.

One JSON object per month, written after everything it describes: without it, a month does
not count as loaded, whatever else exists.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from core.clock import utc_now
from core.download.remote_file import Download, without_secrets
from core.errors import Remedy
from core.storage.bucket import Bucket
from core.storage.put import write_json
from monthly.datasets import DATASETS
from monthly.figures import Figures
from monthly.month import Month
from monthly.newer import UNREADABLE, known, unreadable
from monthly.revision import EDITIONS, Revision
from monthly.sources import is_generated

# An unchanged month needs no Arrow, whose import takes a quarter of a second.
if TYPE_CHECKING:
    from monthly.convert.rows import Accounts
    from monthly.convert.to_parquet import Converted

REBUILD = Remedy("repair", True, "to rebuild it", flow="verify")
#: What a field of an entry is in JSON, by its annotation; any other is an object.
_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "tuple[Revision, ...]": (list, tuple),
}


@dataclass(frozen=True)
class Entry:
    """The ledger entry of one month.

    Attributes:
        dataset: name of the dataset.
        year_month: for example `2021-01`.
        url: source of the published file, without a password or signature.
        etag: the publisher's ETag, if any.
        last_modified: the publisher's modification time, if any.
        source_size: size of the published file, bytes.
        source_sha256: checksum of the published file.
        rows_read: rows of the published file = written + rejected.
        rows_written: rows of the Parquet object.
        rows_rejected: rows that could not be converted.
        schema_version: version of the declared schema as written.
        drift: schema drift: columns renamed, unknown, missing and kept.
        quality: the quality report, see `monthly.convert.quality.Quality`.
        object_key: key of the Parquet object; empty where a database was loaded without one.
        object_size: size of the Parquet object, bytes.
        object_sha256: checksum of the Parquet object. Before 1.3, an entry without an object
            had the checksum and size of the published file here.
        object_version: the bucket's version of the object, to detect external changes.
        rejects_key: key of the CSV of rejected rows; None if there are none.
        converted_at: time of conversion, UTC, ISO 8601.
        signatures: what determined the values of each column; empty in an entry from before 1.2.
        columns: count, minimum, maximum and sum of each column that the published file has;
            empty in an entry from before 1.3.
        history: what each replacement of the month changed, oldest first.
        pinned: when the month was pinned, UTC, ISO 8601; empty if runs may replace it.
        report_key: key of the month's report; None if none was drawn.
        seconds: of `download`, `conversion`, `upload` and `load` (into the warehouse, last time);
            without those that are unknown, and empty in an entry from before 1.4.
    """

    dataset: str
    year_month: str
    url: str
    etag: str | None
    last_modified: str | None
    source_size: int
    source_sha256: str
    rows_read: int
    rows_written: int
    rows_rejected: int
    schema_version: int
    drift: Mapping[str, list[str]]
    quality: Mapping[str, object]
    object_key: str
    object_size: int
    object_sha256: str
    object_version: str
    rejects_key: str | None
    converted_at: str
    signatures: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Figures] = field(default_factory=dict)
    history: tuple[Revision, ...] = ()
    pinned: str = ""
    report_key: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Entry:
        """Return the entry that `record` stored as JSON.

        Raises:
            TypeError: it lacks a field, has an unknown one, or a value of another type.
        """
        entry = cls(**record)
        for each in fields(cls):
            types = _JSON_TYPES.get(str(each.type), (dict,))
            if not isinstance(value := getattr(entry, each.name), types):
                raise TypeError(f"{each.name} is {value!r}")
        columns = {name: Figures(**each) for name, each in record.get("columns", {}).items()}
        history = tuple(Revision.of(each) for each in record.get("history", ()))
        return replace(entry, columns=columns, history=history)

    @property
    def is_generated(self) -> bool:
        """Return whether the month was generated by the source `sample`, not published."""
        return is_generated(self.url)

    @property
    def loaded_sha256(self) -> str:
        """Return the checksum that a warehouse records: of the object or the published file."""
        return self.object_sha256 if self.object_key else self.source_sha256

    @property
    def loaded_size(self) -> int:
        """Return the size of the object, or of the published file if there is no object."""
        return self.object_size if self.object_key else self.source_size

    @property
    def kept(self) -> Mapping[str, str]:
        """Return the published name of each column that was kept although it is undeclared."""
        names = {name: name for name in self.drift.get("kept", ())}
        renamed = (text.rpartition(" -> ") for text in self.drift.get("renamed", ()))
        return names | {name: published for published, _, name in renamed if name in names}


def object_key(month: Month) -> str:
    """Return `data/green/green_tripdata_2020-10.parquet`, the path that the zoomcamp uses."""
    return f"data/{month.dataset}/{month.stem}.parquet"


def rejects_key(month: Month) -> str:
    """Return the key of the rejected rows, next to the Parquet object."""
    return f"data/{month.dataset}/{month.stem}.rejects.csv"


def report_key(month: Month) -> str:
    """Return the key of the report, next to the Parquet object."""
    return f"data/{month.dataset}/{month.stem}.report.html"


def entry_key(month: Month) -> str:
    """Return the key of the entry, such as `ledger/green/green_tripdata_2020-10.json`."""
    return f"ledger/{month.dataset}/{month.stem}.json"


def read_entry(
    bucket: Bucket, month: Month, garbled_too: bool = False
) -> tuple[Entry | None, str | None]:
    """Return the month's entry and its version for a conditional write; (None, None) if absent.

    Args:
        bucket: the bucket.
        month: the month.
        garbled_too: for an unusable entry, return None and its version, so that it can be replaced.

    Raises:
        StorageError: the entry is garbled, of another month or an edition, or of a newer version.
    """
    stored = bucket.read(entry_key(month))
    if stored is None:
        return None, None
    try:
        entry = Entry.of(json.loads(stored.data))
        named = (entry.dataset, entry.year_month)
        if named != (month.dataset, month.year_month) or entry.object_key.startswith(EDITIONS):
            raise ValueError(f"it is of {entry.dataset} {entry.year_month}, {entry.object_key}")
        return entry, stored.version
    except UNREADABLE as error:
        if garbled_too:
            return None, stored.version
        uri, read = bucket.uri(entry_key(month)), partial(refuse_damaged, stored.data)
        raise unreadable(f"{month}: {uri}", "a ledger entry", error, read, REBUILD) from error


def write_entry(bucket: Bucket, month: Month, entry: Entry, replacing: str | None) -> None:
    """Write the month's entry if its version is still `replacing`.

    Raises:
        Conflict: another run wrote it in the meantime.
    """
    write_json(bucket, entry_key(month), asdict(entry), replacing)


def keep(
    bucket: Bucket,
    month: Month,
    download: Download[Month],
    converted: Converted,
    replacing: str | None,
    history: tuple[Revision, ...] = (),
) -> Entry:
    """Upload a converted month to the bucket: its object, its rejects, and last its entry.

    Args:
        bucket: the bucket to write to.
        month: the month.
        download: the published file it was converted from.
        converted: the Parquet file and its counts.
        replacing: version of the entry that was read when the month was planned.
        history: what each replacement of the month changed, including this one.

    Raises:
        Conflict: another run wrote the month in the meantime.
    """
    begun = time.perf_counter()
    info = bucket.upload(converted.path, object_key(month))
    uploaded = time.perf_counter() - begun
    if converted.rejects:
        bucket.upload(converted.rejects, rejects_key(month))
    else:
        bucket.delete(rejects_key(month))
    entry = replace(
        entry_of(month, download, converted),
        object_key=object_key(month),
        object_size=info.size,
        object_sha256=converted.sha256,
        object_version=info.version,
        rejects_key=rejects_key(month) if converted.rejects else None,
        history=history,
        seconds=_known_seconds(download.seconds, converted.seconds, uploaded),
    )
    write_entry(bucket, month, entry, replacing)
    return entry


def _known_seconds(*seconds: float) -> dict[str, float]:
    """Return the seconds of the first stages; 0 means unknown, as of a resumed download."""
    named = zip(("download", "conversion", "upload"), seconds)
    return {stage: round(taken, 3) for stage, taken in named if taken}


def entry_of(month: Month, download: Download[Month], accounts: Accounts) -> Entry:
    """Return the entry of a month that has no object in a bucket."""
    return Entry(
        dataset=month.dataset,
        year_month=month.year_month,
        url=without_secrets(download.url),
        etag=download.etag,
        last_modified=download.last_modified,
        source_size=download.size,
        source_sha256=download.sha256,
        rows_read=accounts.rows_read,
        rows_written=accounts.rows_written,
        rows_rejected=accounts.rows_rejected,
        schema_version=accounts.schema_version,
        drift={name: list(found) for name, found in accounts.drift.items()},
        quality=accounts.quality.figures(DATASETS[month.dataset]),
        object_key="",
        object_size=0,
        object_sha256="",
        object_version="",
        rejects_key=None,
        converted_at=utc_now(),
        signatures=accounts.signatures,
        columns=accounts.columns,
    )


def confirmed(entry: Entry, download: Download[Month]) -> Entry:
    """Return the entry of the same content under a new address, ETag or modification time."""
    return replace(
        entry,
        url=without_secrets(download.url),
        etag=download.etag,
        last_modified=download.last_modified,
    )


def refuse_damaged(data: str | bytes) -> None:
    """Raise one of `UNREADABLE` for an entry that is damaged, not written by a newer version."""
    record = json.loads(data)
    if record.keys() > {each.name for each in fields(Entry)}:
        return
    Entry.of(own := known_fields(record))
    if own == own | record:
        raise ValueError("it has no field that this version lacks")


def known_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an entry that this version has."""
    columns = {name: known(Figures, each) for name, each in record.get("columns", {}).items()}
    history = [known(Revision, each) for each in record.get("history", ())]
    return known(Entry, record) | {"columns": columns, "history": history}
