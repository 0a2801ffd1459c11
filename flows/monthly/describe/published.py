"""Reads published files before any declaration: text columns from CSV, typed ones from Parquet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.download.checks import kind_of
from core.errors import BadFile, UsageError
from core.parquet import damage_named, open_file
from monthly.convert.csv_file import open_csv
from monthly.convert.csv_lines import OPEN_QUOTE, Lines
from monthly.convert.parquet_file import BATCH_ROWS
from monthly.convert.pieces import Reject, salvage
from monthly.convert.readings import Readings, Rules
from monthly.datasets import drafted
from monthly.describe.addresses import YearMonth
from monthly.describe.layout import TextLayout, layout_of
from monthly.describe.members import member_of
from monthly.describe.quotes import Quotes
from monthly.describe.toml_text import as_toml
from monthly.describe.values import Values
from monthly.month import Month

#: Dataset name under which a file is read as text; it appears in messages.
_AS_TEXT = "text"
#: A placeholder for a file whose month is not yet known.
ANY_MONTH: YearMonth = (2020, 1)
#: Number of rejected rows to remember.
_REJECTS = 20
#: Number of last rows to remember, which may be totals.
_LAST = 12
#: A longer note is not named in a declaration.
_LONGEST = 200
#: With fewer fields, a row with one value is not odd.
_FEW_FIELDS = 2


@dataclass
class Published:
    """A published file and the profile of its values.

    Attributes:
        address: where it is published.
        path: the local file.
        month: year and month from its name; None if the name has none.
        member: the pattern of the tables in an archive of several files.
        layout: the layout of a text file; None for a Parquet file.
        line_breaks: whether texts in quotes have line breaks.
        short_rows: whether rows may lack their last fields.
        quotes: whether quotes enclose texts, rather than being characters like any other.
        quoted: the lines with quotes.
        columns: its columns, in order.
        rows: number of readable rows.
        rejects: the first rows with another number of fields or invalid text.
        rejected: number of all such rows.
        notes: how many of those are notes at the end of the file.
        end: the number of the last line.
        last: the values of the last few rows.
    """

    address: str
    path: Path
    month: YearMonth | None
    member: str = ""
    layout: TextLayout | None = None
    line_breaks: bool = False
    short_rows: bool = False
    quotes: bool = True
    quoted: Quotes = field(default_factory=Quotes)
    columns: list[Values] = field(default_factory=list)
    rows: int = 0
    rejects: list[Reject] = field(default_factory=list)
    rejected: int = 0
    notes: int = 0
    end: int = 0
    last: Sequence[Sequence[Any]] = ()

    @property
    def name(self) -> str:
        """Return the file's name, for messages."""
        return self.path.name


def read_published(file: Published) -> Published:
    """Return a file with the profile of all its values.

    Raises:
        BadFile: it is damaged, has no rows, or is not text.
    """
    file = replace(file, rejects=[], quoted=Quotes())  # not those of another reading
    near_year = (file.month or ANY_MONTH)[0]
    if kind_of(file.path) == "parquet":
        schema = pq.read_schema(file.path)
        columns = [Values(f.name, near_year, f.type) for f in schema]
        found = replace(file, columns=columns)
    else:
        file = replace(file, member=member_of(file.name, file.path))
        layout = layout_of(file.name, file.path, file.member, file.line_breaks, file.quotes)
        names = [*layout.names, *[""] * (layout.fields - len(layout.names))]
        columns = [Values(name, near_year) for name in names]
        found = replace(file, layout=layout, columns=columns)
    _measure(found)
    if other := _read_otherwise(file, found):
        return other
    if found.layout and _has_short_rows(found, found.layout):
        return read_published(replace(file, short_rows=True))
    if not found.rows:
        why = f" ({found.rejects[0].reason})" if found.rejects else ""
        raise BadFile(f"{file.name}: no row can be read{why}; is it the right file?")
    return found


def _read_otherwise(file: Published, found: Published) -> Published | None:
    """Return the file with line breaks in its texts, or without quotes, if that fits better."""
    joined = None
    if _may_have_line_breaks(found):
        with suppress(BadFile):  # no row can be read
            other = read_published(replace(file, line_breaks=True))
            joined = other if _reads_better(other, found) else None
    # Where line breaks explain all quotes, both readings are possible.
    is_explained = found.line_breaks or (joined and not joined.quoted.plain)
    if found.quotes and found.quoted.are_plain and not is_explained:
        plain = read_published(replace(file, quotes=False))
        if _has_same_names(plain, found) and plain.rejected <= found.rejected:
            return plain
    return joined


def read_alike(files: Sequence[Published]) -> list[Published]:
    """Return the files; if quotes are plain characters in one, read them so in the others.

    Raises:
        UsageError: in another one, quotes enclose texts.
    """
    plain = next((file for file in files if not file.quotes), None)
    return [_read_like(plain, file) if plain and file.quotes else file for file in files]


def _read_like(plain: Published, file: Published) -> Published:
    if not (file.quoted.enclosing or file.line_breaks):
        found = read_published(Published(file.address, file.path, file.month, quotes=False))
        if _has_same_names(found, file):
            return found
    raise UsageError(
        f"in {plain.name}, quotes are characters like any other, but in {file.name} they enclose "
        "texts; one declaration cannot hold for both: describe them separately"
    )


def _has_same_names(plain: Published, file: Published) -> bool:
    """Return whether the header has no quotes either; if names are in quotes, texts may be."""
    return [c.name for c in plain.columns] == [c.name for c in file.columns]


