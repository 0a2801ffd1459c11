"""Parquet files, read through a small buffer and written in row groups of equal size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import BadFile
from core.parallel_parquet import ParallelWriter, open_parallel_writer, pays

#: A publisher may write a month as one row group; without a small buffer, PyArrow would read all
#: of it at once. Each column has a buffer; larger ones take memory and save no time.
BUFFER_BYTES = 1 << 17
#: Larger than PyArrow's own writes, which are two for each page, of a few kilobytes.
_WRITTEN_AT_ONCE = 1 << 18
#: PyArrow splits larger row groups, whatever its `row_group_size`.
MOST_ROWS_PER_GROUP = 1 << 26
_ZSTD: Mapping[str, object] = {"compression": "zstd"}
#: Values that PyArrow encodes before it checks the size of the page. With its own 1024, uniform row
#: groups of for-hire trips take 5 % longer; many more would make pages of long texts too large.
_ENCODED_AT_ONCE = 1 << 12
#: Rows to sample to see whether a column's values repeat, the fewest rows to judge by, and the
#: share of distinct values up to which a dictionary pays off.
_SAMPLE_ROWS, _FEWEST_ROWS, _MOST_DISTINCT = 16_384, 1_000, 0.75


def open_file(path: Path, dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
    """Open a Parquet file for reading in flat memory, verifying the checksums of its pages.

    Args:
        path: the file.
        dictionaries: columns of text to read as dictionaries.
    """
    return pq.ParquetFile(
        path,
        read_dictionary=dictionaries,
        buffer_size=BUFFER_BYTES,
        pre_buffer=False,
        page_checksum_verification=True,
        # Spark writes INT96; nanoseconds cannot represent years after 2262.
        coerce_int96_timestamp_unit="us",
    )


@contextmanager
def damage_named(name: str) -> Iterator[None]:
    """Raise a BadFile that names the file if PyArrow cannot read it.

    Args:
        name: name of the file, and the month if it is known.

    Raises:
        BadFile: the file is damaged.
    """
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        said = " ".join(str(error).split())
        raise BadFile(f"{name} is damaged Parquet ({said}); get it again") from error


def write_row_groups(
    path: Path,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    rows_per_group: int,
    threads: int = 1,
    release: bool = False,
) -> None:
    """Write the batches to a Parquet file in row groups of equal size.

    Args:
        path: the file to write; after an error it is incomplete.
        schema: the schema of the batches. Dictionaries of texts are written as texts.
        batches: the rows, in order.
        rows_per_group: rows of each row group except the last, `MOST_ROWS_PER_GROUP` at most.
        threads: number of threads that may encode; the file is the same with any number.
        release: return the memory of each written row group to the system, which is too slow for
            small row groups.
    """
    waiting: list[pa.RecordBatch] = []
    count = 0
    coming = iter(batches)
    first = list(islice(coming, 1))
    options = _options(schema, _distinct(first))
    most = threads if pays(threads, rows_per_group) else 1
    with _output(path) as file, _writer(file, schema, most, options) as parquet:
        for batch in chain(first, coming):
            waiting.append(batch)
            count += batch.num_rows
            while count >= rows_per_group:
                waiting = _write_group(parquet, waiting, rows_per_group)
                count -= rows_per_group
                if release:
                    pa.default_memory_pool().release_unused()
        if count:
            _write_group(parquet, waiting, count)


def _distinct(first: Sequence[pa.RecordBatch]) -> set[str]:
    """Return the columns whose values mostly differ in the first rows."""
    sample = [batch.slice(0, _SAMPLE_ROWS) for batch in first if len(batch) >= _FEWEST_ROWS]
    return {
        name
        for batch in sample
        for name, values in zip(batch.schema.names, batch.columns)
        if not pa.types.is_dictionary(values.type)
        if pc.count_distinct(values).as_py() > _MOST_DISTINCT * len(batch)
    }


@contextmanager
def open_writer(path: Path, schema: pa.Schema, **options: object) -> Iterator[pq.ParquetWriter]:
    """Open a Parquet file for writing; close it even if the disk is full.

    Args:
        path: the file to write; after an error it is incomplete.
        schema: the schema of its columns.
        options: options of PyArrow's ParquetWriter.
    """
    with _output(path) as file, pq.ParquetWriter(file, schema, **_ZSTD, **options) as parquet:
        yield parquet


def _output(path: Path) -> pa.NativeFile:
    # If PyArrow opened the file and could not write its first or last bytes, the file would stay
    # open until collected as garbage: the disk would stay full although the file was deleted.
    return pa.output_stream(path, compression=None, buffer_size=_WRITTEN_AT_ONCE)


def _writer(
    file: pa.NativeFile, schema: pa.Schema, threads: int, options: Mapping[str, object]
) -> AbstractContextManager[pq.ParquetWriter | ParallelWriter]:
    if threads > 1:
        return open_parallel_writer(file, schema, threads, options)
    writer: AbstractContextManager[pq.ParquetWriter] = pq.ParquetWriter(file, schema, **options)
    return writer


def _options(schema: pa.Schema, distinct: set[str]) -> dict[str, object]:
    return {
        **_ZSTD,
        "write_batch_size": _ENCODED_AT_ONCE,
        # A dictionary of values that rarely repeat, such as times, costs time and makes the file
        # larger.
        "use_dictionary": [
            f.name for f in schema if f.name not in distinct and not pa.types.is_timestamp(f.type)
        ],
        # With the schema, readers would get dictionaries instead of texts.
        "store_schema": not any(pa.types.is_dictionary(f.type) for f in schema),
    }


def _write_group(
    parquet: pq.ParquetWriter | ParallelWriter, batches: list[pa.RecordBatch], rows: int
) -> list[pa.RecordBatch]:
    """Write the first rows as one row group; return the others."""
    table = pa.Table.from_batches(batches, parquet.schema)
    parquet.write_table(table.slice(0, rows).unify_dictionaries(), row_group_size=rows)
    return list(table.slice(rows).to_batches())
