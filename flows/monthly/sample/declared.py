"""Generated months of any declared dataset, in its declared format."""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import UsageError
from monthly.columns import Column
from monthly.convert.arrays import strings
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.sample.clock import Clock
from monthly.sample.draw import SAMPLE_VERSION, Draw, as_arrow
from monthly.sample.fields import Field, fields_of
from monthly.sample.values import Values, key_of
from monthly.sample.writing import complete, sink_of, write_csv, write_csv_gz

#: Default number of rows of a month.
DEFAULT_ROWS = 10_000
#: Rows per chunk, held in memory at a time.
CHUNK = 32_768
#: One in this many values is null, in columns that allow it.
_NULLS = 20
#: The first character of a web page or JSON, which downloads reject.
_NO_TEXT = re.compile(r"[<{\[]")

_SINKS: Mapping[str, Callable[[Path, Iterator[bytes]], None]] = {
    ".csv.gz": write_csv_gz,
    ".csv": write_csv,
}


def write_sample(month: Month, path: Path, rows: int) -> None:
    """Write a month in the declared format; see `monthly.sample`.

    All rows are readable, with times in the month, and distinct if any column has enough values.
    """
    sink = sink_of(month, path, rows, _SINKS)
    with complete(month, path) as part:
        sink(part, _encoded(month, _texts(month, rows)))


def version_of(dataset: Dataset) -> str:
    """Return the generator's version and a checksum of what determines a file."""
    said = dataset.declared.model_dump(
        include={"columns", "text", "roles", "bounds", "map", "interval", "time_zone"},
        exclude={"columns": {"__all__": {"description"}}},
    )
    if dataset.text.quotes:
        del said["text"]["quotes"]  # so that samples from before 1.11 stay as they are
    said["place"] = dataset.words.place
    checksum = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    return f"{SAMPLE_VERSION}.{checksum[:8]}"


def _encoded(month: Month, texts: Iterator[str]) -> Iterator[bytes]:
    encoding = DATASETS[month.dataset].text.encoding or "utf-8"
    encoder = codecs.getincrementalencoder(encoding)()
    try:
        for text in texts:
            yield encoder.encode(text)
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{month}: {error.object[error.start : error.end]!r} of the declaration cannot be "
            f"written in {encoding}; correct text.encoding in {DATASETS[month.dataset].place}"
        ) from error


def _texts(month: Month, rows: int) -> Iterator[str]:
    """Yield the lines before the rows, then chunks of rows."""
    dataset, fields, clock = DATASETS[month.dataset], fields_of(month), Clock(month)
    separator = dataset.text.separator or ","
    yield "".join(f"Generated, line {n + 1}\n" for n in range(dataset.text.lines_before_header))
    if not dataset.text.header:
        names = _fields(month, strings([field.name for field in fields]), separator).to_pylist()
        first = _text_first(names[0]) if names and dataset.text.quotes else "".join(names[:1])
        yield separator.join([first, *names[1:]]) + "\n"
    columns = list(dict.fromkeys(field.column for field in fields if field.column))
    key = key_of(columns, dataset, clock, rows)
    for start in range(0, rows, CHUNK):
        span = start, min(start + CHUNK, rows)
        arrays = _Chunk(month, Values(month, clock, rows, span), key, span).arrays(fields)
        shown = [_fields(month, array, separator) for array in arrays]
        lines = pc.binary_join_element_wise(*shown, separator).to_pylist()
        yield "\n".join([*lines, ""])


def _fields(month: Month, texts: pa.Array, separator: str) -> pa.Array:
    """Return the texts as fields, in quotes where these are needed and allowed."""
    dataset = DATASETS[month.dataset]
    if dataset.text.quotes:
        return quoted(texts, separator)
    split = texts.filter(pc.match_substring(texts, separator))
    if len(split):
        raise UsageError(
            f"{month}: {split[0].as_py()!r} of the declaration has the separator, but text.quotes "
            f"= false allows no quotes; correct text.quotes or text.separator in {dataset.place}"
        )
    return texts


def quoted(texts: pa.Array, separator: str) -> pa.Array:
    """Quote the texts that would otherwise not be a single field."""
    special = pc.match_substring_regex(texts, f'[{re.escape(separator)}"]|^\\s|\\s$')
    if not pc.any(special).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), texts)


def _text_first(name: str) -> str:
    return f'"{name}"' if _NO_TEXT.match(name) else name


class _Chunk:
    """The rows of one chunk, by field."""

    def __init__(
        self, month: Month, values: Values, key: Column | None, span: tuple[int, int]
    ) -> None:
        self._month, self._dataset, self._values = month, DATASETS[month.dataset], values
        self._key, self._span = key, span

    def arrays(self, fields: Sequence[Field]) -> list[pa.Array]:
        """Return the texts of each field; the first field always has a value."""
        wanted = dict.fromkeys(field.column for field in fields if field.column)
        texts = {column: self._values.of(column, column is self._key) for column in wanted}
        return [self._array(field, texts, place) for place, field in enumerate(fields)]

    def _array(self, field: Field, texts: Mapping[Column, pa.Array], place: int) -> pa.Array:
        column = field.column
        if column is None:
            return strings(["x"] * (self._span[1] - self._span[0]))
        if field.part is not None:
            return self._part(column, texts[column], field.part)
        return self._with_nulls(column, texts[column]) if place else texts[column]

    def _part(self, column: Column, texts: pa.Array, part: int) -> pa.Array:
        """Return one part of each text of a joined column."""
        spaces = len(column.joined) - 1
        parts = pc.split_pattern(texts, " ", max_splits=spaces)
        fewest = pc.min(pc.list_value_length(parts)).as_py()
        if fewest is not None and fewest <= spaces:
            raise UsageError(
                f"{self._month}: values of {column.name} have no {spaces} spaces between the "
                f"columns that it joins; correct its join or formats in {self._dataset.place}"
            )
        return pc.list_element(parts, part)

    def _with_nulls(self, column: Column, texts: pa.Array) -> pa.Array:
        """Return the texts, some of them null if the column allows it."""
        month, nulls = self._month, ["", *self._dataset.text.nulls]
        is_required = column.is_required(month.year, month.month) and not column.sparse
        if is_required or column is self._key or column.name == self._dataset.roles.time:
            return texts
        draw = Draw(month, f"{column.name} is null", *self._span)
        shown = strings(nulls).take(as_arrow(draw.pick(len(nulls))))
        return pc.if_else(pc.equal(as_arrow(draw.pick(_NULLS)), 0), shown, texts)
