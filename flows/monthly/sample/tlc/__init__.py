"""Generated months of TLC's four datasets, with the real files' oddities.

Files have the header, line endings, spellings and oddities of their month (see
monthly.sample.tlc.eras). Every value is drawn as an integer (cents, hundredths of a mile, seconds)
from PCG64, whose stream numpy guarantees, so a file's text does not depend on the processor or on
the version of Python or numpy. Its compressed bytes are the same for the same zlib.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.csv as pa_csv

from core.parquet import open_writer
from core.prefetch import prefetched
from monthly.month import Month
from monthly.sample.tlc.draw import Draw
from monthly.sample.tlc.eras import Era, era_of
from monthly.sample.tlc.looks import published
from monthly.sample.tlc.trips import TRIPS, Chunk, as_published
from monthly.sample.writing import complete, sink_of, write_csv, write_csv_gz

Sink: TypeAlias = Callable[[Path, Era, Iterator[pa.Table]], None]

#: Default number of rows of a month, by dataset.
DEFAULT_ROWS: Mapping[str, int] = {
    "green": 50_000,
    "yellow": 200_000,
    "fhv": 50_000,
    "fhvhv": 200_000,
}
#: Rows per chunk, held in memory at a time.
CHUNK = 65_536


def write_sample(month: Month, path: Path, rows: int | None = None) -> None:
    """Write a month in the published format, atomically.

    Args:
        month: determines names, spellings, tariffs and, with `rows`, every value.
        path: ends in .csv.gz, .csv or .parquet; an existing file is replaced.
        rows: number of rows, 0 for only a header; DEFAULT_ROWS if None.

    Raises:
        UsageError: another extension, or fewer than 0 rows.
        StorageError: the file cannot be written.
    """
    rows = DEFAULT_ROWS[month.dataset] if rows is None else rows
    sink = sink_of(month, path, rows, _SINKS)
    era = era_of(month, sink is _parquet)
    with complete(month, path) as part:
        sink(part, era, (table for _, table in parts(month, era, rows, sink is _parquet)))


def parts(month: Month, era: Era, rows: int, is_parquet: bool) -> Iterator[tuple[Chunk, pa.Table]]:
    """Yield the drawn values of each part of a file, and the part as published."""
    for start in range(0, max(rows, 1), CHUNK):
        draw = Draw(month, start, min(start + CHUNK, rows), rows)
        chunk = as_published(draw, era, TRIPS[month.dataset](draw, era))
        columns = [published(month, era, key, chunk[key], is_parquet) for key in era.keys]
        yield chunk, pa.table(columns, era.names)


# ---- writing


def _csv(part: Path, era: Era, tables: Iterator[pa.Table]) -> None:
    write_csv(part, _lines(era, tables))


def _csv_gz(part: Path, era: Era, tables: Iterator[pa.Table]) -> None:
    write_csv_gz(part, _lines(era, tables))


def _lines(era: Era, tables: Iterator[pa.Table]) -> Iterator[bytes]:
    options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
    yield era.preamble
    for table in tables:
        text = io.BytesIO()
        pa_csv.write_csv(table, text, options)
        yield text.getvalue().replace(b"\n", era.row_end.encode())


def _parquet(part: Path, era: Era, tables: Iterator[pa.Table]) -> None:
    first = next(tables)
    with (
        open_writer(part, first.schema) as out,
        prefetched(tables) as coming,
    ):
        for table in chain([first], coming):
            out.write_table(table)


_SINKS: Mapping[str, Sink] = {".csv.gz": _csv_gz, ".csv": _csv, ".parquet": _parquet}