def plain_quotes(file: Published) -> str:
    """Return a comment on the quotes that are characters like any other."""
    lines, first = file.quoted.plain, file.quoted.first
    return (
        f"{file.name}: in {lines:,} of its lines, first in line {first}, a quote encloses no field."
    )


def _may_have_line_breaks(file: Published) -> bool:
    """Return whether a line has an unmatched quote."""
    if file.line_breaks or not file.layout or not file.quotes:
        return False
    return file.layout.has_open_quotes or any(OPEN_QUOTE in r.reason for r in file.rejects)


def _reads_better(other: Published, file: Published) -> bool:
    """Return whether a reading joined lines that another one reads as rows or a header."""
    assert other.layout  # noqa: S101 - only text files have line breaks
    assert file.layout  # noqa: S101
    rows = file.rows + file.rejected - other.rows - other.rejected
    return rows > 0 or (rows == 0 and other.layout.skipped < file.layout.skipped)


def _has_short_rows(file: Published, layout: TextLayout) -> bool:
    """Return whether rows lack their last fields; count notes at the end instead."""
    short = [reject for reject in file.rejects if layout.lacks_fields(reject.text)]
    if file.rejected == len(file.rejects) == len(short) and _are_notes(file, layout):
        file.notes = len(short)
        return False
    return bool(short) and not file.short_rows


def _are_notes(file: Published, layout: TextLayout) -> bool:
    """Return whether all rejects are notes at the end of the file, or comments anywhere."""
    if not file.rejects or not all(layout.is_note(reject.text) for reject in file.rejects):
        return False
    lines = [reject.line for reject in file.rejects if not reject.text.startswith("#")]
    if not lines:
        return True
    return lines[-1] == file.end and lines[-1] - lines[0] < _REJECTS


def _measure(file: Published) -> None:
    with opened(file, look=file.quoted.add) as pieces:
        for batches, rejects, file.end in pieces:
            file.rejected += len(rejects)
            file.rejects += rejects[: _REJECTS - len(file.rejects)]
            for batch in batches:
                file.rows += batch.num_rows
                for values, column in zip(file.columns, batch.columns):
                    values.add(column)
                if len(batch):
                    end = batch.slice(max(len(batch) - _LAST, 0))
                    file.last = [*zip(*(column.to_pylist() for column in end.columns))]
    _note_lone(file)


def _note_lone(file: Published) -> None:
    """Note the texts that alone fill the last rows, if a column is empty in just those rows."""
    rows = [*takewhile(_is_lone, reversed(file.last))]
    if any(values.rows == values.known + len(rows) for values in file.columns):
        for row in rows:
            place = next(place for place, value in enumerate(row) if value)
            text = str(row[place]).strip()
            if text.isprintable() and len(text) <= _LONGEST:
                file.columns[place].lone.add(text)


def _is_lone(row: Sequence[Any]) -> bool:
    """Return whether a row of several fields has but one value."""
    return len(row) > _FEW_FIELDS and sum(bool(value) for value in row) == 1


#: Rows, rejected lines, and the number of the last line.
Read = tuple[Sequence[pa.RecordBatch], Sequence[Reject], int]


@contextmanager
def opened(
    file: Published, nulls: Sequence[str] = (), look: Callable[[Lines], None] = lambda lines: None
) -> Iterator[Iterator[Read]]:
    """Open a file to read its rows, with all columns in order, and its unreadable rows."""
    with ExitStack() as stack:
        if file.layout is None:
            yield _parquet(file)
            return
        draft = stack.enter_context(_text_alone(file, file.layout, nulls))
        month = Month(draft, *(file.month or ANY_MONTH))
        readings = replace(Readings.asked(Rules(), month), settled=True)
        try:
            _, pieces = stack.enter_context(open_csv(month, file.path, True, readings))
            yield (_texts(piece, look) for piece in pieces)
        except BadFile as error:
            raise BadFile(month.unprefixed(str(error))) from error


def _texts(piece: Lines, look: Callable[[Lines], None]) -> Read:
    look(piece)
    found = salvage(piece, read=lambda piece: piece.published())
    lines = piece.data.rstrip(b"\r\n").count(b"\n")
    return found.batches, found.rejects, piece.first + lines


@contextmanager
def _text_alone(file: Published, layout: TextLayout, nulls: Sequence[str]) -> Iterator[str]:
    """Declare a file with text columns only, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{_AS_TEXT}.toml")
        path.write_text(_declared(file, layout, nulls), "utf-8")
        with drafted(path) as dataset:
            yield dataset.name


def _declared(file: Published, layout: TextLayout, nulls: Sequence[str]) -> str:
    names = [f"f{place}" for place in range(len(file.columns))]
    is_declared = not layout.encoding.startswith("utf")
    lines = [
        f'title = {as_toml(file.name)}\npublisher = ""\nfirst_month = "1900-01"\n[text]',
        f"member = {as_toml(file.member)}",
        f"separator = {as_toml(layout.separator)}",
        f"lines_before_header = {layout.skipped}",
        f"header = {as_toml(names)}",
        f"quotes = {as_toml(file.quotes)}",
        f"line_breaks = {as_toml(file.line_breaks)}",
        f"short_rows = {as_toml(file.short_rows)}",
        f"nulls = {as_toml([*nulls])}",
        f"encoding = {as_toml(layout.encoding)}" if is_declared else "",
    ]
    columns = [f'[columns.{name}]\ntype = "string"\ndescription = ""' for name in names]
    return "\n".join([*lines, *columns, ""])


def _parquet(file: Published) -> Iterator[Read]:
    with damage_named(file.name), open_file(file.path) as opened_file:
        for batch in opened_file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            yield [batch], [], 0
