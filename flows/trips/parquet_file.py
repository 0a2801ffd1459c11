"""TLC's Parquet files of every vintage as pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trips.datasets import Mapped, map_header
from trips.errors import BadFile
from trips.months import Month
from trips.pieces import Reject, conform

BATCH_ROWS = 1 << 14
#: TLC writes a month as one row group: without a small buffer all of it would be read at once.
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class Rows:
    """Rows of a Parquet file, a `Piece`.

    Attributes:
        month: whose rows they are.
        mapped: the column of each field.
        batch: the rows as published.
        first_row: number of the first row, from 1.
    """

    month: Month
    mapped: Mapped
    batch: pa.RecordBatch
    first_row: int

    @property
    def rows(self) -> int:
        """How many rows; see `Piece`."""
        return int(self.batch.num_rows)

    def convert(self) -> pa.RecordBatch:
        """All rows in the canonical schema; see `Piece`."""
        pairs = zip(self.mapped.columns, self.batch.columns)
        return conform(self.month, {c.name: values for c, values in pairs if c}, self.rows)

    def halves(self) -> tuple[Rows, Rows]:
        """The first and the second half; see `Piece`."""
        middle = self.rows // 2
        return (
            Rows(self.month, self.mapped, self.batch.slice(0, middle), self.first_row),
            Rows(self.month, self.mapped, self.batch.slice(middle), self.first_row + middle),
        )

    def reject(self, reason: str) -> Reject:
        """The only row, as one that could not be converted; see `Piece`."""
        text = json.dumps(self.batch.to_pylist()[0], default=str)
        return Reject(self.first_row, reason, text)


@contextmanager
def open_parquet(month: Month, path: Path, strict: bool) -> Iterator[tuple[Mapped, Iterator[Rows]]]:
    """Open a Parquet file: its columns, and its rows in pieces.

    Raises:
        BadFile: damaged, or without rows.
        SchemaError: the columns do not fit the dataset.
    """
    with _damage_named(month, path):
        file = pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)
    with file:
        if not file.metadata.num_rows:
            raise BadFile(f"{month}: {path.name} has no row; the month stays as it was")
        mapped = map_header(month, file.schema_arrow.names, strict)
        yield mapped, _pieces(month, mapped, path, file)


def _pieces(month: Month, mapped: Mapped, path: Path, file: pq.ParquetFile) -> Iterator[Rows]:
    row = 1
    batches = file.iter_batches(batch_size=BATCH_ROWS, use_threads=False)
    while True:
        with _damage_named(month, path):
            batch = next(batches, None)
        if batch is None:
            break
        yield Rows(month, mapped, batch, row)
        row += batch.num_rows
    if row - 1 != file.metadata.num_rows:
        raise BadFile(
            f"{month}: {path.name} has {row - 1} rows where its footer says "
            f"{file.metadata.num_rows}; get it again"
        )


@contextmanager
def _damage_named(month: Month, path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise BadFile(f"{month}: {path.name} is damaged Parquet ({error}); get it again") from error
