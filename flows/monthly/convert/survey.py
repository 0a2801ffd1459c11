"""Survey of a whole file: which of several readings its values support."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import Ambiguous, Remedy
from monthly.columns import NUMBERS, Column
from monthly.convert.conforming import joined
from monthly.convert.csv_file import open_csv
from monthly.convert.csv_lines import Lines
from monthly.convert.letters import Letters
from monthly.convert.number_texts import Marks, marks_of
from monthly.convert.parquet_file import open_parquet
from monthly.convert.pieces import Piece, Reject, hopeless, salvage
from monthly.convert.published_values import is_text, trimmed
from monthly.convert.readings import Mark, Readings, Rules
from monthly.convert.rejects import too_many
from monthly.convert.time_evidence import TO_ONE, TimeEvidence
from monthly.convert.zones import UTC_ZONES
from monthly.datasets import DATASETS
from monthly.header import Mapped, both_mean
from monthly.month import Month

#: Numbers to check per piece of a column if none of them has a comma.
_SOME = 1_000


def opened_file(
    month: Month, path: Path, strict: bool, readings: Readings
) -> AbstractContextManager[tuple[Mapped, Iterator[Piece]]]:
    """Open a published file of any format, for its columns and its pieces."""
    with path.open("rb") as file:
        parquet = file.read(4) == b"PAR1"
    return (open_parquet if parquet else open_csv)(month, path, strict, readings)


def survey(month: Month, path: Path, rules: Rules, encoding: str = "") -> Readings:
    """Scan a whole file and settle its readings.

    Raises:
        Ambiguous: a value can be read in two ways, and nothing in the file decides which.
        SchemaError: two columns mean the same, and both have values.
        BadFile: the file is damaged or has no row.
        TooManyRejects: too many rows cannot be read.
    """
    asked = replace(Readings.asked(rules, month), settled=True)
    asked = replace(asked, encoding=encoding or asked.encoding)
    seen, letters = _Seen(month, asked, rules.limit_of_rejects(month)), Letters()
    with opened_file(month, path, rules.strict, asked) as (mapped, pieces):
        for piece in pieces:
            if isinstance(piece, Lines):
                letters.add(piece.data, piece.layout.names_in)
            seen.add(piece, mapped)
            # A line that is not UTF-8 may be good in the encoding that the whole file implies.
            if not letters.others:
                seen.refuse_hopeless()
    if asked.encoding == "utf-8" and letters.encoding != asked.encoding:
        return survey(month, path, rules, letters.encoding)
    seen.refuse_hopeless()
    return seen.settle(mapped)


class _Seen:
    """The values seen in a file that have several readings."""

    def __init__(self, month: Month, asked: Readings, max_share: float) -> None:
        self._month, self._dataset, self._asked = month, DATASETS[month.dataset], asked
        self._max_share, self._rows, self._failed = max_share, 0, 0
        self._first: list[Reject] = []
        self._times = TimeEvidence(month)
        self._marks, self._number = Marks(), ""
        self._filled: Counter[str] = Counter()

    def add(self, piece: Piece, mapped: Mapped) -> None:
        """Add the evidence of a piece; rows that cannot be read give none."""
        there = [c for c in mapped.outcome if c.name not in mapped.missing]
        joins = [c for c in there if c.joined and not c.formats]
        # By name: the tables of an archive have their columns in any order.
        columns = {name: column for name, column in zip(mapped.names, mapped.columns) if column}
        columns |= {_name_of_join(column): column for column in joins}
        found = salvage(piece, self._max_share, partial(self._published, joins, mapped))
        self._rows += found.rows
        self._failed += len(found.rejects)
        self._first = self._first or found.rejects[:1]
        for batch in found.batches:
            for name, values in zip(batch.schema.names, batch.columns):
                self._add(name, columns[name], values)

    def refuse_hopeless(self) -> None:
        """Raise TooManyRejects if so many rows cannot be read that the month will fail."""
        failed, rows, share = self._failed, self._rows, self._max_share
        if hopeless(failed, rows, share):
            raise too_many(self._month, failed, rows, share, self._first, "so far")

    def _published(self, joins: Sequence[Column], mapped: Mapped, piece: Piece) -> pa.RecordBatch:
        """Return the published columns and, after them, those that are joined from them."""
        batch = piece.published()
        found = dict(zip(batch.schema.names, batch.columns))
        found |= {_name_of_join(c): joined(c, mapped, found, self._asked) for c in joins}
        return pa.RecordBatch.from_pydict(found)

    def settle(self, mapped: Mapped) -> Readings:
        """Decide the open readings.

        Raises:
            Ambiguous: nothing in the file decides.
            SchemaError: two columns mean the same, and both have values.
        """
        asked, empty = self._asked, self._empty_twins(mapped)
        order, utc, notes = self._times.settle(asked)
        mark = self._mark(asked)
        notes += tuple(f"column {mapped.published[p]!r} left out, as it is empty" for p in empty)
        if self._number and mark:
            notes = (*notes, f"numbers like {self._number!r} with a decimal {mark}")
        return replace(asked, order=order, utc=utc, mark=mark, empty=empty, notes=notes)

    def _add(self, name: str, column: Column, values: pa.Array) -> None:
        nulls = tuple(self._dataset.text.nulls)
        texts = trimmed(values, nulls) if is_text(values.type) else values
        self._filled[name] += len(texts) - texts.null_count
        if column.kind in ("timestamp", "date") and not column.formats:
            is_of_row = column.name == self._dataset.roles.time
            self._times.add(texts, is_of_row, column.zone in UTC_ZONES)
        elif column.kind in NUMBERS and column.codes is None and is_text(values.type):
            self._add_numbers(texts.drop_null())

    def _add_numbers(self, known: pa.Array) -> None:
        with_comma = known.filter(pc.match_substring(known, ","))
        if len(with_comma):
            self._number = self._number or with_comma[0].as_py()
            self._marks += marks_of(known)
        else:  # a sample shows a decimal point as well as all of them do
            self._marks += marks_of(known.slice(0, _SOME))

    def _mark(self, asked: Readings) -> Mark | None:
        """Return the decimal mark, None if no number has a comma."""
        marks = self._marks
        if asked.mark or not self._number:
            return asked.mark
        if marks.comma and marks.point * TO_ONE <= marks.comma:
            return "comma"
        if marks.point and marks.comma * TO_ONE <= marks.point:
            return "point"
        raise Ambiguous(
            f"{self._month}: numbers like {self._number!r} can have a comma between thousands or "
            f"before decimals, and the file does not decide ({marks.point:,} numbers speak for a "
            f"decimal point, {marks.comma:,} for a comma)",
            *(Remedy("decimal_mark", mark) for mark in get_args(Mark)),
        )

    def _empty_twins(self, mapped: Mapped) -> frozenset[int]:
        """Return the positions of columns to leave out because another one means the same."""
        empty: set[int] = set()
        for column in {c for p, c in enumerate(mapped.columns) if p in mapped.twins}:
            places = [p for p, c in enumerate(mapped.columns) if c == column]
            full = [p for p in places if self._filled[mapped.names[p]]]
            if column and len(full) > 1:
                one, other = (mapped.published[p] for p in full[:2])
                raise both_mean(self._month, one, other, column.name)
            empty.update(p for p in places if p != (full or places)[0])
        return frozenset(empty)


def _name_of_join(column: Column) -> str:
    """Return a name for a joined column that no published one has: `#` begins those of twins."""
    return f"#join {column.name}"
