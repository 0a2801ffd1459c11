"""A catalog as JSON types; docs/catalog.md lists the fields."""

from __future__ import annotations

from typing import Any

from monthly.catalog.contents import Catalog, DatasetLine, MonthLine


def catalog_record(catalog: Catalog) -> dict[str, Any]:
    """Return the catalog as JSON types."""
    return {
        "bucket": catalog.bucket,
        "warehouse": catalog.warehouse or None,
        "made_at": catalog.made_at.isoformat(timespec="seconds"),
        "datasets": [_dataset(line) for line in catalog.datasets],
    }


def _dataset(line: DatasetLine) -> dict[str, Any]:
    first, newest = (month.year_month if month else None for month in (line.first, line.newest))
    return {
        "dataset": line.dataset,
        "title": line.title,
        "first_month": first,
        "newest_month": newest,
        "months_behind": line.behind,
        "gaps": [month.year_month for month in line.gaps],
        "rows": line.rows,
        "rows_rejected": line.rejected,
        "bytes": line.size,
        "converted_at": line.converted_at or None,
        "loaded_at": line.loaded_at or None,
        "counts": {"months": len(line.there), **line.counts},
        "fault": line.fault or None,
        "months": [_month(each) for each in line.months],
    }


def _month(line: MonthLine) -> dict[str, Any]:
    entry = line.entry
    return {
        "month": line.month.year_month,
        "mark": line.mark.value,
        "rows": entry.rows_written if entry else None,
        "rows_rejected": entry.rows_rejected if entry else None,
        "bytes": entry.object_size if entry else None,
        "url": entry.url if entry else None,
        "generated": entry.is_generated if entry else None,
        "converted_at": entry.converted_at if entry else None,
        "corrections": len(entry.history) if entry else None,
        "pinned_at": entry.pinned or None if entry else None,
        "held": line.is_held,
        "in_warehouse": line.is_loaded,
        "loaded_at": line.loaded_at or None,
        "stale": [*line.stale],
        "fault": line.fault or None,
    }
