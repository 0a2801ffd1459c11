"""The rows of a Parquet file into a table of PostgreSQL, by its binary COPY."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from core.errors import SchemaError
from monthly.columns import FILE_MONTH
from monthly.convert.parquet_file import BATCH_ROWS, BUFFER_BYTES
from monthly.convert.rows import Rows
from monthly.datasets import DATASETS
from monthly.month import Month

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
        rows = BinaryRows(file.schema_arrow)
        return _copy(sql, table, rows, map(rows.encode, batches))


@dataclass(frozen=True)
class Begun:
    """The rows of a published file, which threads have begun to convert.

    Attributes:
        binary: what encodes them.
        encoded: the encoded rows, in pieces.
    """

    binary: BinaryRows
    encoded: Iterator[bytes]


def begin(rows: Rows) -> Begun:
    """Begin to convert and to encode, so that the first rows are there when PostgreSQL is.

    A column that the file lacks is not sent: nothing is null, too. Nor is the month, which is
    the table's default. Encoding takes as long as parsing, so the threads that parse do it.
    """
    declared = DATASETS[rows.month.dataset].schema
    names = [name for name in rows.names if name != FILE_MONTH.name]
    binary = BinaryRows(pa.schema([declared.field(name) for name in names]))

    def encode(batch: pa.RecordBatch) -> bytes:
        return binary.encode(batch.select(names))

    return Begun(binary, chain.from_iterable(rows.through(encode)))


def copy_rows(sql: Cursor, table: str, begun: Begun) -> int:
    """Copy rows while they are converted; see `copy_file`."""
    return _copy(sql, table, begun.binary, begun.encoded)


def _copy(sql: Cursor, table: str, rows: BinaryRows, encoded: Iterator[bytes]) -> int:
    """Rows are written frozen, as nobody else can see the table yet.

    The first readers and the vacuum then need not write them a second time.
    """
    names = ", ".join(f'"{name}"' for name in rows.schema.names)
    copy = f"COPY {table} ({names}) FROM STDIN WITH (FORMAT binary, FREEZE)"
    stream = _Stream(_chunks(rows, encoded))
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


def _chunks(rows: BinaryRows, encoded: Iterator[bytes]) -> Iterator[bytes]:
    """The whole of what a binary COPY reads, header and end included."""
    yield ArrowToPostgresBinaryEncoder(rows.schema).write_header()
    yield from encoded
    yield from rows.rest()
    yield _END


class BinaryRows:
    """Rows as a binary COPY reads them, encoded by several threads.

    Encoders are used again, as each keeps its memory; and keeps back a few rows to the end.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._idle: deque[ArrowToPostgresBinaryEncoder] = deque()

    def encode(self, batch: pa.RecordBatch) -> bytes:
        """All rows of a batch, or but some that come at the end."""
        encoder = self._encoder()
        encoded = encoder.write_batch(batch)
        self._idle.append(encoder)
        return encoded

    def rest(self) -> Iterator[bytes]:
        """The rows that were kept back."""
        return (encoder.finish().removesuffix(_END) for encoder in self._idle)

    def _encoder(self) -> ArrowToPostgresBinaryEncoder:
        try:
            return self._idle.pop()
        except IndexError:  # all are at work
            encoder = ArrowToPostgresBinaryEncoder(self.schema)
            encoder.write_header()
            return encoder


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
