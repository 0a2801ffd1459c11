"""Conversion of a published file to one Parquet file of the canonical schema, in flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.checksums import sha256_of
from core.disk import room_for
from core.errors import UsageError
from monthly.convert.readings import Readings, Rules
from monthly.convert.rows import Accounts, Rows, settled
from monthly.month import Month

ROW_GROUP_ROWS = 131_072


@dataclass(frozen=True, kw_only=True)
class Converted(Accounts):
    """A converted month in the scratch folder, and the accounts of its rows.

    Attributes:
        path: the Parquet file.
        size: size of the Parquet file in bytes.
        sha256: checksum of the Parquet file, hexadecimal.
    """

    path: Path
    size: int
    sha256: str


def convert(month: Month, source: Path, folder: Path, rules: Rules | None = None) -> Converted:
    """Convert a published file, csv, csv.gz or Parquet, of any vintage.

    Args:
        month: the month of the file.
        source: the published file.
        folder: the folder for the Parquet file and the rejects, written completely or not at all.
        rules: the options of the conversion; defaults if None.

    Raises:
        BadFile: the file is damaged or has no row, belongs to another month (WrongMonth), or
            has a value with two readings (Ambiguous).
        SchemaError: its columns are not those of the dataset.
        TooManyRejects: too many rows could not be converted.
        AccountingError: rows read, written and rejected do not add up.
        StorageError: the disk is full or refuses the write.
        UsageError: max_reject_share is not from 0 to 1.
    """
    target = folder / f"{month.stem}.parquet"
    if target.resolve() == source.resolve():
        raise UsageError(f"{month}: {source} would be overwritten by its own conversion")
    rules = rules or Rules()

    def run(readings: Readings) -> Accounts:
        rows = Rows(month, source, folder, rules, readings)
        with (
            room_for(f"{target.name} of {month}", folder),
            _complete(target, rows.rejects.path) as part,
            rows,
        ):
            return rows.accounts(_write(rows, part))

    accounts = settled(month, source, rules, run)
    return Converted(
        **vars(accounts), path=target, size=target.stat().st_size, sha256=sha256_of(target)
    )


@contextmanager
def _complete(target: Path, beside: Path) -> Iterator[Path]:
    """Yield a temporary path that atomically becomes the target on success; else remove it."""
    part = target.with_suffix(".part")
    try:
        yield part
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        beside.unlink(missing_ok=True)
        raise


def _write(rows: Rows, target: Path) -> int:
    """Write the rows on a separate thread, and return the row count in the file's footer."""
    with (
        RowGroups(target, rows.schema) as groups,
        ThreadPoolExecutor(1, f"write {rows.month}") as writer,
    ):
        written: Future[None] | None = None
        for batches in rows.through(_as_it_is):
            if written:
                written.result()
            written = writer.submit(groups.add, batches)
        if written:
            written.result()
        writer.submit(groups.finish).result()
    return int(pq.read_metadata(target).num_rows)


def _as_it_is(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


class RowGroups:
    """A Parquet file whose row groups, except the last, have `ROW_GROUP_ROWS` rows."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(
            path, schema, compression="zstd", use_dictionary=_repetitive(schema)
        )
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def __enter__(self) -> RowGroups:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Add more rows."""
        for batch in batches:
            self._waiting.append(batch)
            self._rows += batch.num_rows
        while self._rows >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def finish(self) -> None:
        """Write the remaining rows as the last row group."""
        if self._rows:
            self._flush(self._rows)

    def _flush(self, rows: int) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._writer.write_table(table.slice(0, rows), row_group_size=ROW_GROUP_ROWS)
        self._waiting = table.slice(rows).to_batches()
        self._rows -= rows


def _repetitive(schema: pa.Schema) -> list[str]:
    """Return columns worth a dictionary; for timestamps, one costs time and enlarges the file."""
    return [field.name for field in schema if not pa.types.is_timestamp(field.type)]
