"""Rewrite of a Parquet file into uniform row groups with declared types, in constant memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.disk import room_for
from core.errors import AccountingError, BadFile, SchemaError, UsageError
from core.parquet import MOST_ROWS_PER_GROUP, damage_named, open_file, write_row_groups
from core.prefetch import prefetched
from core.threads import threads_shared
from monthly.columns import Column
from monthly.convert.casting import cast
from monthly.convert.parquet_file import known_values
from monthly.convert.published_values import Unreadable, meanings, replaced
from monthly.convert.readings import Readings, Rules, Unsettled, UtcTimes
from monthly.convert.survey import survey
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.month import Month

_YEAR_MONTH = re.compile(r"(\d{4})-(\d{2})")
BATCH_ROWS = 1 << 15
#: Batches of 5 MB decoded while a row group is encoded; more take memory and save no time.
BATCHES_AHEAD = 4
#: Text columns are read and written as dictionary indices, so that no text is copied.
DICTIONARY = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True)
class Rewritten:
    """A rewritten file.

    Attributes:
        path: path of the file.
        rows: rows of the source, and of this file according to its footer.
        row_groups: number of row groups; all except the last have the same number of rows.
    """

    path: Path
    rows: int
    row_groups: int


def rewrite(
    source: Path, target: Path, rows_per_group: int, utc_times: UtcTimes = "auto"
) -> Rewritten:
    """Rewrite a Parquet file of trips, converting each column to its declared type.

    Args:
        source: file named as TLC names its files, `fhvhv_tripdata_2021-01.parquet`, which
            determines the dataset.
        target: path of the new file, written completely unless an error is raised.
        rows_per_group: rows of each row group except the last.
        utc_times: how to read times marked as UTC; auto decides by the month in the name.

    Raises:
        UsageError: rows_per_group is out of bounds, or the name does not begin with a dataset.
        BadFile: the file is damaged, has no rows, or has a value that does not fit its type.
        SchemaError: a column is not declared.
        AccountingError: the numbers of rows read and written differ.
        StorageError: the disk is full.
    """
    check_rows_per_group(rows_per_group)
    with room_for(target.name, target.parent), damage_named(source.name):
        try:
            rows = _rewrite(source, target, rows_per_group, _declared_readings(source.name))
        except Unsettled:
            rules = Rules(strict=False, utc_times=utc_times)
            readings = survey(_month_of(source.name), source, rules)
            rows = _rewrite(source, target, rows_per_group, readings)
        return _counted(target, rows, rows_per_group)


def check_rows_per_group(rows: int) -> None:
    """Raise a UsageError unless row groups can have this number of rows."""
    if rows < 1:
        raise UsageError(f"rows_per_group {rows} is less than 1; write 1 or more")
    if rows > MOST_ROWS_PER_GROUP:
        raise UsageError(
            f"rows_per_group {rows} is more than a row group can have; "
            f"write {MOST_ROWS_PER_GROUP} or less"
        )


def _rewrite(source: Path, target: Path, rows_per_group: int, readings: Readings) -> int:
    with _opened(source) as file:
        rows = int(file.metadata.num_rows)
        if not rows:
            raise BadFile(f"{source.name} has no rows; it was not rewritten")
        _write(source.name, file, target, rows_per_group, readings)
    return rows


def _declared_readings(name: str) -> Readings:
    """Return the readings that the declaration gives, near the year in a file name, if any."""
    dataset, found = dataset_of(name), _YEAR_MONTH.search(name)
    return Readings.declared(dataset, int(found[1]) if found else dataset.first_month[0])


def _month_of(name: str) -> Month:
    """Return the month in a file name, which decides how its values are read.

    Raises:
        BadFile: the name has no month.
    """
    dataset, found = dataset_of(name), _YEAR_MONTH.search(name)
    if found is None:
        raise BadFile(
            f"{name}: a value can be read in two ways, and the name has no month that decides; "
            f"name the file like {dataset.name}_tripdata_2021-01.parquet"
        )
    return Month(dataset.name, int(found[1]), int(found[2]))


def _opened(source: Path) -> pq.ParquetFile:
    with pq.ParquetFile(source, coerce_int96_timestamp_unit="us") as file:
        texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type)]
        delta = _delta_encoded(file.metadata)
    return open_file(source, [name for name in texts if name not in delta])


def _delta_encoded(metadata: pq.FileMetaData) -> set[str]:
    """Return the delta-encoded columns, which PyArrow cannot read as dictionaries."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    return {
        chunk.path_in_schema
        for chunk in chunks
        if any(encoding.startswith("DELTA") for encoding in chunk.encodings)
    }


