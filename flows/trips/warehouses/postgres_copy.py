"""The rows of a Parquet file into a table of PostgreSQL, by its binary COPY."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from trips.datasets import DATASETS
from trips.errors import SchemaError
from trips.months import Month
from trips.parquet_file import BATCH_ROWS, BUFFER_BYTES
from trips.rows import Rows


def copy_file(sql: Cursor, month: Month, table: str, parquet: Path) -> int:
    """Copy a month into an empty table that this transaction made; how many rows arrived.

    Args:
        sql: of the transaction.
        month: whose rows they are.
        table: has the declared columns, with the declared types: binary COPY puts the bytes
            of an integer into a column of floats without a word.
        parquet: the canonical file.

    Raises:
        SchemaError: the file has other columns or types than declared.
    """
    with pq.ParquetFile(parquet, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
        _refuse_other_types(month, file)
        batches = file.iter_batches(batch_size=BATCH_ROWS, use_threads=False)
        return _copy(sql, table, file.schema_arrow, batches)


def copy_batches(sql: Cursor, table: str, rows: Rows) -> int:
    """Copy rows while they are converted; see `copy_file`."""
    schema = DATASETS[rows.month.dataset].schema
    return _copy(sql, table, schema, (batch for batches in rows for batch in batches))


def _copy(sql: Cursor, table: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    """Rows are written frozen, as nobody else can see the table yet.

    The first readers and the vacuum then need not write them a second time.
    """
    names = ", ".join(f'"{name}"' for name in schema.names)
    copy = f"COPY {table} ({names}) FROM STDIN WITH (FORMAT binary, FREEZE)"
    stream = _Stream(_encoded(schema, batches))
    try:
        sql.copy_expert(copy, stream)
    except psycopg2.Error:
        if stream.error:
            raise stream.error from None  # psycopg2 only repeats what it says
        raise
    return int(sql.rowcount)


class _Stream:
    """Chunks of bytes as the file that psycopg2 reads; each whole, whatever size it asks for."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = filter(None, chunks)  # the encoder keeps a few rows back now and then
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """The next chunk; empty at the end."""
        try:
            return next(self._chunks, b"")
        except BaseException as error:
            self.error = error
            raise


def _encoded(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    encoder = ArrowToPostgresBinaryEncoder(schema)
    yield encoder.write_header()
    for batch in batches:
        yield encoder.write_batch(batch)
    yield encoder.finish()


def _refuse_other_types(month: Month, file: pq.ParquetFile) -> None:
    declared = DATASETS[month.dataset].schema
    wrong = [
        f"{found.name} is {found.type}"
        for found in file.schema_arrow
        if found.name not in declared.names or declared.field(found.name).type != found.type
    ]
    if wrong:
        raise SchemaError(
            f"{month}: the Parquet object has other columns than declared ({'; '.join(wrong)}); "
            "run flows/etl_web_to_gcs.py for it again, with --force"
        )
