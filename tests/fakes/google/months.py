"""Bring months into a bucket as the flows do, without Prefect."""

from __future__ import annotations

from pathlib import Path

from core.scratch import subfolder
from core.storage.bucket import Bucket
from monthly.convert.readings import Rules
from monthly.convert.to_parquet import convert
from monthly.ledger import Entry, keep
from monthly.month import Month
from monthly.plan import plan_month
from monthly.sources import download


def bring(bucket: Bucket, month: Month, published: Path, folder: Path) -> Entry:
    """Put a published file into the bucket, with its ledger entry."""
    planned = plan_month(month, str(published), bucket, force=True)
    assert planned.published
    found = download(planned.published, subfolder(folder, "published"), lambda *_: None)
    rules = Rules(max_reject_share=0.01)
    converted = convert(month, found.path, subfolder(folder, "converted"), rules)
    return keep(bucket, month, found, converted, planned.entry_version)
