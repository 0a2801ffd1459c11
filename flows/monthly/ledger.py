"""The ledger: what of a month is in the bucket, where it came from, and how many rows it has.

One JSON object a month, written after everything it speaks of: without it a month does
not count as loaded, whatever else is there.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from core.download.remote_file import Download, without_secrets
from core.errors import StorageError
from core.storage.bucket import Bucket, Stored
from monthly.month import Month
from monthly.sources import is_generated

# What an unchanged month needs imports no Arrow, which takes a quarter of a second.
if TYPE_CHECKING:
    from monthly.convert.rows import Accounts
    from monthly.convert.to_parquet import Converted


@dataclass(frozen=True)
class Entry:
    """What the ledger says of one month.

    Attributes:
        dataset: yellow, green, fhv or fhvhv.
        year_month: `2021-01`.
        url: where the published file came from, without a password or signature.
        etag: the publisher's, if any.
        last_modified: the publisher's, if any.
        source_size: of the published file, bytes.
        source_sha256: of the published file.
        rows_read: rows of the published file = written + rejected.
        rows_written: rows of the Parquet object.
        rows_rejected: rows that could not be converted.
        schema_version: of the canonical schema that was written.
        drift: columns renamed, unknown and missing.
        quality: the quality report, see `monthly.convert.quality.Quality`.
        object_key: the Parquet object.
        object_size: bytes.
        object_sha256: of the Parquet object; what a warehouse remembers. Of the published file
            where no object is kept.
        object_version: the bucket's own, to notice a change from outside.
        rejects_key: CSV of the rejected rows; None without any.
        converted_at: UTC, ISO 8601.
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

    @property
    def is_generated(self) -> bool:
        """Whether nobody has published the month: the source `sample` made it."""
        return is_generated(self.url)


def object_key(month: Month) -> str:
    """`data/green/green_tripdata_2020-10.parquet`, the zoomcamp's own place."""
    return f"data/{month.dataset}/{month.stem}.parquet"


def rejects_key(month: Month) -> str:
    """Beside the Parquet object."""
    return f"data/{month.dataset}/{month.stem}.rejects.csv"


def report_key(month: Month) -> str:
    """Beside the Parquet object, too."""
    return f"data/{month.dataset}/{month.stem}.report.html"


def entry_key(month: Month) -> str:
    """`ledger/green/green_tripdata_2020-10.json`."""
    return f"ledger/{month.dataset}/{month.stem}.json"


def read_entry(bucket: Bucket, month: Month) -> tuple[Entry | None, str | None]:
    """The month's entry and its version for a conditional write; None, None without one."""
    stored = bucket.read(entry_key(month))
    return (_parse(bucket, month, stored), stored.version) if stored else (None, None)


def write_entry(bucket: Bucket, month: Month, entry: Entry, replacing: str | None) -> None:
    """Write the month's entry if its version still is `replacing`.

    Raises:
        Conflict: another run wrote it meanwhile.
    """
    data = json.dumps(asdict(entry), indent=2, sort_keys=True).encode() + b"\n"
    bucket.write(entry_key(month), data, replacing)


def keep(
    bucket: Bucket,
    month: Month,
    download: Download[Month],
    converted: Converted,
    replacing: str | None,
) -> Entry:
    """Put a converted month into the bucket: its object, its rejects, and last its entry.

    Args:
        bucket: where to.
        month: which.
        download: the published file it was converted from.
        converted: the Parquet file and its counts.
        replacing: version of the entry that was read when the month was planned.

    Raises:
        Conflict: another run wrote the month meanwhile.
    """
    info = bucket.upload(converted.path, object_key(month))
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
    )
    write_entry(bucket, month, entry, replacing)
    return entry


def entry_of(month: Month, download: Download[Month], accounts: Accounts) -> Entry:
    """The entry of a month that is in no bucket: the published file stands for its object."""
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
        quality=asdict(accounts.quality),
        object_key="",
        object_size=download.size,
        object_sha256=download.sha256,
        object_version="",
        rejects_key=None,
        converted_at=dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
    )


def _parse(bucket: Bucket, month: Month, stored: Stored) -> Entry:
    try:
        return Entry(**json.loads(stored.data))
    except (ValueError, TypeError) as error:
        raise StorageError(
            f"{month}: {bucket.uri(entry_key(month))} is no ledger entry ({error}); "
            "remove that object, then run again"
        ) from error
