"""A column of a dataset: its names in every vintage, and its type."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Literal, Union

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["int64", "float64", "string", "timestamp", "date", "boolean", "decimal"]
NUMBERS: tuple[Kind, ...] = ("int64", "float64", "decimal")
#: A number as most files write it, without an exponent or separators.
PLAIN_NUMBER = re.compile(r"\s*-?[0-9]+(\.[0-9]*)?\s*")
Code = Union[str, int, bool, None]  # noqa: UP007 - Python 3.10 evaluates it


@dataclass(frozen=True)
class Span:
    """The months in which the publisher's files have a column.

    Attributes:
        since: first month, such as (2013, 8); None for the dataset's first.
        until: last month; None for no end.
    """

    since: tuple[int, int] | None = None
    until: tuple[int, int] | None = None

    def covers(self, year: int, month: int) -> bool:
        """Return whether a month is in the span."""
        when = (year, month)
        return (self.since or when) <= when <= (self.until or when)


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a dataset, the same in every vintage.

    Attributes:
        name: the canonical name.
        kind: the type; timestamps are in the dataset's local time, in microseconds, without a
            zone.
        about: what it means.
        aliases: names in older vintages.
        required: the months whose files must have the column.
        codes: published texts (upper case) and their values; None where the publisher never
            assigned one. Other numbers are kept unchanged.
        keeps_text_in: the column that keeps a coded text as published.
        derived: whether it is filled in during conversion instead of read from a file.
        sparse: whether a required column may be empty in a published month.
        flag: whether a text column holds Y or N, which some files write as true and false.
        joined: names of the published columns whose texts, joined by spaces, make up its value.
        formats: `strptime` formats of its times; empty to detect them.
        side: the time that is kept of a published interval, which its format describes.
        zone: the zone or offset of its times in the file; empty for the dataset's zone.
        rejected: published texts of rows that are not data, such as totals.
        digits: precision and scale of a decimal.
    """

    name: str
    kind: Kind
    about: str
    aliases: tuple[str, ...] = ()
    required: Span | None = None
    codes: Mapping[str, Code] | None = None
    keeps_text_in: str | None = None
    derived: bool = False
    sparse: bool = False
    flag: bool = False
    joined: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    side: Literal["start", "end"] = "start"
    zone: str = ""
    rejected: frozenset[str] = frozenset()
    digits: tuple[int, int] = (38, 9)

    def is_required(self, year: int, month: int) -> bool:
        """Return whether the files of a month have the column."""
        return self.required is not None and self.required.covers(year, month)

    @cached_property
    def has_number_codes(self) -> bool:
        """Return whether a code is a number, as published."""
        return any(PLAIN_NUMBER.fullmatch(code) for code in self.codes or {})

    @property
    def type(self) -> str:
        """Return the type as written in a declaration, such as `decimal(10,2)`."""
        whole, scale = self.digits
        return f"decimal({whole},{scale})" if self.kind == "decimal" else self.kind

    @property
    def arrow(self) -> pa.DataType:
        """Return the Arrow type."""
        return _arrow(self.kind, self.digits)

    @property
    def signature(self) -> str:
        """Return the column's type and a checksum of all else that determines its values."""
        rest = [
            sorted((k, v) for k, v in (self.codes or {}).items() if v is not None),
            sorted(k for k, v in (self.codes or {}).items() if v is None),
            *(self.keeps_text_in, self.flag, self.joined, self.formats, self.zone),
        ]
        rest += [sorted(self.rejected)] if self.rejected else []
        if not any(rest):
            return self.type
        return f"{self.type}/{hashlib.sha256(json.dumps(rest).encode()).hexdigest()[:8]}"


#: The last column of every dataset.
FILE_MONTH = Column(
    "file_month",
    "date",
    "First day of the month of the published file; the row's own time may be outside it.",
    derived=True,
)

#: Start of the description of an undeclared column that is kept.
KEPT = "Undeclared; as published in the column"
_PUBLISHED = re.compile(rf"""{KEPT} ('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
#: Characters of a published name in a description, now and before 1.10.0.
_SHOWN, _SHOWN_BEFORE = 400, 100
#: Names reserved by Postgres (its system columns) and BigQuery (these prefixes).
_RESERVED = re.compile(
    r"tableoid|ctid|[cx]m(in|ax)|"
    r"_(table_|file_|partition|row_timestamp|_root__|colidentifier|change_(seq|type|time)).*",
    re.IGNORECASE,
)


def kept_column(name: str, published: str) -> Column:
    """Return the text column that keeps an undeclared column."""
    shown = "".join(filter(str.isprintable, published))[:_SHOWN]
    return Column(name, "string", f"{KEPT} {shown!r}.")


def published_name(about: str) -> str:
    """Return the published name in the description of a kept column; empty in any other."""
    match = _PUBLISHED.match(about)
    return re.sub(r"\\(.)", r"\1", match[1][1:-1]) if match else ""


def is_same_name(one: str, other: str) -> bool:
    """Return whether published names, as descriptions show them, are one but for case and gaps."""
    size = _SHOWN_BEFORE if _SHOWN_BEFORE in (len(one), len(other)) else _SHOWN
    return _without_gaps(one[:size]) == _without_gaps(other[:size])


def _without_gaps(name: str) -> str:
    return re.sub(r"[\s_.-]", "", name).lower()


def is_reserved(name: str) -> bool:
    """Return whether a warehouse rejects the column name even when quoted."""
    return _RESERVED.fullmatch(name) is not None


@cache
def _arrow(kind: Kind, digits: tuple[int, int]) -> pa.DataType:
    # Imported here because an unchanged month does not need Arrow.
    import pyarrow as pa

    types: Mapping[str, pa.DataType] = {
        "int64": pa.int64(),
        "float64": pa.float64(),
        "string": pa.string(),
        "timestamp": pa.timestamp("us"),
        "date": pa.date32(),
        "boolean": pa.bool_(),
        "decimal": pa.decimal128(*digits),
    }
    return types[kind]


def fold(name: str) -> str:
    """Return a name in lower case, without spaces, underscores and punctuation."""
    return "".join(filter(str.isalnum, name)).lower()
