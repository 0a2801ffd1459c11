"""Reading an object in full: its column figures, and a ledger entry to replace a lost one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from core.checksums import sha256_of
from core.clock import utc_now
from core.errors import SchemaError
from core.parquet import damage_named, open_file
from core.scratch import scratch_folder
from core.storage.bucket import Bucket, ObjectInfo
from monthly.columns import FILE_MONTH, published_name
from monthly.convert.column_figures import ColumnFigures, measure
from monthly.convert.duplicates import DuplicateCounter, row_hashes
from monthly.convert.parquet_file import BATCH_ROWS
from monthly.convert.quality import Quality, Tally
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.figures import Figures
from monthly.ledger import Entry, object_key
from monthly.month import Month


@dataclass(frozen=True)
class ObjectFigures:
    """What reading all rows of an object yields.

    Attributes:
        sha256: checksum of the object.
        columns: figures of the columns that have a value.
        quality: the quality report.
        others: columns that the dataset does not declare, each with its published name.
    """

    sha256: str
    columns: dict[str, Figures]
    quality: Quality
    others: Mapping[str, str]


def measure_object(bucket: Bucket, month: Month, key: str) -> ObjectFigures:
    """Read an object in full, in flat memory.

    Raises:
        BadFile: it is damaged.
        SchemaError: the type of a column differs from the declared one.
        StorageError: it is gone, or the disk has no room for a copy.
    """
    with scratch_folder(month, f"verify {bucket.uri(key)}") as folder:
        copy = folder / "object.parquet"
        bucket.download(key, copy)
        with damage_named(f"{month}: {bucket.uri(key)}"):
            return _measured(month, copy)


def rebuilt_entry(
    month: Month,
    info: ObjectInfo,
    found: ObjectFigures,
    source: str,
    rejects: tuple[str, int] | None,
) -> Entry:
    """Return an entry for an object without one; what only the publisher knew stays empty.

    The next plan then compares the published content. The object is assumed to match the current
    declaration.

    Args:
        month: the month.
        info: size and version of the object.
        found: what the object holds.
        source: source of the published file; empty if unknown.
        rejects: key and number of the rejected rows; None if there are none.
    """
    dataset, rows = DATASETS[month.dataset], found.quality.rows
    key, rejected = rejects or (None, 0)
    return Entry(
        dataset=month.dataset,
        year_month=month.year_month,
        url=source,
        etag=None,
        last_modified=None,
        source_size=0,
        source_sha256="",
        rows_read=rows + rejected,
        rows_written=rows,
        rows_rejected=rejected,
        schema_version=dataset.schema_version,
        drift={
            "kept": list(found.others),
            "renamed": [f"{old} -> {new}" for new, old in found.others.items() if old != new],
        },
        quality=found.quality.figures(dataset),
        object_key=object_key(month),
        object_size=info.size,
        object_sha256=found.sha256,
        object_version=info.version,
        rejects_key=key,
        converted_at=utc_now(),
        signatures=dataset.signatures,
        columns=found.columns,
    )


def _measured(month: Month, path: Path) -> ObjectFigures:
    dataset = DATASETS[month.dataset]
    tally, figures = Tally(month), ColumnFigures()
    with DuplicateCounter(path.with_suffix(".hashes")) as hashes, open_file(path) as file:
        others = _others(month, dataset, file.schema_arrow)
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            figures.merge(measure(batch))
            tally.merge(tally.measure(_in_full(batch, dataset.schema)))
            hashes.add(row_hashes(batch))
        repeats = sum(count() for count in hashes.parts())
    columns = {name: each for name, each in figures.report().items() if each.count}
    return ObjectFigures(sha256_of(path), columns, tally.report(repeats), others)


def _others(month: Month, dataset: Dataset, schema: pa.Schema) -> dict[str, str]:
    """Return the published names of undeclared columns; check the types of declared ones."""
    declared = {column.name: column for column in dataset.columns}
    wrong = [
        f"{field.name} is {field.type}, not {declared[field.name].type}"
        for field in schema
        if field.name in declared and field.type != declared[field.name].arrow
    ]
    if wrong or FILE_MONTH.name not in schema.names:
        reason = "; ".join(wrong) or f"it has no column {FILE_MONTH.name}"
        raise SchemaError(f"{month}: the object has other columns than declared ({reason})")
    return {field.name: _published_name(field) for field in schema if field.name not in declared}


def _published_name(field: pa.Field) -> str:
    about = (field.metadata or {}).get(b"description", b"").decode()
    return published_name(about) or str(field.name)


def _in_full(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with nulls in the columns that were declared later."""
    there = set(batch.schema.names)
    columns = [
        batch[field.name] if field.name in there else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
