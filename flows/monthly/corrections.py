"""What changes when a new edition of a month replaces the one in the bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from core.checksums import sha256_of
from core.clock import utc_now
from core.download.remote_file import Download
from core.parquet import open_file
from core.storage.bucket import Bucket
from monthly.columns import FILE_MONTH
from monthly.convert.column_figures import ColumnFigures, measure
from monthly.convert.row_changes import RowChanges, compare
from monthly.convert.to_parquet import Converted
from monthly.dataset import OF_FILES
from monthly.datasets import DATASETS
from monthly.editions import edition_key, edition_of
from monthly.figures import Figures
from monthly.ledger import Entry, entry_of
from monthly.month import Month
from monthly.plan import Plan
from monthly.revision import Revision


def conversion_change(
    bucket: Bucket, plan: Plan, download: Download[Month], converted: Converted, folder: Path
) -> Revision | None:
    """Compare a converted month with the one that it is about to replace; None if there is none.

    See `correction`.
    """
    if plan.entry is None:
        return None
    after = replace(
        entry_of(plan.month, download, converted),
        object_key=plan.entry.object_key,
        object_sha256=converted.sha256,
    )
    return correction(bucket, plan.month, plan.entry, after, converted.path, plan.reason, folder)


def correction(
    bucket: Bucket, month: Month, before: Entry, after: Entry, new: Path, reason: str, folder: Path
) -> Revision | None:
    """Compare a month with the one that it is about to replace; None if the bytes are the same.

    Args:
        bucket: the bucket, which is only read.
        month: the month.
        before: its ledger entry.
        after: the entry that is about to replace it.
        new: the Parquet file that belongs to `after`.
        reason: why it is replaced.
        folder: the folder for the old object and temporary files.
    """
    if before.object_sha256 == after.object_sha256:
        return None
    old = _old_object(bucket, month, before, folder)
    changes = compare(old, new, common_columns(before, after, old, new), folder) if old else None
    totals = totals_of(before, old), totals_of(after, new)
    return revision(before, after, reason, changes, totals)


def revision(
    before: Entry,
    after: Entry,
    reason: str,
    changes: RowChanges | None,
    totals: tuple[Mapping[str, float | int | str], Mapping[str, float | int | str]],
) -> Revision:
    """Return the record of a replacement.

    Args:
        before: the entry of the replaced edition.
        after: that of the new one.
        reason: why it is replaced.
        changes: the rows that changed; None if they were not compared.
        totals: the sums of the roles before and after.
    """
    was, now = published_columns(before), published_columns(after)
    return Revision(
        replaced_at=utc_now(),
        reason=reason,
        edition_before=edition_of(before.loaded_sha256),
        edition_after=edition_of(after.loaded_sha256),
        url_before=before.url,
        url_after=after.url,
        rows_before=before.rows_written,
        rows_after=after.rows_written,
        rows_added=changes.added if changes else None,
        rows_removed=changes.removed if changes else None,
        rows_unchanged=changes.unchanged if changes else None,
        columns_added=tuple(sorted(now - was)),
        columns_removed=tuple(sorted(was - now)),
        totals_before=totals[0],
        totals_after=totals[1],
        drift=after.drift,
    )


def published_columns(entry: Entry) -> set[str]:
    """Return the columns that a month's published file had, by their canonical names."""
    if entry.columns:
        return entry.columns.keys() - {FILE_MONTH.name}
    declared = entry.signatures.keys() - OF_FILES or {
        c.name for c in DATASETS[entry.dataset].columns
    }
    return (declared | entry.kept.keys()) - {*entry.drift.get("missing", ()), FILE_MONTH.name}


def role_columns(dataset: str) -> list[str]:
    """Return the columns whose sums describe an edition: amount, price and distance."""
    roles = DATASETS[dataset].roles
    return list(dict.fromkeys(filter(None, (roles.amount, roles.price, roles.distance))))


def totals_of(entry: Entry, parquet: Path | None) -> dict[str, float | int | str]:
    """Return the sums of the roles, from the file if the entry is from before 1.3."""
    names = role_columns(entry.dataset)
    figures = entry.columns or (_figures(parquet, names) if parquet else {})
    found = {name: figures[name].total for name in names if name in figures}
    return {name: total for name, total in found.items() if total is not None}


def common_columns(before: Entry, after: Entry, old: Path, new: Path) -> list[str]:
    """Return the columns that both published files, and so both objects, have."""
    there = {*pq.read_schema(old).names} & {*pq.read_schema(new).names}
    return sorted(published_columns(before) & published_columns(after) & there)


def _figures(parquet: Path, names: list[str]) -> Mapping[str, Figures]:
    figures = ColumnFigures()
    with open_file(parquet) as file:
        there = [name for name in names if name in file.schema_arrow.names]
        for batch in file.iter_batches(columns=there, use_threads=False):
            figures.merge(measure(batch))
    return figures.report()


def _old_object(bucket: Bucket, month: Month, before: Entry, folder: Path) -> Path | None:
    """Download the object of an entry, or its edition if a killed run has replaced the object."""
    path = folder / f"{month.stem}.replaced.parquet"
    edition = edition_key(month, edition_of(before.object_sha256), "parquet")
    for key in (before.object_key, edition):
        info = bucket.info(key)
        if info and info.size == before.object_size:
            bucket.download(key, path)
            if sha256_of(path) == before.object_sha256:
                return path
    return None
