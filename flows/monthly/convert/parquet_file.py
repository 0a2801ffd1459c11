"""Parquet files of every vintage as pieces."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import BadFile
from core.parquet import damage_named, open_file
from monthly.convert.conforming import conform
from monthly.convert.pieces import Piece, Reject
from monthly.convert.published_values import Unreadable, is_text, null_values, refuse_nameless
from monthly.convert.readings import Readings
from monthly.convert.zones import UTC_ZONES, place_of
from monthly.header import Mapped, map_header, may_number_rows
from monthly.month import Month

BATCH_ROWS = 1 << 14


@dataclass(frozen=True)
class ParquetRows:
    """Rows of a Parquet file, a `Piece`.

    Attributes:
        month: the month of the rows.
        mapped: the column of each field.
        batch: the rows as published.
        first: number of the first row, from 1.
        readings: how to read ambiguous values.
        numbers: numbers of the rows if some were taken out; empty if they are consecutive.
    """

    month: Month
    mapped: Mapped
    batch: pa.RecordBatch
    first: int
    readings: Readings
    numbers: Sequence[int] = ()

    @property
    def most_rows(self) -> float:
        """Return a bound on the rows so far; see `Piece`."""
        return self.first

    @property
    def rows(self) -> int:
        """Return the number of rows; see `Piece`."""
        return int(self.batch.num_rows)

    def convert(self) -> pa.RecordBatch:
        """Convert all rows to the canonical schema; see `Piece`."""
        return conform(self.month, self.mapped, self._found(), self.rows, self.readings)

    def published(self) -> pa.RecordBatch:
        """Return all rows of the known columns; see `Piece`."""
        return pa.RecordBatch.from_pydict(self._found())

    def _found(self) -> dict[str, pa.Array]:
        for place in sorted(self.mapped.nameless):
            way_out = 'declare new_columns = "drop" to leave it out'
            refuse_nameless(place, self.batch.column(place), way_out)
        fields = zip(self.mapped.names, self.mapped.columns, self.batch.columns)
        nulls = self.readings.nulls
        return {n: known_values(n, values, nulls) for n, c, values in fields if c}

    def halves(self) -> tuple[ParquetRows, ParquetRows]:
        """Return the first and the second half; see `Piece`."""
        middle = self.rows // 2
        return self._slice(0, middle), self._slice(middle, self.rows - middle)

    def split(self, places: Collection[int]) -> tuple[ParquetRows | None, list[Piece]]:
        """Return the piece without some rows, and each of these; see `Piece`."""
        rest = [place for place in range(self.rows) if place not in places]
        return self._take(rest) if rest else None, [self._take([place]) for place in places]

    def _take(self, places: Sequence[int]) -> ParquetRows:
        numbers = [self._number(place) for place in places]
        return replace(self, batch=self.batch.take(pa.array(places)), numbers=numbers)

    def _slice(self, start: int, rows: int) -> ParquetRows:
        numbers = self.numbers and self.numbers[start : start + rows]
        batch = self.batch.slice(start, rows)
        return replace(self, batch=batch, first=self._number(start), numbers=numbers)

    def _number(self, place: int) -> int:
        return self.numbers[place] if self.numbers else self.first + place

    def reject(self, reason: str) -> Reject:
        """Return the only row as a reject; see `Piece`."""
        pairs = zip(self.batch.schema.names, self.batch.columns)
        text = json.dumps({name: _shown(values) for name, values in pairs}, default=str)
        return Reject(self._number(0), reason, text)


def known_values(name: str, values: pa.Array, nulls: tuple[str, ...]) -> pa.Array:
    """Decode dictionaries, check texts, and make numbers and times that mean "no value" null.

    Args:
        name: name of the column, for errors.
        values: published values, of any type.
        nulls: declared spellings of "no value".

    Raises:
        Unreadable: a text is not UTF-8 or has a NUL byte.
    """
    return _known(_plain(name, values), nulls)


def _plain(name: str, values: pa.Array) -> pa.Array:
    """Decode dictionaries, which would share a bad row's text, and check texts.

    A text must be UTF-8 and, as in a CSV file, without NUL bytes, which PostgreSQL refuses.
    """
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    binary = pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type)
    if binary or is_text(values.type):
        try:
            if binary:  # how Spark writes text
                values = values.cast(pa.string())
            values.validate(full=True)  # Arrow has not yet checked that it is UTF-8
        except pa.ArrowInvalid as error:
            raise Unreadable(f"{name}: {error}") from error
        if _has_nul(values.cast(pa.string())):
            raise Unreadable(f"{name}: a NUL byte")
    return values


def _known(values: pa.Array, nulls: tuple[str, ...]) -> pa.Array:
    """Return numbers and times with null for those that are declared as "no value"."""
    if pa.types.is_float16(values.type) and nulls:
        values = values.cast(pa.float32())  # Arrow cannot look up half floats
    meant = null_values(nulls, values.type)
    return pc.if_else(pc.is_in(values, meant), None, values) if len(meant) else values


def _has_nul(texts: pa.Array) -> bool:
    data = texts.buffers()[2]  # may hold other rows too; searching it takes hardly any time
    if data is None or b"\0" not in data.to_pybytes():
        return False
    return bool(pc.any(pc.match_substring(texts, "\0")).as_py())


def _shown(values: pa.Array) -> object:
    """Return the only value in a form that JSON can hold, even if Python cannot hold it."""
    if pa.types.is_temporal(values.type):
        values = values.cast(pa.string())
    try:
        return values[0].as_py()
    except UnicodeDecodeError:
        return values[0].as_buffer().to_pybytes().decode("utf-8", "backslashreplace")


@contextmanager
def open_parquet(
    month: Month, path: Path, strict: bool, readings: Readings
) -> Iterator[tuple[Mapped, Iterator[ParquetRows]]]:
    """Open a Parquet file; yield its columns and its pieces.

    Raises:
        BadFile: the file is damaged or has no rows.
        SchemaError: the columns do not fit the dataset.
    """
    with damage_named(f"{month}: {path.name}"):
        file = open_file(path)
    with file:
        if not file.metadata.num_rows:
            raise BadFile(f"{month}: {path.name} has no rows; the month stays as it was")
        schema = file.schema_arrow
        numbers = _row_numbers(schema)
        choice = readings.new_columns
        mapped = map_header(month, schema.names, strict, readings.empty, choice, numbers)
        yield (
            replace(mapped, read=(*_zones(schema, mapped, readings.zone), *mapped.read)),
            _pieces(month, mapped, path, file, readings),
        )


def _row_numbers(schema: pa.Schema) -> list[int]:
    """Return the fields in which pandas writes the numbers of rows."""
    return [
        place
        for place, field in enumerate(schema)
        if may_number_rows(place, field.name) and pa.types.is_integer(field.type)
    ]


def _zones(schema: pa.Schema, mapped: Mapped, zone: str) -> tuple[str, ...]:
    """Return notes on times whose zone is converted, if it has one meaning; UTC may have two."""
    return tuple(
        f"{c.name}: times of {f.type.tz}, kept as {place_of(zone)}'s clock"
        for c, f in zip(mapped.columns, schema)
        if zone and c and c.kind in ("timestamp", "date")
        if pa.types.is_timestamp(f.type) and f.type.tz
        if f.type.tz not in UTC_ZONES or c.zone in UTC_ZONES
    )


def _pieces(
    month: Month, mapped: Mapped, path: Path, file: pq.ParquetFile, readings: Readings
) -> Iterator[ParquetRows]:
    row = 1
    batches = file.iter_batches(batch_size=BATCH_ROWS, use_threads=False)
    while True:
        with damage_named(f"{month}: {path.name}"):
            batch = next(batches, None)
        if batch is None:
            break
        yield ParquetRows(month, mapped, batch, row, readings)
        row += batch.num_rows
    if row - 1 != file.metadata.num_rows:
        raise BadFile(
            f"{month}: {path.name} has {row - 1} rows where its footer says "
            f"{file.metadata.num_rows}; get it again"
        )
