"""The contents of a catalog: a line for each month and each dataset."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.month import Month, may_be_unpublished


class Mark(str, Enum):
    """The mark of a month in a grid: the first in this order that applies.

    Attributes:
        symbol: one character.
        meaning: what it says about a month.
    """

    symbol: str
    meaning: str

    def __new__(cls, word: str, symbol: str, meaning: str) -> Mark:
        """Create a member whose value is its word."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.symbol, member.meaning = symbol, meaning
        return member

    UNREADABLE = "unreadable", "!", "its ledger entry cannot be read"
    HELD = "held", "h", "a new edition is waiting to be accepted"
    WAREHOUSE_ONLY = "warehouse only", "w", "in the warehouse, not in the bucket"
    PINNED = "pinned", "p", "no run replaces it"
    GENERATED = "generated", "g", "generated, not published data"
    STALE = "stale", "s", "a run would convert or load it again"
    BUCKET_ONLY = "bucket only", "b", "in the bucket, not in the warehouse"
    GOOD = "good", "+", "as it should be"
    MISSING = "missing", ".", "months before and after it are there"


@dataclass(frozen=True)
class MonthLine:
    """One month of a catalog.

    Attributes:
        month: the month.
        entry: its ledger entry; None if the bucket has none, or an unreadable one.
        fault: why its entry cannot be read; empty if it can.
        stale: why a run would convert or load it again, as far as listings show.
        is_held: whether an edition of it is waiting to be accepted.
        is_loaded: whether the warehouse has it; None if the warehouse is left out.
        loaded_at: when the warehouse loaded it, UTC, ISO 8601; empty if it has not.
    """

    month: Month
    entry: Entry | None = None
    fault: str = ""
    stale: tuple[str, ...] = ()
    is_held: bool = False
    is_loaded: bool | None = None
    loaded_at: str = ""

    @property
    def is_there(self) -> bool:
        """Return whether the bucket or the warehouse has it, not only an edition that is held."""
        return bool(self.entry or self.fault or self.is_loaded)

    @property
    def mark(self) -> Mark:
        """Return the mark of the month."""
        entry, absent = self.entry, self.is_loaded is False
        marks = {
            Mark.UNREADABLE: bool(self.fault),
            Mark.HELD: self.is_held,
            Mark.WAREHOUSE_ONLY: entry is None,
            Mark.PINNED: entry is not None and bool(entry.pinned),
            Mark.GENERATED: entry is not None and entry.is_generated,
            Mark.STALE: bool(self.stale),
            Mark.BUCKET_ONLY: absent,
        }
        return next((mark for mark, applies in marks.items() if applies), Mark.GOOD)


@dataclass(frozen=True)
class DatasetLine:
    """One dataset of a catalog.

    Attributes:
        dataset: its name.
        months: its months, in order, without missing ones.
        behind: months after the newest one that should be published by now.
        fault: why its declaration cannot be read; empty if it can.
    """

    dataset: str
    months: tuple[MonthLine, ...] = ()
    behind: int = 0
    fault: str = ""

    @property
    def title(self) -> str:
        """Return the dataset's title; empty if its declaration cannot be read."""
        return "" if self.fault else DATASETS[self.dataset].declared.title

    @property
    def entries(self) -> list[Entry]:
        """Return the ledger entries that can be read."""
        return [line.entry for line in self.months if line.entry]

    @property
    def there(self) -> list[Month]:
        """Return the months in the bucket or the warehouse."""
        return [line.month for line in self.months if line.is_there]

    @property
    def first(self) -> Month | None:
        """Return the first month, or None."""
        return next(iter(self.there), None)

    @property
    def newest(self) -> Month | None:
        """Return the newest month, or None."""
        return next(reversed(self.there), None)

    @property
    def gaps(self) -> list[Month]:
        """Return the missing months between the first and the newest."""
        missing = [month for month, mark in self.marks.items() if mark is Mark.MISSING]
        there = self.there
        return [month for month in missing if there and there[0] < month < there[-1]]

    @property
    def marks(self) -> dict[Month, Mark]:
        """Return the mark of each month from the first to the newest."""
        return with_gaps({line.month: line.mark for line in self.months})

    @property
    def rows(self) -> int:
        """Return the rows of all months in the bucket."""
        return sum(entry.rows_written for entry in self.entries)

    @property
    def rejected(self) -> int:
        """Return the rows that could not be converted."""
        return sum(entry.rows_rejected for entry in self.entries)

    @property
    def size(self) -> int:
        """Return the size of the Parquet objects, bytes."""
        return sum(entry.object_size for entry in self.entries)

    @property
    def converted_at(self) -> str:
        """Return when a month was last converted, UTC, ISO 8601; empty if none was."""
        return max((entry.converted_at for entry in self.entries), default="")

    @property
    def loaded_at(self) -> str:
        """Return when the warehouse last loaded a month, UTC, ISO 8601; empty if it has none."""
        return max((line.loaded_at for line in self.months), default="")

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of months of each kind; a month may be of several kinds."""
        entries = self.entries
        return {
            "missing": len(self.gaps),
            "stale": sum(bool(line.stale) for line in self.months),
            "held": sum(line.is_held for line in self.months),
            "pinned": sum(bool(entry.pinned) for entry in entries),
            "corrected": sum(bool(entry.history) for entry in entries),
            "generated": sum(entry.is_generated for entry in entries),
            "unreadable": sum(bool(line.fault) for line in self.months),
            "bucket_only": sum(bool(x.entry) and x.is_loaded is False for x in self.months),
            "warehouse_only": sum(line.mark is Mark.WAREHOUSE_ONLY for line in self.months),
        }


@dataclass(frozen=True)
class Catalog:
    """What a bucket and a warehouse contain.

    Attributes:
        bucket: where the bucket's keys begin.
        warehouse: the name of the warehouse; empty if it is left out.
        made_at: when it was made, UTC.
        datasets: a line for each dataset.
    """

    bucket: str
    warehouse: str
    made_at: dt.datetime
    datasets: tuple[DatasetLine, ...]

    @property
    def months(self) -> int:
        """Return the number of months in the bucket or the warehouse."""
        return sum(len(line.there) for line in self.datasets)


def with_gaps(marks: Mapping[Month, Mark]) -> dict[Month, Mark]:
    """Return the marks in month order, with MISSING for each month in a gap."""
    found: dict[Month, Mark] = {}
    for month in sorted(marks):
        while found and (after := [*found][-1].next) < month:
            found[after] = Mark.MISSING
        found[month] = marks[month]
    return found


def months_behind(months: Sequence[MonthLine], today: dt.date) -> int:
    """Return the number of months after the newest one that should be published by now."""
    there = [line.month for line in months if line.is_there]
    if not there:
        return 0
    month, count = there[-1].next, 0
    while not may_be_unpublished(month, today):
        month, count = month.next, count + 1
    return count
