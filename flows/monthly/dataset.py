"""A monthly published dataset, as declared."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from monthly.columns import Column, fold
from monthly.declaration import Bounds, Declaration, Map, Roles, Units, Words, Written

if TYPE_CHECKING:
    import pyarrow as pa


#: Signature of how a file is laid out. No schema version includes it, as entries from before 1.10.0
#: lack it.
LAYOUT = "[text]"
#: The signatures that are not those of a column.
OF_FILES = frozenset({"*", LAYOUT})


@dataclass(frozen=True, eq=False)
class Dataset:
    """A monthly published dataset.

    Attributes:
        name: the name of its declaration.
        declared: the declaration.
        path: the file of the declaration.
        columns: the columns of all vintages, in order, with `file_month` last.
    """

    name: str
    declared: Declaration
    path: Path
    columns: tuple[Column, ...]

    @cached_property
    def place(self) -> str:
        """Return where it is declared, for messages."""
        here = Path(__file__).parents[2]
        return str(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path)

    @property
    def table(self) -> str:
        """Return the name of the dataset's table in a warehouse."""
        return self.declared.table or self.name

    @property
    def roles(self) -> Roles:
        """Return the columns that quality, gates and report use; empty for a role without one."""
        return self.declared.roles

    @property
    def words(self) -> Words:
        """Return the dataset's names for its rows, times and amounts."""
        return self.declared.words

    @property
    def units(self) -> Units:
        """Return the units of distance and amount."""
        return self.declared.units

    @property
    def bounds(self) -> Bounds:
        """Return the largest plausible values."""
        return self.declared.bounds

    @property
    def map(self) -> Map | None:
        """Return the extent of the report's map."""
        return self.declared.map

    @property
    def text(self) -> Written:
        """Return how values are written where the files do not show it."""
        return self.declared.text

    @property
    def keep_editions(self) -> int:
        """Return the number of replaced objects to keep of each month."""
        return self.declared.keep_editions

    @property
    def zone(self) -> str:
        """Return the time zone of its times; empty if undeclared."""
        return self.declared.time_zone

    @property
    def first_month(self) -> tuple[int, int]:
        """Return the year and month of the first published file."""
        return year_month(self.declared.first_month)

    @cached_property
    def schema(self) -> pa.Schema:
        """Return the canonical Arrow schema, the same for every vintage."""
        # Imported here because an unchanged month does not need Arrow.
        import pyarrow as pa

        return pa.schema(
            [pa.field(c.name, c.arrow, metadata={"description": c.about}) for c in self.columns]
        )

    @cached_property
    def known_names(self) -> Mapping[str, Column]:
        """Return every folded name that a published file may use for a column."""
        readable = [c for c in self.columns if not c.derived and not c.joined]
        return {fold(name): c for c in readable for name in (*c.aliases, c.name)}

    @cached_property
    def parts(self) -> Mapping[str, Column]:
        """Return the published columns that are joined into others, by folded name."""
        names = [part for c in self.columns for part in c.joined]
        texts = (Column(name, "string", "") for name in names)
        return {fold(c.name): self.known_names.get(fold(c.name), c) for c in texts}

    @cached_property
    def signatures(self) -> Mapping[str, str]:
        """Return the signatures of all columns, of how values are written, and of the layout."""
        text = self.declared.text
        whole: list[object] = [text.decimal, text.nulls, self.zone, self.declared.interval]
        whole += ["line_breaks"] if text.line_breaks else []
        layout = [
            text.member,
            text.separator,
            text.encoding,
            text.lines_before_header,
            *text.header,
        ]
        layout += [text.short_rows]
        layout += [] if text.quotes else ["no quotes"]
        shared = {"*": _checksum(whole, 8), LAYOUT: _checksum(layout, 8)}
        return {c.name: c.signature for c in self.columns} | shared

    def signatures_of(self, kind: str | None) -> Mapping[str, str]:
        """Return the signatures that apply to a kind of file; a Parquet file has no layout."""
        is_text = kind != "parquet"
        return {n: text for n, text in self.signatures.items() if is_text or n != LAYOUT}

    @cached_property
    def schema_version(self) -> int:
        """Return the version of the schema, a 28-bit checksum of the signatures but for layout."""
        signatures = {name: text for name, text in self.signatures.items() if name != LAYOUT}
        return int(_checksum(signatures, 7), 16)

    def column(self, name: str) -> Column | None:
        """Return the column with this name in a file of any vintage or in a converted file."""
        own = (c for c in self.columns if c.name == name)
        return next(own, self.known_names.get(fold(name)))


def _checksum(value: object, digits: int) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:digits]


def term(word: str) -> str:
    """Return one of the dataset's words as it is written in the names of quality figures."""
    return re.sub(r"\W+", "_", word)


def year_month(text: str) -> tuple[int, int]:
    """Return the year and month of a text like 2013-08."""
    year, _, month = text.partition("-")
    return int(year), int(month)
