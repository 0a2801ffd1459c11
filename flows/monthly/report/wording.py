"""The terms and numbers in a report's sentences, as declared."""

from __future__ import annotations

import re
from dataclasses import dataclass

from monthly.dataset import Dataset
from monthly.declaration import Words
from monthly.markdown import brief

#: Longer words would leave no room for the pictures.
LONGEST = 24


@dataclass(frozen=True)
class Wording:
    """What a dataset calls its rows, times, amounts and places.

    Attributes:
        row: one row, such as `trip`.
        rows: several rows.
        time: what the time is, such as `pickup`; empty if not declared.
        amount: the amount to draw, such as `fare`.
        unit: its unit, such as `USD`; may be empty.
        place: what a place is, such as `zone`.
    """

    row: str
    rows: str
    time: str
    amount: str
    unit: str
    place: str

    @classmethod
    def of(cls, dataset: Dataset) -> Wording:
        """Return the wording of a dataset."""
        words, row = dataset.words, brief(dataset.words.row, LONGEST)
        return cls(
            row=row,
            rows=plural(row),
            time="" if words.time == Words().time else brief(words.time, LONGEST),
            amount=brief(words.price if dataset.roles.price else words.amount, LONGEST),
            unit=brief(dataset.units.amount, LONGEST),
            place=brief(words.place, LONGEST),
        )

    def counted(self, count: int) -> str:
        """Return a number of rows, such as `1 trip` or `1,234 trips`."""
        return f"{count:,} {self.row if count == 1 else self.rows}"

    def money(self, value: float, whole: bool = False) -> str:
        """Return an amount with its unit, such as `9.50 USD`."""
        return f"{number(value, whole)} {self.unit}".rstrip()

    @property
    def amount_label(self) -> str:
        """Return the amount and its unit, such as `fare, USD`."""
        return labeled(self.amount, self.unit)


def labeled(what: str, unit: str) -> str:
    """Return a quantity and its unit, such as `distance, miles`."""
    return f"{what}, {unit}" if unit else what


def number(value: float, whole: bool = False) -> str:
    """Format a number for a reader: two decimals, or three digits for tiny and huge numbers."""
    if abs(value) >= 1e15 or 0 < abs(value) < 0.1:
        return f"{value:.3g}"
    return f"{value:,.0f}" if whole or abs(value) >= 1e5 else f"{value:,.2f}"


def plural(noun: str) -> str:
    """Return the plural of a regular English noun."""
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    if re.search(r"(s|x|ch|sh)$", noun):
        return f"{noun}es"
    return f"{noun}s" if re.search("[a-z]$", noun) else noun


def title(text: str) -> str:
    """Return a text with its first letter in upper case and the rest unchanged."""
    return text[:1].upper() + text[1:]
