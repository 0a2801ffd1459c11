"""How the lines of a CSV file are split and read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import pyarrow.csv as pa_csv

from monthly.convert.csv_bytes import padded
from monthly.convert.readings import Readings
from monthly.header import Mapped
from monthly.month import Month


class Typed(IntEnum):
    """Modes in which Arrow parses a block, fastest first; TEXT leaves every cast to `casting`.

    What one mode accepts, every later mode reads identically.
    """

    NUMBERS = 0  # codes are texts, and the block has none
    CODES = 1
    POINTS = 2  # whole numbers may be written 1.0
    TEXT = 3


@dataclass
class Layout:
    """How the lines of one file are read.

    Attributes:
        month: the month of the file.
        mapped: the column of each name in the header.
        fields: fields per line; some vintages have more fields than names, the surplus empty.
        delimiter: the delimiter between fields.
        names_in: the encoding of the names, if not that of the lines.
        readings: how to read ambiguous values.
        typed: the first mode that fitted the previous block, and the first to try for the next.
        quotes: whether quotes enclose texts, rather than being characters like any other.
        short_rows: whether rows may lack their last fields, which are then empty.
        line_breaks: whether `OneLineRows` has replaced line breaks in the lines.
    """

    month: Month
    mapped: Mapped
    fields: int
    delimiter: str
    names_in: str
    readings: Readings
    typed: Typed = Typed.NUMBERS
    quotes: bool = True
    short_rows: bool = False
    line_breaks: bool = False

    def names(self) -> list[str]:
        """Return one name per field; fields beyond the header are named by their position."""
        known = self.mapped.names
        return known + [f"#{i}" for i in range(len(known), self.fields)]

    def wanted(self) -> list[str]:
        """Return the fields that are known columns, twins included."""
        return [n for n, c in zip(self.mapped.names, self.mapped.columns) if c]

    def surplus(self) -> list[str]:
        """Return the fields beyond the header's names, which must be empty."""
        return self.names()[len(self.mapped.columns) :]

    def nameless(self) -> dict[str, int]:
        """Return the other fields that must be empty, each with its index."""
        return {self.mapped.names[place]: place for place in sorted(self.mapped.nameless)}

    def padded(self, data: bytes) -> bytes:
        """Return the lines, with the fields that short ones lack."""
        return padded(data, self.delimiter, self.fields, self.quotes)

    def parse_options(self) -> pa_csv.ParseOptions:
        """Return how Arrow splits the lines."""
        quote = '"' if self.quotes else False
        return pa_csv.ParseOptions(delimiter=self.delimiter, quote_char=quote)
