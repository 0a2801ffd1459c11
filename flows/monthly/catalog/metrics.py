"""A catalog as metrics in Prometheus's text format, for the node exporter's textfile collector.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.disk import part_of, replacing, room_for
from monthly.catalog.contents import Catalog, DatasetLine

_PREFIX = "monthly_files_"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
#: Readable by the collector, which runs as another user.
_MODE = 0o644


@dataclass(frozen=True)
class Metric:
    """A gauge with a sample for each dataset.

    Attributes:
        name: its name, without the prefix.
        about: its description.
        value: returns the sample of a dataset; None for no sample.
    """

    name: str
    about: str
    value: Callable[[DatasetLine], float | None]


def _count(name: str) -> Callable[[DatasetLine], float]:
    return lambda line: line.counts[name]


METRICS = (
    Metric("months", "Months in the bucket or the warehouse.", lambda line: len(line.there)),
    Metric("rows", "Rows in the bucket.", lambda line: line.rows),
    Metric("rejected_rows", "Rows that could not be converted.", lambda line: line.rejected),
    Metric("bytes", "Size of the Parquet objects in the bucket.", lambda line: line.size),
    Metric("missing_months", "Missing months between the first and the newest.", _count("missing")),
    Metric("stale_months", "Months that a run would convert or load again.", _count("stale")),
    Metric("held_months", "Months with an edition that is waiting to be accepted.", _count("held")),
    Metric("pinned_months", "Months that no run replaces.", _count("pinned")),
    Metric("corrected_months", "Months that were replaced at least once.", _count("corrected")),
    Metric("generated_months", "Months that were generated, not published.", _count("generated")),
    Metric("unreadable_months", "Months with an unreadable entry.", _count("unreadable")),
    Metric("bucket_only_months", "Months not in the warehouse.", _count("bucket_only")),
    Metric("warehouse_only_months", "Months not in the bucket.", _count("warehouse_only")),
    Metric(
        "months_behind",
        "Months after the newest one that should be published by now.",
        lambda line: line.behind,
    ),
    Metric(
        "newest_month_timestamp_seconds",
        "Start of the newest month, UTC.",
        lambda line: _midnight(line.newest.first_day) if line.newest else None,
    ),
    Metric(
        "last_conversion_timestamp_seconds",
        "When a month was last converted.",
        lambda line: _seconds(line.converted_at) if line.converted_at else None,
    ),
    Metric(
        "last_load_timestamp_seconds",
        "When the warehouse last loaded a month.",
        lambda line: _seconds(line.loaded_at) if line.loaded_at else None,
    ),
)


def write_metrics(catalog: Catalog, path: Path) -> None:
    """Replace a file with the metrics, atomically: a collector never reads half of it.

    Raises:
        StorageError: the folder cannot be written, or its disk is full.
    """
    with room_for(path.name, path.parent, "metrics"):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The collector reads only *.prom, so it skips this file.
        with replacing(path, part_of(path)) as part:
            part.write_text(metrics_text(catalog), encoding="utf-8")
            part.chmod(_MODE)


def metrics_text(catalog: Catalog) -> str:
    """Return the metrics of a catalog."""
    blocks = ("\n".join(_lines(catalog, metric)) for metric in METRICS)
    made = _head("catalog_timestamp_seconds", "When these metrics were made.")
    labels = _labels(_places(catalog))
    made.append(f"{_PREFIX}catalog_timestamp_seconds{labels} {catalog.made_at.timestamp():.0f}")
    return "\n".join([*blocks, *made]) + "\n"


def _lines(catalog: Catalog, metric: Metric) -> Iterator[str]:
    yield from _head(metric.name, metric.about)
    for line in catalog.datasets:
        value = None if line.fault else metric.value(line)
        if value is not None:
            labels = _labels({"dataset": line.dataset, **_places(catalog)})
            yield f"{_PREFIX}{metric.name}{labels} {value:.0f}"


def _head(name: str, about: str) -> list[str]:
    return [f"# HELP {_PREFIX}{name} {about}", f"# TYPE {_PREFIX}{name} gauge"]


def _places(catalog: Catalog) -> dict[str, str]:
    return {"bucket": catalog.bucket, "warehouse": catalog.warehouse}


def _labels(labels: Mapping[str, str]) -> str:
    pairs = (f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items())
    return f"{{{','.join(pairs)}}}"


def _midnight(day: dt.date) -> float:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.timezone.utc).timestamp()


def _seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()
