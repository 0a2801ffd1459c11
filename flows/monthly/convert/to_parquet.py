"""Conversion of a published file to one Parquet file of the canonical schema, in flat memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.checksums import sha256_of
from core.disk import replacing, room_for
from core.errors import UsageError
from core.parquet import write_row_groups
from core.prefetch import prefetched
from monthly.convert.readings import Readings, Rules
from monthly.convert.rows import Accounts, Rows, settled
from monthly.month import Month

#: The size of DuckDB's own row groups. DuckDB writes groups of this size at once if it inserts them
#: in order; it rewrote groups of 131,072 rows when it closed the file.
ROW_GROUP_ROWS = 122_880
#: Pieces parsed ahead of the one being written: as many as parsers finish while one row group is
#: encoded, so that no core waits.
PIECES_AHEAD = 5


@dataclass(frozen=True, kw_only=True)
class Converted(Accounts):
    """A converted month in the scratch folder, and the accounts of its rows.

    Attributes:
        path: the Parquet file.
        size: size of the Parquet file in bytes.
        sha256: checksum of the Parquet file, hexadecimal.
        seconds: of the conversion.
    """

    path: Path
    size: int
    sha256: str
    seconds: float = 0.0


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
    rules, begun = rules or Rules(), time.perf_counter()

    def run(readings: Readings) -> Accounts:
        rows = Rows(month, source, folder, rules, readings, spare=0)
        with (
            room_for(f"{target.name} of {month}", folder),
            _complete(target, rows.rejects.path) as part,
            rows,
        ):
            return rows.accounts(_write(rows, part))

    accounts = settled(month, source, rules, run)
    size, sha256 = target.stat().st_size, sha256_of(target)
    seconds = time.perf_counter() - begun
    return Converted(**vars(accounts), path=target, size=size, sha256=sha256, seconds=seconds)


@contextmanager
def _complete(target: Path, beside: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces the target; after an error, leave neither file."""
    try:
        with replacing(target, target.with_suffix(".part")) as part:
            yield part
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _write(rows: Rows, target: Path) -> int:
    """Write the rows, and return the row count in the file's footer."""
    with prefetched(rows.through(_as_it_is), PIECES_AHEAD) as pieces:
        batches, threads = chain.from_iterable(pieces), rows.threads // 2
        write_row_groups(target, rows.schema, batches, ROW_GROUP_ROWS, threads)
    return int(pq.read_metadata(target).num_rows)


def _as_it_is(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch
