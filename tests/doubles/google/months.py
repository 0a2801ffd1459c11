"""Months brought into a bucket, as the flows bring them, without Prefect."""

from __future__ import annotations

from pathlib import Path

from trips.buckets import Bucket
from trips.convert import convert
from trips.ledger import Entry, keep
from trips.months import Month
from trips.plan import plan_month
from trips.readings import Rules
from trips.scratch import subfolder
from trips.sources import download


def bring(bucket: Bucket, month: Month, published: Path, folder: Path) -> Entry:
    """Put a published file into the bucket, with its ledger entry."""
    planned = plan_month(month, str(published), bucket, force=True)
    assert planned.published
    found = download(planned.published, subfolder(folder, "published"), lambda *_: None)
    rules = Rules(max_reject_share=0.01)
    converted = convert(month, found.path, subfolder(folder, "converted"), rules)
    return keep(bucket, month, found, converted, planned.entry_version)
