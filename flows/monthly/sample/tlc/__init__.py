"""Generated months of TLC's four datasets, with the real files' oddities.

Files have the header, line endings, spellings and oddities of their month (see
monthly.sample.tlc.eras), and come with counts of what was written. Every value is drawn as an
integer (cents, hundredths of a mile, seconds) from PCG64, whose stream numpy guarantees,
so a file's text does not depend on the processor or on the version of Python or numpy.
Its compressed bytes are the same for the same zlib.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import reduce
from itertools import chain
from operator import add
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from core.parquet import open_writer
from core.prefetch import prefetched
from monthly.month import Month
from monthly.sample.tlc.draw import SAMPLE_VERSION as SAMPLE_VERSION
from monthly.sample.tlc.draw import Draw, seconds_of
from monthly.sample.tlc.eras import NULL, Era, Ints, era_of
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


@dataclass(frozen=True)
class Facts:
    """The contents of a generated file, counted before it is written.

    Attributes:
        rows: all rows.
        out_of_month: pickups before or after the file's month.
        negative_totals: rows whose total (fhvhv: base fare) is below zero.
        dropoff_before_pickup: rows that end before they begin.
        zero_distance: rows of 0 miles.
        duplicates: rows that repeat the previous row in every field.
        total_cents: exact sum of the total (fhvhv: base fare), US cents; None if the file has
            no such column.
        payment_types: rows by payment as published (a number, a text, None for null);
            None if the file has no such column.
        nulls: null values, by published column name.
    """

    rows: int
    out_of_month: int
    negative_totals: int
    dropoff_before_pickup: int
    zero_distance: int
    duplicates: int
    total_cents: int | None
    payment_types: Mapping[int | str | None, int] | None
    nulls: Mapping[str, int]

    def __add__(self, other: Facts) -> Facts:
        """Return the combined facts of two parts of one file."""
        names = [field.name for field in fields(self)]
        return Facts(*(_plus(getattr(self, name), getattr(other, name)) for name in names))


def write_sample(month: Month, path: Path, rows: int | None = None) -> Facts:
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
    with complete(month, path) as part:
        return _write(month, rows, part, sink)


def _write(month: Month, rows: int, part: Path, sink: Sink) -> Facts:
    era = era_of(month, sink is _parquet)
    facts: list[Facts] = []

    def tables() -> Iterator[pa.Table]:
        for found, table in _parts(month, era, rows, sink is _parquet):
            facts.append(found)
            yield table

    sink(part, era, tables())
    return reduce(add, facts)


def _parts(month: Month, era: Era, rows: int, is_parquet: bool) -> Iterator[tuple[Facts, pa.Table]]:
    for start in range(0, max(rows, 1), CHUNK):
        draw = Draw(month, start, min(start + CHUNK, rows), rows)
        chunk = as_published(draw, era, TRIPS[month.dataset](draw, era))
        columns = [published(month, era, key, chunk[key], is_parquet) for key in era.keys]
        yield _count(month, era, chunk), pa.table(columns, era.names)


# ---- facts


def _count(month: Month, era: Era, chunk: Chunk) -> Facts:
    """Count the facts of one chunk; a column that the era lacks has no oddities."""
    pickup, total = chunk["pickup"], chunk.get("total", chunk.get("base_fare"))
    start, end = seconds_of(month.first_day), seconds_of(month.next.first_day)
    dropoff = chunk.get("dropoff", pickup)
    return Facts(
        rows=len(pickup),
        out_of_month=_true((pickup < start) | (pickup >= end)),
        negative_totals=0 if total is None else _true(total < 0),
        dropoff_before_pickup=_true(dropoff < pickup),
        zero_distance=_true(chunk.get("distance", pickup) == 0),
        duplicates=_true(chunk["twin"]),
        total_cents=None if total is None else int(total.sum()),
        payment_types=_payments(era, chunk["payment"]) if "payment" in chunk else None,
        nulls={name: _true(chunk[key] == NULL) for name, key in zip(era.names, era.keys)},
    )


def _payments(era: Era, codes: Ints) -> dict[int | str | None, int]:
    texts = era.texts.get("payment")
    found: dict[int | str | None, int] = {}
    for code, count in zip(*(a.tolist() for a in np.unique(codes, return_counts=True))):
        name = None if code == NULL else texts[code] if texts else code
        found[name] = found.get(name, 0) + count
    return found


def _plus(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping):
        return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
    return None if one is None else one + other


def _true(rows: Any) -> int:
    return int(np.count_nonzero(rows))


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
