"""Copies of rows into a PostgreSQL table by binary COPY."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from core.errors import SchemaError
from core.parquet import open_file
from monthly.columns import FILE_MONTH, Column
from monthly.convert.parquet_file import BATCH_ROWS
from monthly.convert.rows import Rows
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.warehouses import AGAIN
from monthly.warehouses.postgres_binary import END, HEADER, encoded
from monthly.warehouses.table_columns import quoted


def copy_file(
    sql: Cursor, month: Month, table: str, parquet: Path, columns: Sequence[Column]
) -> int:
    """Copy a month into an empty table created by this transaction; return the row count.

    Args:
        sql: cursor of the transaction.
        month: month of the rows.
        table: table with the declared columns and types: binary COPY silently writes the bytes
            of an integer into a float column.
        parquet: the canonical file.
        columns: the columns of the table; one that the file lacks is null, another column of
            the file is left out.

    Raises:
        SchemaError: a type in the file differs from that of the table.
    """
    with open_file(parquet) as file:
        names = _schema_of(month, file, columns).names
        batches = file.iter_batches(batch_size=BATCH_ROWS, columns=names, use_threads=False)
        return _copy(sql, table, batches)


@dataclass(frozen=True)
class Begun:
    """Rows of a published file that threads have started to convert.

    Attributes:
        kept: the undeclared columns that are kept.
        batches: the converted rows, without the month, which is the column's default.
    """

    kept: tuple[Column, ...]
    batches: Iterator[pa.RecordBatch]


def begin(rows: Rows) -> Begun:
    """Start the conversion, so that the first rows are ready when PostgreSQL is."""
    names = [name for name in rows.names if name != FILE_MONTH.name]
    batches = rows.through(lambda batch: batch.select(names))
    return Begun(_kept(rows), chain.from_iterable(batches))


def _kept(rows: Rows) -> tuple[Column, ...]:
    declared = {column.name for column in DATASETS[rows.month.dataset].columns}
    others = [field for field in rows.schema if field.name not in declared]
    return tuple(Column(f.name, "string", f.metadata[b"description"].decode()) for f in others)


def copy_rows(sql: Cursor, table: str, begun: Begun) -> int:
    """Copy rows while they are converted; see `copy_file`."""
    return _copy(sql, table, begun.batches)


def _copy(sql: Cursor, table: str, batches: Iterator[pa.RecordBatch]) -> int:
    """Copy rows, with another COPY once a column gets a value; return the row count."""
    parts = groupby(_without_nulls(batches), lambda batch: tuple(batch.schema.names))
    return sum(_copy_part(sql, table, names, part) for names, part in parts)


def _without_nulls(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches without the columns that have been null so far; null is their default.

    The cost of a COPY grows with its fields, even null ones.
    """
    known = {FILE_MONTH.name}  # its default is the month
    for batch in filter(len, batches):
        names = batch.schema.names
        known |= {n for n, c in zip(names, batch.columns) if c.null_count < len(batch)}
        yield batch.select([n for n in names if n in known] or names[:1])


def _copy_part(
    sql: Cursor, table: str, names: Sequence[str], batches: Iterable[pa.RecordBatch]
) -> int:
    """Copy rows with FREEZE, which is safe as no other session sees the table yet.

    The first readers and the vacuum then do not have to write them a second time.
    """
    columns = ", ".join(map(quoted, names))
    copy = f"COPY {quoted(table)} ({columns}) FROM STDIN WITH (FORMAT binary, FREEZE)"
    stream = _Stream(_chunks(batches))
    try:
        sql.copy_expert(copy, stream)
    except psycopg2.Error:
        if stream.error:
            raise stream.error from None  # psycopg2 only wraps its text
        raise
    return int(sql.rowcount)


class _Stream:
    """Chunks of bytes as a file for psycopg2; a read returns a whole chunk, whatever its size."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = filter(None, chunks)  # an empty chunk would mean the end
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Return the next chunk; empty at the end."""
        try:
            return next(self._chunks, b"")
        except BaseException as error:
            self.error = error
            raise


def _chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Yield a complete binary COPY stream, with header and trailer."""
    yield HEADER
    yield from chain.from_iterable(map(encoded, batches))
    yield END


def _schema_of(month: Month, file: pq.ParquetFile, columns: Sequence[Column]) -> pa.Schema:
    """Return the fields to send: columns of the table with any value other than its default.

    Raises:
        SchemaError: a field has another type than the table's column.
    """
    types = {column.name: column.arrow for column in columns}
    fields = [field for field in file.schema_arrow if field.name in types]
    wrong = [f"{f.name} is {f.type}" for f in fields if f.type != types[f.name]]
    if wrong:
        raise SchemaError(
            f"{month}: the Parquet object has other types than declared ({'; '.join(wrong)})",
            AGAIN,
        )
    declared = {column.name for column in DATASETS[month.dataset].columns}
    sent = [f for f in fields if f.name not in declared or not _is_default(file, f.name, month)]
    return pa.schema(sent or fields)  # a COPY needs a column


def _is_default(file: pq.ParquetFile, name: str, month: Month) -> bool:
    """Return whether the footer says that every row has the new table's default in a column.

    The default is null, and the month in `file_month`. The cost of a COPY grows with its fields,
    even null ones.
    """
    groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
    place = file.metadata.schema.names.index(name)
    said = [group.column(place).statistics for group in groups]
    if name == FILE_MONTH.name:
        return all(s and s.null_count == 0 and s.min == s.max == month.first_day for s in said)
    return all(s and s.null_count == group.num_rows for s, group in zip(said, groups))
