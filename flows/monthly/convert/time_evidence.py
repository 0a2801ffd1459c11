"""Evidence from the times of a whole file on how to read them.

Two kinds of evidence tell two readings apart: first, times of rows that only one reading puts in
the file's month; then, texts that only one reading accepts as dates. A majority of a hundred to one
decides, so the few strays in real files change nothing, and three rows that agree are enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import Ambiguous, Remedy
from monthly.convert.arrays import midnight
from monthly.convert.patterns import Flags
from monthly.convert.published_values import is_text
from monthly.convert.readings import Order, Readings, Utc
from monthly.convert.time_texts import ORDERS, Times, is_plain, read_under_each
from monthly.convert.zones import UTC_ZONES, Ints, ints_of, local_clock, place_of
from monthly.datasets import DATASETS
from monthly.month import Month

#: How many votes to one decide.
TO_ONE = 100
_UTC: Mapping[Utc, str] = {
    "local": "{place}'s clock under that mark",
    "utc": "instants, another hour in {place}",
}
C = TypeVar("C", bound=str)


@dataclass
class Votes:
    """The evidence that tells readings apart.

    Attributes:
        month: times of rows that the first reading of a pair puts in the month and the second does
            not.
        valid: texts that the first reading of a pair accepts as a date and the second does not.
        inside: times of rows in the month, by reading.
        differ: pairs of readings that read some text differently.
    """

    month: Counter[tuple[str, str]] = field(default_factory=Counter)
    valid: Counter[tuple[str, str]] = field(default_factory=Counter)
    inside: Counter[str] = field(default_factory=Counter)
    differ: set[tuple[str, str]] = field(default_factory=set)

    def best(self, choices: Sequence[C]) -> C | None:
        """Return the reading that beats every other one, None if there is none."""
        for votes in (self.month, self.valid):
            for one in choices:
                others = [other for other in choices if other != one]
                if all(_beats(votes, one, other) for other in others):
                    return one
        return None


def _beats(votes: Mapping[tuple[str, str], int], one: str, other: str) -> bool:
    return votes[one, other] > 0 and votes[other, one] * TO_ONE <= votes[one, other]


class TimeEvidence:
    """Collected evidence from the times of a file. Values that mean "no value" must be null."""

    def __init__(self, month: Month) -> None:
        self._month = month
        self._zone = DATASETS[month.dataset].zone or "UTC"
        self._start, self._end = _microseconds(month), _microseconds(month.next)
        self._orders, self._utc = Votes(), Votes()
        self._rows = 0
        #: The first text of each kind, as the example in notes and errors.
        self._ordered = self._marked = self._other = self._offset = ""

    def add(self, values: pa.Array, is_of_row: bool, is_utc: bool = False) -> None:
        """Add more values of one column.

        Args:
            values: texts, or times with a zone.
            is_of_row: whether these times decide the month of a row.
            is_utc: whether the column is declared as UTC, so that a mark of UTC has one meaning.
        """
        known = values.drop_null()
        if is_text(known.type):
            self._add_texts(known, is_of_row, is_utc)
        elif _has_mark(known.type) and len(known) and not is_utc:
            self._marked = self._marked or f"{known[0].as_py():%Y-%m-%d %H:%M:%S} {known.type.tz}"
            clock = ints_of(known.cast(pa.timestamp("us", "UTC")).view(pa.int64()))
            self._rows += len(known) * is_of_row
            self._vote_utc(clock, local_clock(clock, self._zone), is_of_row)

    def settle(self, asked: Readings) -> tuple[Order | None, Utc | None, tuple[str, ...]]:
        """Return the order of dates, the meaning of UTC, and notes on the readings.

        Raises:
            Ambiguous: nothing in the file decides.
        """
        order, utc = asked.order, asked.utc
        notes: list[str] = []
        if self._ordered:
            order = order or self._best_order()
            notes.append(f"dates like {self._ordered!r} as {ORDERS[order]}{self._said(order)}")
        if self._marked:
            utc = utc or self._best_utc()
            notes.append(f"times marked UTC like {self._marked!r} as {self._meanings()[utc]}")
        if self._offset:
            place = place_of(self._zone)
            notes.append(f"times with a zone or offset like {self._offset!r} as {place}'s clock")
        if self._other:
            notes.append(f"times like {self._other!r}")
        return order, utc, tuple(notes)

    def _best_order(self) -> Order:
        votes, choices = self._orders, tuple(ORDERS)
        # A third reading that accepts almost nothing as a date leaves the choice to two.
        left = [c for c in choices if not self._is_out(c, choices)] or choices
        best = votes.best(choices) or votes.best(left)
        if best is None and votes.differ.isdisjoint(permutations(left, 2)):
            best = left[0]
        if best is None:
            raise self._ambiguous("date_order", self._ordered, {c: ORDERS[c] for c in left})
        return best

    def _is_out(self, one: Order, choices: Sequence[Order]) -> bool:
        """Return whether any other reading beats this one."""
        return any(
            _beats(self._orders.month, other, one) or _beats(self._orders.valid, other, one)
            for other in choices
            if other != one
        )

    def _best_utc(self) -> Utc:
        best = self._utc.best(tuple(_UTC))
        if best is None:
            raise self._ambiguous("utc_times", self._marked, self._meanings())
        return best

    def _meanings(self) -> dict[Utc, str]:
        return {utc: text.format(place=place_of(self._zone)) for utc, text in _UTC.items()}

    def _said(self, order: Order) -> str:
        counts = self._orders.inside
        others = [f"{counts[o]:,} as {ORDERS[o]}" for o in ORDERS if o != order and counts[o]]
        times = f"{DATASETS[self._month.dataset].words.time}s"
        inside = f": {counts[order]:,} of {self._rows:,} {times} in the month"
        return inside + (f" ({', '.join(others)})" if others else "")

    def _ambiguous(self, parameter: str, example: str, readings: Mapping[C, str]) -> Ambiguous:
        named = " or ".join(f"{text} ({choice})" for choice, text in readings.items())
        return Ambiguous(
            f"{self._month}: times like {example!r} can be read as {named}, and nothing in the "
            "file decides",
            *(Remedy(parameter, choice) for choice in readings),
        )

    def _add_texts(self, texts: pa.Array, is_of_row: bool, is_utc: bool) -> None:
        self._rows += len(texts) * is_of_row
        odd = texts.filter(pa.array(~is_plain(texts)))
        if not len(odd):
            return
        read = read_under_each(odd, self._month.year)
        times = read["month-first"]
        if times.by_order.any():
            self._ordered = self._ordered or _first(odd, times.by_order)
            self._vote_order(read, is_of_row)
        if times.utc.any() and not is_utc:
            self._marked = self._marked or _first(odd, times.utc)
            at = times.utc
            self._vote_utc(times.clock[at], local_clock(times.clock[at], self._zone), is_of_row)
        shifted = times.marked if is_utc else times.shifted
        if shifted.any():
            self._offset = self._offset or _first(odd, shifted)
        rest = times.valid & ~(times.by_order | times.utc | times.shifted)
        if rest.any():
            self._other = self._other or _first(odd, rest)

    def _vote_order(self, read: Mapping[Order, Times], is_of_row: bool) -> None:
        inside = {o: t.valid & self._in_month(t.clock) for o, t in read.items()}
        for one, other in permutations(ORDERS, 2):
            mine, theirs = read[one], read[other]
            only = mine.valid & ~theirs.valid
            self._orders.valid[one, other] += int(only.sum())
            if (only | ((mine.clock != theirs.clock) & mine.valid)).any():
                self._orders.differ |= {(one, other), (other, one)}
            if is_of_row:
                self._orders.month[one, other] += int((inside[one] & ~inside[other]).sum())
        if is_of_row:
            self._orders.inside.update({o: int(i.sum()) for o, i in inside.items()})

    def _vote_utc(self, local: Ints, shifted: Ints, is_of_row: bool) -> None:
        if not is_of_row:
            return
        here, there = self._in_month(local), self._in_month(shifted)
        self._utc.month["local", "utc"] += int((here & ~there).sum())
        self._utc.month["utc", "local"] += int((there & ~here).sum())

    def _in_month(self, clock: Ints) -> Flags:
        return (clock >= self._start) & (clock < self._end)


def _has_mark(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz in UTC_ZONES)


def _first(texts: pa.Array, flags: Flags) -> str:
    return str(texts[int(np.argmax(flags))].as_py())


def _microseconds(month: Month) -> int:
    return int(pc.cast(midnight(month.first_day), pa.int64()).as_py())
