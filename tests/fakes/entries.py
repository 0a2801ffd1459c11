"""Make ledger entries and converted months without converting anything."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from core.checksums import sha256_of
from core.download.remote_file import Download
from monthly.convert.quality import Quality
from monthly.convert.to_parquet import Converted
from monthly.datasets import DATASETS
from monthly.ledger import Entry, object_key
from monthly.month import Month
from monthly.revision import Revision

QUALITY = Quality(
    3, {"airport_fee": 2}, 1, 0, 0, 0, 0, 0, 0, 0, 0, 12.5, "2021-01-01 00:00:00", None
)


def entry_of(month: Month, **fields: Any) -> Entry:
    """Return an entry of three rows; `fields` override the defaults."""
    values: dict[str, Any] = {
        "dataset": month.dataset,
        "year_month": month.year_month,
        "url": "https://h/file.csv.gz",
        "etag": '"one"',
        "last_modified": "Tue, 05 Jan 2021 10:00:00 GMT",
        "source_size": 100,
        "source_sha256": "5" * 64,
        "rows_read": 4,
        "rows_written": 3,
        "rows_rejected": 1,
        "schema_version": DATASETS[month.dataset].schema_version,
        "drift": {"renamed": [], "unknown": [], "missing": ["airport_fee"]},
        "quality": {"rows": 3, "nulls": {"airport_fee": 2}, "total": 1234.5},
        "object_key": object_key(month),
        "object_size": 7,
        "object_sha256": hashlib.sha256(b"content").hexdigest(),
        "object_version": "1",
        "rejects_key": None,
        "converted_at": "2021-02-01T00:00:00+00:00",
    }
    return Entry(**values | fields)


def revision_of(**fields: Any) -> Revision:
    """Return a replacement of three rows by four; `fields` override the defaults."""
    values: dict[str, Any] = {
        "replaced_at": "2021-02-02T00:00:00+00:00",
        "reason": "size 100 -> 120 bytes",
        "edition_before": "b" * 12,
        "edition_after": "a" * 12,
        "url_before": "https://h/file.csv.gz",
        "url_after": "https://h/file.csv.gz",
        "rows_before": 3,
        "rows_after": 4,
        "rows_added": 2,
        "rows_removed": 1,
        "rows_unchanged": 2,
        "columns_added": ("airport_fee",),
        "columns_removed": (),
        "totals_before": {"total_amount": 1.5},
        "totals_after": {"total_amount": 2.0},
        "drift": {"renamed": [], "unknown": [], "missing": []},
    }
    return Revision(**values | fields)


def download_of(month: Month, folder: Path) -> Download[Month]:
    """Return a download whose file does not exist."""
    path = folder / f"{month.stem}.csv.gz"
    return Download(month, path, f"https://h/{path.name}", 100, "5" * 64, '"one"', None)


def converted_of(
    month: Month, folder: Path, content: bytes = b"content", rejects: bytes = b""
) -> Converted:
    """Return a converted month of which only the bytes matter."""
    folder.mkdir(parents=True, exist_ok=True)
    path, beside = folder / "month.parquet", folder / "month.rejects.csv"
    path.write_bytes(content)
    beside.write_bytes(rejects)
    count = rejects.count(b"\n")
    return Converted(
        month=month,
        path=path,
        rejects=beside if rejects else None,
        rows_read=3 + count,
        rows_written=3,
        rows_rejected=count,
        rows_declared=0,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        drift={"renamed": (), "unknown": (), "missing": ("airport_fee",)},
        quality=QUALITY,
        columns={},
        schema_version=DATASETS[month.dataset].schema_version,
        signatures=DATASETS[month.dataset].signatures,
    )


def published_download(month: Month, path: Path) -> Download[Month]:
    """Return a published file as if it had been downloaded."""
    return Download(month, path, path.as_uri(), path.stat().st_size, sha256_of(path), None, None)
