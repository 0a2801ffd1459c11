"""A Parquet file whose columns are encoded on several threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import IntEnum
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import AccountingError
from core.thrift_structs import Fields, Kind, bytes_of, fields_of

#: A file begins and ends with these bytes. The footer and its size come before the last ones.
_MAGIC, _SIZE_BYTES = b"PAR1", 4
#: Row groups of fewer rows are encoded as a whole: a writer and a footer for each run of columns
#: would take longer.
_FEWEST_ROWS = 50_000
#: More threads would make the runs of columns short, and would wait for the GIL.
_MOST_THREADS = 4
#: Runs of columns for each thread: with more, the threads finish closer together, but each run
#: needs a writer and a footer of its own.
_RUNS_PER_THREAD = 4


class _File(IntEnum):
    """Fields of FileMetaData; Parquet's parquet.thrift defines these and the ones below."""

    ROWS = 3
    ROW_GROUPS = 4


class _Group(IntEnum):
    """Fields of RowGroup."""

    COLUMNS = 1
    BYTES = 2
    ROWS = 3
    OFFSET = 5
    COMPRESSED_BYTES = 6


class _Chunk(IntEnum):
    """Fields of ColumnChunk."""

    METADATA = 3


#: Fields of ColumnMetaData: the offsets of the first data, index and dictionary pages in the file.
_PAGE_OFFSETS = (9, 10, 11)


class ParallelWriter:
    """Writes the same bytes as PyArrow's ParquetWriter, but encodes on several threads.

    PyArrow encodes one column after another: https://github.com/apache/arrow/issues/50866. Here,
    each thread encodes a run of adjacent columns as a file of its own in memory. The pages of these
    files are copied, and their row groups are joined into one.
    """

    def __init__(
        self,
        file: pa.NativeFile,
        schema: pa.Schema,
        encoders: ThreadPoolExecutor,
        runs: int,
        options: Mapping[str, object],
    ) -> None:
        """Write the start of the file.

        Args:
            file: the file to write.
            schema: the schema of its columns.
            encoders: the threads that encode.
            runs: the number of runs of columns.
            options: options of PyArrow's ParquetWriter.
        """
        self.schema = schema
        self._file, self._encoders, self._options = file, encoders, options
        edges = [len(schema) * n // runs for n in range(runs + 1)]
        self._runs = [[*range(*run)] for run in pairwise(edges) if len(range(*run))]
        self._groups: list[Fields] = []
        self._file.write(_MAGIC)

    def write_table(self, table: pa.Table, row_group_size: int) -> None:
        """Write a table as one row group.

        Args:
            table: the rows, with the columns of the schema.
            row_group_size: the number of rows.

        Raises:
            AccountingError: not all columns have the same number of rows.
        """
        whole = [[*range(len(self.schema))]]
        jobs = [
            self._encoders.submit(_encode, table.select(run), row_group_size, self._options)
            for run in (self._runs if table.num_rows >= _FEWEST_ROWS else whole)
        ]
        self._groups.append(_joined([self._copied(*job.result()) for job in jobs]))

    def close(self) -> None:
        """Write the footer: that of a file without rows, with the row groups added."""
        sink = pa.BufferOutputStream()
        pq.ParquetWriter(sink, self.schema, **self._options).close()
        _, footer = _split(sink.getvalue())
        footer[_File.ROWS] = Kind.I64, sum(group[_Group.ROWS][1] for group in self._groups)
        footer[_File.ROW_GROUPS] = Kind.LIST, (Kind.STRUCT, self._groups)
        last = bytes_of(footer)
        self._file.write(last + len(last).to_bytes(_SIZE_BYTES, "little") + _MAGIC)

    def _copied(self, pages: memoryview, group: Fields) -> Fields:
        """Copy the pages of a row group; return the row group with its offsets in the file."""
        by = self._file.tell() - len(_MAGIC)
        self._file.write(pages)
        _move(group, _Group.OFFSET, by)
        for chunk in group[_Group.COLUMNS][1][1]:
            metadata = chunk[_Chunk.METADATA][1]
            for offset in _PAGE_OFFSETS:
                _move(metadata, offset, by)
        return group


def pays(threads: int, rows_per_group: int) -> bool:
    """Return whether a file is written in less time on several threads."""
    return threads > 1 and rows_per_group >= _FEWEST_ROWS


@contextmanager
def open_parallel_writer(
    file: pa.NativeFile, schema: pa.Schema, threads: int, options: Mapping[str, object]
) -> Iterator[ParallelWriter]:
    """Open a writer with threads of its own, and close it unless an error is raised.

    Args:
        file: the file to write.
        schema: the schema of its columns.
        threads: number of threads that may encode; no more than four do.
        options: options of PyArrow's ParquetWriter.
    """
    threads = min(threads, _MOST_THREADS)
    with ThreadPoolExecutor(threads, "encode") as encoders:
        writer = ParallelWriter(file, schema, encoders, threads * _RUNS_PER_THREAD, options)
        try:
            yield writer
            writer.close()
        finally:
            encoders.shutdown(cancel_futures=True)


def _encode(
    table: pa.Table, row_group_size: int, options: Mapping[str, object]
) -> tuple[memoryview, Fields]:
    """Encode a table as one row group; return its pages and its part of the footer."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, **options) as parquet:
        parquet.write_table(table, row_group_size=row_group_size)
    pages, footer = _split(sink.getvalue())
    (group,) = footer[_File.ROW_GROUPS][1][1]
    return pages, group


def _split(file: pa.Buffer) -> tuple[memoryview, Fields]:
    """Return the pages and the footer of a file in memory."""
    data = memoryview(file)[len(_MAGIC) : -len(_MAGIC)]
    size = int.from_bytes(data[-_SIZE_BYTES:], "little")
    return data[: -size - _SIZE_BYTES], fields_of(bytes(data[-size - _SIZE_BYTES : -_SIZE_BYTES]))


def _move(fields: Fields, offset: int, by: int) -> None:
    """Shift an offset in the file, if the field is there."""
    if offset in fields:
        kind, at = fields[offset]
        fields[offset] = kind, at + by


def _joined(groups: list[Fields]) -> Fields:
    """Return one row group with the columns of all the given ones, in order."""
    if len({group[_Group.ROWS][1] for group in groups}) > 1:
        raise AccountingError("columns of a row group lost rows; please report this file")
    chunks = [chunk for group in groups for chunk in group[_Group.COLUMNS][1][1]]
    sizes: Fields = {
        size: (Kind.I64, sum(group[size][1] for group in groups))
        for size in (_Group.BYTES, _Group.COMPRESSED_BYTES)
    }
    columns: Fields = {_Group.COLUMNS: (Kind.LIST, (Kind.STRUCT, chunks))}
    return groups[0] | columns | sizes
