"""Publish files of for-hire trips in uneven row groups, as TLC might, and read what they hold."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from monthly.month import Month
from monthly.sample import write_sample

#: Rows of each published row group, all different.
UNEVEN = (700, 1, 1_300, 400)


def publish(folder: Path, month: int, rows: int = 3_000, sizes: tuple[int, ...] = UNEVEN) -> Path:
    """Publish a generated month of 2021 high-volume for-hire trips in uneven row groups."""
    which = Month("fhvhv", 2021, month)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{which.stem}.parquet"
    plain = folder / ".plain.parquet"
    write_sample(which, plain, rows)
    uneven(pq.read_table(plain), path, sizes)
    plain.unlink()
    return path


def uneven(table: pa.Table, path: Path, sizes: tuple[int, ...] = UNEVEN) -> None:
    """Write a table in row groups of these sizes, repeated until all rows are written."""
    with pq.ParquetWriter(path, table.schema) as out:
        start, turn = 0, 0
        while start < table.num_rows:
            size = sizes[turn % len(sizes)]
            out.write_table(table.slice(start, size), row_group_size=size)
            start, turn = start + size, turn + 1


def groups(path: Path) -> list[int]:
    """Return the rows of each row group, from the footer."""
    metadata = pq.read_metadata(path)
    return [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]


def touch(path: Path, days_ago: float) -> None:
    """Set a file's modification time; its content stays."""
    when = dt.datetime.now().timestamp() - days_ago * 86_400
    os.utime(path, (when, when))
