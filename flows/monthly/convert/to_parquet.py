"""From a published file to one Parquet file in the canonical schema, in memory that stays flat."""

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
from monthly.datasets import DATASETS
from monthly.month import Month

ROW_GROUP_ROWS = 131_072


@dataclass(frozen=True, kw_only=True)
class Converted(Accounts):
    """A converted month in the scratch folder, and what its rows add up to.

    Attributes:
        path: the Parquet file.
        size: of the Parquet file, bytes.
        sha256: of the Parquet file, hexadecimal.
    """

    path: Path
    size: int
    sha256: str


def convert(month: Month, source: Path, folder: Path, rules: Rules | None = None) -> Converted:
    """Convert a published file, csv, csv.gz or Parquet, whatever its vintage.

    Args:
        month: whose file it is.
        source: the published file.
        folder: where the Parquet file and the rejects are written, complete or not at all.
        rules: what is asked of the conversion; their defaults if None.

    Raises:
        BadFile: the file is damaged or has no row, is another month's (WrongMonth), or has a
            value with two readings (Ambiguous).
        SchemaError: its columns are not those of the dataset.
        TooManyRejects: too many rows could not be converted.
        AccountingError: rows read, written and rejected do not add up.
        StorageError: the disk takes no more.
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
    """A name to write to; the target appears when all went well, and nothing otherwise."""
    part = target.with_suffix(".part")
    try:
        yield part
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        beside.unlink(missing_ok=True)
        raise


def _write(rows: Rows, target: Path) -> int:
    """Write the rows on a thread of its own; how many the file's footer says there are."""
    with (
        RowGroups(target, DATASETS[rows.month.dataset].schema) as groups,
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
    """A Parquet file of row groups that all have `ROW_GROUP_ROWS` rows but the last."""

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
        """Take some more rows."""
        for batch in batches:
            self._waiting.append(batch)
            self._rows += batch.num_rows
        while self._rows >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def finish(self) -> None:
        """Write the rows that do not fill a row group."""
        if self._rows:
            self._flush(self._rows)

    def _flush(self, rows: int) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._writer.write_table(table.slice(0, rows), row_group_size=ROW_GROUP_ROWS)
        self._waiting = table.slice(rows).to_batches()
        self._rows -= rows


def _repetitive(schema: pa.Schema) -> list[str]:
    """Columns worth a dictionary: one of timestamps costs time and makes the file larger."""
    return [field.name for field in schema if not pa.types.is_timestamp(field.type)]
