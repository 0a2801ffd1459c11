"""Generated months in the published format: any size, deterministic, no network.

TLC's four datasets have their own generator, with the quirks of the real files; for every other
dataset, the declaration determines what a file looks like.
"""

from __future__ import annotations

from pathlib import Path

from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.sample import declared, tlc
from monthly.sample.tlc.draw import SAMPLE_VERSION


def write_sample(month: Month, path: Path, rows: int | None = None) -> None:
    """Write a month in the published format, atomically.

    Args:
        month: the month; it determines every byte, with `rows` and the declaration.
        path: a .csv.gz or .csv file, or .parquet for TLC's datasets; an existing file is replaced.
        rows: number of rows, 0 for a header alone; `default_rows` if None.

    Raises:
        UsageError: another extension, negative rows, or a declaration that fits no file.
        StorageError: the file cannot be written.
    """
    rows = default_rows(month.dataset) if rows is None else rows
    write = tlc.write_sample if month.dataset in tlc.DEFAULT_ROWS else declared.write_sample
    write(month, path, rows)


def default_rows(dataset: str) -> int:
    """Return the default number of rows of a month."""
    return tlc.DEFAULT_ROWS.get(dataset, declared.DEFAULT_ROWS)


def version_of(dataset: str) -> str:
    """Return a text that changes whenever a month of the same size may change."""
    if dataset in tlc.DEFAULT_ROWS:
        return str(SAMPLE_VERSION)
    return declared.version_of(DATASETS[dataset])
