"""The footer of a Parquet object, read without its rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BadFile
from core.storage.bucket import Bucket
from monthly.columns import FILE_MONTH
from monthly.month import Month

#: Footers are smaller, except with hundreds of columns.
_TAIL_BYTES = 1 << 16
#: Length of the footer and "PAR1".
_END_BYTES = 8


@dataclass(frozen=True)
class Footer:
    """What the footer of a month's object says.

    Attributes:
        rows: number of rows.
        nulls: null values by column, for the columns that have the count in each row group.
        columns: names of the columns.
        months: the minimum and the maximum `file_month`; None if the object lacks them.
    """

    rows: int
    nulls: Mapping[str, int]
    columns: frozenset[str]
    months: tuple[dt.date, dt.date] | None

    @property
    def year_month(self) -> str:
        """Return the month of the rows as text, such as `2020-10`."""
        if self.months is None:
            return "no month"
        first, last = (f"{day:%Y-%m}" for day in self.months)
        return first if first == last else f"{first} to {last}"

    def is_of(self, month: Month) -> bool:
        """Return whether all rows are of this month."""
        return self.months == (month.first_day, month.first_day)


def read_footer(bucket: Bucket, key: str, size: int) -> Footer:
    """Return the footer of an object of this size, from its last bytes.

    Raises:
        BadFile: the object has no footer.
        StorageError: the object is gone or shorter.
    """
    if size < _END_BYTES:
        raise BadFile(f"{bucket.uri(key)} is not Parquet (it has {size} bytes)")
    tail = bucket.read_part(key, max(size - _TAIL_BYTES, 0), min(size, _TAIL_BYTES))
    needed = int.from_bytes(tail[-_END_BYTES:-4], "little") + _END_BYTES
    if len(tail) < needed <= size:
        tail = bucket.read_part(key, size - needed, needed)
    try:
        return _parsed(pq.read_metadata(pa.BufferReader(tail)))
    except (pa.ArrowException, OSError) as error:
        said = " ".join(str(error).split())
        raise BadFile(f"{bucket.uri(key)} is not Parquet ({said})") from error


def _parsed(data: pq.FileMetaData) -> Footer:
    names = data.schema.names
    groups = [data.row_group(n) for n in range(data.num_row_groups)]
    nulls, days = {}, []
    for place, name in enumerate(names):
        found = [group.column(place).statistics for group in groups]
        if all(s is not None and s.has_null_count for s in found):
            nulls[name] = sum(s.null_count for s in found)
        if name == FILE_MONTH.name:
            days = [d for s in found if s and s.has_min_max for d in (s.min, s.max)]
    months = (min(days), max(days)) if days else None
    return Footer(data.num_rows, nulls, frozenset(names), months)
