"""A file in a publisher's layout, and the parts that layouts share."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Rows of a file.
ROWS = 60


@dataclass(frozen=True)
class Layout:
    """A published file of one month, and how a person reads it.

    Attributes:
        name: the file's name.
        text: its text, or that of the table in its archive.
        month: the month, such as 2024-01.
        separator: what separates fields.
        encoding: how the text is encoded.
        header: the line of the names, from 0; None if there is none.
        first: the line of the first row.
        notes: lines after the last row.
        decimal: the decimal mark.
        nulls: texts that mean no value.
        times: the format of each time, by name or, without a header, position; a time in several
            columns stands under all their names. An empty format is ISO.
        members: the files of its archive if it is a zip, of which "" is the table.
    """

    name: str
    text: str
    month: str
    separator: str = ","
    encoding: str = "utf-8"
    header: int | None = 0
    first: int = 1
    notes: int = 0
    decimal: str = "."
    nulls: tuple[str, ...] = ()
    times: Mapping[str | int | tuple[str, ...], str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """Return the bytes of the file."""
        data = self.text.encode(self.encoding)
        if self.name.endswith(".gz"):
            return gzip.compress(data, mtime=0)
        if not self.members:
            return data
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, text in self.members.items():
                archive.writestr(name, text or data)
        return packed.getvalue()


def lines(row: Callable[[int], str], *head: str, notes: tuple[str, ...] = ()) -> str:
    return "\n".join([*head, *map(row, range(ROWS)), *notes, ""])


def at(n: int, minutes: int = 60, first: tuple[int, int] = (2024, 1)) -> dt.datetime:
    return dt.datetime(*first, 1) + dt.timedelta(minutes=minutes * n)
