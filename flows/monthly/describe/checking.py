"""Checks a draft: converts the files behind it and compares the values."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import TooManyRejects
from monthly.convert.number_texts import normal
from monthly.convert.published_values import is_text, trimmed
from monthly.convert.readings import Mark, Rules
from monthly.convert.rejects import read_rejects
from monthly.convert.time_formats import halves_of
from monthly.convert.to_parquet import Converted, convert
from monthly.datasets import drafted
from monthly.describe.columns import Drafted
from monthly.describe.draft import Draft
from monthly.describe.published import Published, opened
from monthly.describe.toml_text import bare
from monthly.describe.zones import repeats
from monthly.month import Month

#: Formats that Arrow can parse itself, to check the conversion.
_KNOWN = re.compile(r"[^%]*(%[YmdHMS][^%]*)*")
#: All times may be outside the month, but only a few rows may be rejected.
_RULES = Rules(max_reject_share=0.1, max_outside_share=1.0)
#: Number of rejected rows to show.
_SHOWN = 3


@dataclass
class Checked:
    """The result of converting a file with the draft.

    Attributes:
        file: the file.
        converted: the converted month; None if too many of its rows are rejected.
        different: columns whose values differ from the file, and in how many rows.
        compared: number of columns compared value by value.
        repeated: times to which the file jumps back by an hour.
        left: rejected rows, as text.
        totals: rows that the draft rejects as totals.
    """

    file: Published
    converted: Converted | None
    different: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    repeated: list[dt.datetime] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    totals: int = 0

    @property
    def failed(self) -> float:
        """Return the share of rows that are rejected although the draft does not say so."""
        if not self.converted:
            return 0.0
        return (self.converted.rows_rejected - self.totals) / self.converted.rows_read

    @property
    def is_whole(self) -> bool:
        """Return whether every row and value of the file was converted, except totals."""
        written = self.converted.rows_written if self.converted else 0
        return written + self.totals == self.file.rows and not self.different


def checked(draft: Draft, path: Path, folder: Path) -> Iterator[Checked]:
    """Convert each file with the draft and compare all values.

    Args:
        draft: the draft.
        path: the file of the draft.
        folder: the folder for the converted files.

    Raises:
        TripsError: a file cannot be converted at all.
    """
    with drafted(path):
        for number, (file, month) in enumerate(zip(draft.files, draft.months)):
            there = folder / str(number)
            there.mkdir(parents=True)
            yield _check(draft, number, file, Month(draft.name, *month), there)


def _check(draft: Draft, number: int, file: Published, month: Month, folder: Path) -> Checked:
    try:
        converted = convert(month, file.path, folder, _RULES)
    except TooManyRejects as error:
        return Checked(file, None, left=[str(error)])
    found = Checked(file, converted)
    if converted.rejects:
        rows = islice(read_rejects(converted.rejects), _SHOWN)
        found.left = [f"line {bare(','.join(row), 200)}" for row in rows]
    time = draft.roles.get("time")
    if time and number in time.seen:
        for group in _groups(converted.path, [time.name]):
            if pa.types.is_timestamp(group.column(0).type):
                found.repeated += repeats(group.column(0).combine_chunks())
    found.totals = _totals(draft, number, file)
    if converted.rows_rejected == file.rejected + found.totals:
        _compare(draft, number, found, converted.path)
    return found


def _groups(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns, use_threads=False)


def _totals(draft: Draft, number: int, file: Published) -> int:
    """Count the rows of a file that the draft rejects as totals."""
    if not any(column.verdict.rejected for column in draft.columns):
        return 0
    with opened(file, draft.nulls) as pieces:
        batches = (batch for read, _, _ in pieces for batch in read)
        return sum(len(batch) - len(_data(draft, number, batch)) for batch in batches)


def _data(draft: Draft, number: int, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows that the draft does not reject as totals."""
    for column in draft.columns:
        if column.verdict.rejected and number in column.places:
            texts = trimmed(batch.column(column.places[number]), ())
            batch = batch.filter(
                pc.invert(pc.is_in(texts, pa.array([*column.verdict.rejected], pa.string())))
            )
    return batch


def _compare(draft: Draft, number: int, found: Checked, path: Path) -> None:
    columns = [c for c in draft.columns if number in c.seen and not c.is_part]
    formats = {c.name: _format_of(c, number) for c in columns}
    columns = [c for c in columns if formats[c.name] is not None]
    found.compared = len(columns)
    with opened(found.file, draft.nulls) as pieces:
        batches = (_data(draft, number, batch) for read, _, _ in pieces for batch in read)
        for texts, table in _side_by_side(batches, _groups(path)):
            for column in columns:
                published = _published(column, texts, number)
                kept = table.column(column.name).combine_chunks()
                written = formats[column.name] or ""
                read = _read(column, published, draft, written, kept.type)
                wrong = _differences(published, read, kept) if read is not None else 0
                if wrong:
                    found.different[column.name] += wrong


