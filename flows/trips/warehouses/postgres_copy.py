"""The rows of a Parquet file into a table of PostgreSQL, by its binary COPY."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
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

#: Ends a binary COPY: a row of -1 fields.
_END = b"\xff\xff"


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
        schema = file.schema_arrow
        return _copy(sql, table, schema, (_encoded(schema, batch) for batch in batches))


def copy_rows(sql: Cursor, table: str, rows: Rows) -> int:
    """Copy rows while they are converted; see `copy_file`.

    A column that the file lacks is not sent: nothing is null, too. Encoding takes as long as
    parsing, so the threads that parse do it.
    """
    declared = DATASETS[rows.month.dataset].schema
    schema = pa.schema([declared.field(name) for name in rows.names])

    def encoded(batch: pa.RecordBatch) -> tuple[bytes, bytes]:
        return _encoded(schema, batch.select(rows.names))

    return _copy(sql, table, schema, (done for piece in rows.through(encoded) for done in piece))


def _copy(
    sql: Cursor, table: str, schema: pa.Schema, encoded: Iterator[tuple[bytes, bytes]]
) -> int:
    """Rows are written frozen, as nobody else can see the table yet.

    The first readers and the vacuum then need not write them a second time.
    """
    names = ", ".join(f'"{name}"' for name in schema.names)
    copy = f"COPY {table} ({names}) FROM STDIN WITH (FORMAT binary, FREEZE)"
    stream = _Stream(_chunks(schema, encoded))
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
        self._chunks = filter(None, chunks)  # an empty one would be the end
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """The next chunk; empty at the end."""
        try:
            return next(self._chunks, b"")
        except BaseException as error:
            self.error = error
            raise


def _chunks(schema: pa.Schema, encoded: Iterator[tuple[bytes, bytes]]) -> Iterator[bytes]:
    yield ArrowToPostgresBinaryEncoder(schema).write_header()
    yield from chain.from_iterable(encoded)
    yield _END


def _encoded(schema: pa.Schema, batch: pa.RecordBatch) -> tuple[bytes, bytes]:
    """The rows as COPY reads them; the encoder keeps a few of them back until it is finished."""
    encoder = ArrowToPostgresBinaryEncoder(schema)
    encoder.write_header()
    return encoder.write_batch(batch), encoder.finish().removesuffix(_END)


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