def dataset_of(name: str) -> Dataset:
    """Return the dataset that a file's name begins with.

    Raises:
        UsageError: the name does not begin with a dataset.
    """
    if dataset := declared_dataset(name):
        return dataset
    raise UsageError(
        f"{name}: the name does not say whose rows these are; it must begin with "
        f"{', '.join(f'{known}_' for known in DATASETS)}"
    )


def declared_dataset(name: str) -> Dataset | None:
    """Return the dataset that a file's name begins with, or None if none is declared."""
    named = [known for known in DATASETS if name.startswith(f"{known}_")]
    return DATASETS[max(named, key=len)] if named else None


def _write(
    name: str, file: pq.ParquetFile, target: Path, rows_per_group: int, readings: Readings
) -> None:
    """Read and convert rows while others are written.

    Several threads decode the columns of a batch, and encode those of a row group.
    """
    columns = _columns(name, file.schema_arrow.names)
    kept = {f.name: f.type for f in file.schema_arrow if f.type == DICTIONARY}
    schema = pa.schema([(c.name, _type(c, kept.get(n))) for n, c in columns.items()])
    with threads_shared() as threads:
        batches = (
            _declared(name, columns, batch, schema, readings)
            for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=threads > 1)
        )
        with prefetched(batches, BATCHES_AHEAD) as coming:
            write_row_groups(target, schema, coming, rows_per_group, threads, release=True)


def _columns(name: str, published: list[str]) -> dict[str, Column]:
    """Return the declared column of each published name."""
    dataset = dataset_of(name)
    found = {column: dataset.column(column) for column in published}
    unknown = [column for column, declared in found.items() if declared is None]
    if unknown:
        raise SchemaError(
            f"{name}: unknown column {', '.join(map(repr, unknown))}; declare it in {dataset.place}"
        )
    declared = {column: known for column, known in found.items() if known}
    if len({known.name for known in declared.values()}) < len(published):
        raise SchemaError(
            f"{name}: two of its columns mean the same: {', '.join(published)}; remove one of them"
        )
    return declared


def _type(column: Column, dictionary: pa.DataType | None) -> pa.DataType:
    return dictionary if dictionary and column.kind == "string" else column.arrow


def _declared(
    name: str,
    columns: dict[str, Column],
    batch: pa.RecordBatch,
    schema: pa.Schema,
    readings: Readings,
) -> pa.RecordBatch:
    """Convert a batch to the declared types."""
    try:
        arrays = [
            _cast(column, values, readings)
            for column, values in zip(columns.values(), batch.columns)
        ]
    except (Unreadable, pa.ArrowInvalid) as error:
        raise BadFile(f"{name}: {error}; correct the file, then run again") from error
    return pa.record_batch(arrays, schema=schema)


def _cast(column: Column, values: pa.Array, readings: Readings) -> pa.Array:
    """Convert values like `cast`, but keep texts as indices, decoded only if one is replaced."""
    if column.kind != "string" or values.type != DICTIONARY:
        return cast(column, known_values(column.name, values, readings.nulls), readings)
    texts = values.dictionary
    texts.validate(full=True)  # not yet checked for valid UTF-8
    if replaced(texts, meanings(readings.nulls, column.flag)) is texts:
        return values
    return cast(column, values.dictionary_decode(), readings).dictionary_encode()


def _counted(target: Path, rows: int, rows_per_group: int) -> Rewritten:
    """Compare the new footer with the source's row count and the requested row groups."""
    metadata = pq.read_metadata(target)
    groups = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    if metadata.num_rows != rows or sum(groups) != rows or {*groups[:-1]} - {rows_per_group}:
        raise AccountingError(
            f"{target.name}: {rows:,} rows read, but {metadata.num_rows:,} written in row groups "
            f"of {sorted({*groups})}; nothing was replaced; please report this file"
        )
    return Rewritten(target, rows, len(groups))