def _published(column: Drafted, texts: pa.Table, number: int) -> pa.Array:
    """Return the published values of a column, with those of its parts joined."""
    parts = [
        texts.column(part.places[number]).combine_chunks() for part in column.parts or [column]
    ]
    if not column.parts:
        return parts[0]
    return pc.binary_join_element_wise(*(part.cast(pa.string()) for part in parts), " ")


def _format_of(column: Drafted, number: int) -> str | None:
    """Return the format of times in one file; empty for ISO, None if Arrow cannot parse it."""
    if not column.verdict.formats:
        return ""
    forms = [*column.seen[number].times.forms.values()]
    if all(form.is_plain for form in forms) and forms and not column.parts:
        return ""
    formats = {reading.format for form in forms for reading in form.readings}
    shared = [
        text for text in column.verdict.formats if text in formats or column.parts or not forms
    ]
    return shared[0] if len(shared) == 1 and _KNOWN.fullmatch(shared[0]) else None


def _side_by_side(
    batches: Iterable[pa.RecordBatch], groups: Iterable[pa.Table]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield the same rows, published and converted, one row group at a time."""
    waiting: list[pa.RecordBatch] = []
    source = iter(batches)
    for group in groups:
        while sum(batch.num_rows for batch in waiting) < group.num_rows:
            batch = next(source, None)
            if batch is None:
                return
            waiting.append(batch)
        table = pa.Table.from_batches(waiting)
        yield table.slice(0, group.num_rows), group
        waiting = table.slice(group.num_rows).to_batches()


def _differences(published: pa.Array, read: pa.Array, kept: pa.Array) -> int:
    """Count the rows whose value differs from the published one."""
    both_null = pc.and_(read.is_null(), kept.is_null())
    same = pc.or_(both_null, pc.fill_null(pc.equal(read, kept), False))
    if is_text(published.type):  # accept any value where Arrow cannot parse, such as 24:00
        unread = pc.and_(published.is_valid(), pc.and_(read.is_null(), kept.is_valid()))
        same = pc.or_(same, unread)
    return len(same) - (pc.sum(same).as_py() or 0)


def _read(
    column: Drafted, published: pa.Array, draft: Draft, written: str, target: pa.DataType
) -> pa.Array | None:
    """Convert published values to the type of their column with Arrow alone."""
    if not is_text(published.type):
        return _read_native(published, target)
    if column.verdict.kind == "string":
        return published.cast(pa.string())
    texts = trimmed(published, tuple(draft.nulls))
    if column.verdict.kind in ("int64", "float64", "decimal"):
        return _numbers(texts, draft.mark, target)
    if column.verdict.kind == "boolean":
        return pc.equal(pc.utf8_lower(texts), "true")
    try:
        times = _times(texts, written) if written else texts.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:  # 24:00
        return None
    return times.cast(target)


def _times(texts: pa.Array, written: str) -> pa.Array:
    start, *end = halves_of(written)
    if end:
        between = start.rpartition("%")[2][1:]
        written = start.removesuffix(between)
        texts = pc.list_element(pc.split_pattern(texts, between, max_splits=1), 0)
    if "%d" not in written:  # the first day of a month
        texts, written = pc.binary_join_element_wise(texts, "1", " "), f"{written} %d"
    return pc.strptime(texts, format=written, unit="us", error_is_null=True)


def _numbers(texts: pa.Array, mark: Mark, target: pa.DataType) -> pa.Array:
    if mark == "comma" or pc.any(pc.match_substring_regex(texts, r"[^0-9.eE+-]")).as_py():
        texts = normal(texts, mark)
    unsigned = pc.utf8_ltrim(texts, "+")
    return unsigned.cast(target if target == pa.int64() else pa.float64()).cast(target)


def _read_native(published: pa.Array, target: pa.DataType) -> pa.Array | None:
    """Convert the values of a Parquet file to another type; None for times with a zone."""
    kind = published.type
    if pa.types.is_timestamp(kind) and kind.tz:
        return None
    if pa.types.is_floating(kind):
        published = pc.if_else(pc.is_finite(published), published, None)
    if pa.types.is_binary(kind) or pa.types.is_dictionary(kind):
        return published.cast(pa.string())
    return published.cast(target)
