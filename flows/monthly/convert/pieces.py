"""Pieces of a published file: runs of rows that convert or are halved to isolate a bad row."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Protocol

import pyarrow as pa

from monthly.convert.published_values import NotData

#: A month that rejects more than this many rows, and a tenth of those read, will not recover.
HOPELESS_REJECTS, HOPELESS_SHARE = 1_000, 0.1


@dataclass(frozen=True)
class Reject:
    """A row that could not be converted.

    Attributes:
        line: line of a text file (the header is line 1), or row of a Parquet file (from 1).
        reason: why it was rejected, with the column and the value.
        text: the row as published.
        is_declared: whether the declaration says that the row is not data.
    """

    line: int
    reason: str
    text: str
    is_declared: bool = False


class Piece(Protocol):
    """A run of rows of one published file, not yet converted."""

    @property
    def first(self) -> int:
        """Return the number of the first line or row."""

    @property
    def most_rows(self) -> float:
        """Return an upper bound on the rows of the file up to the first one of the piece."""

    @property
    def rows(self) -> int:
        """Return the number of rows; each is either converted or rejected."""

    def convert(self) -> pa.RecordBatch:
        """Convert all rows to the canonical schema.

        Raises:
            ValueError: a row cannot be converted (Unreadable, or an error from Arrow).
            Unsettled: a value has several readings.
        """

    def published(self) -> pa.RecordBatch:
        """Return all rows of the known columns as they are in the file, with text as text.

        Raises:
            ValueError: a row does not have the fields of the header, or is not text.
        """

    def halves(self) -> tuple[Piece, Piece]:
        """Return the first and the second half of the rows."""

    def split(self, places: Collection[int]) -> tuple[Piece | None, list[Piece]]:
        """Return the piece without some rows, None if none are left, and each of these rows."""

    def reject(self, reason: str) -> Reject:
        """Return the only row as a reject."""


@dataclass
class Salvage:
    """The result of a piece: converted batches in file order, and rejects."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Return the number of rows read; the rows of a batch were counted before parsing."""
        return sum(len(batch) for batch in self.batches) + len(self.rejects)


def hopeless(rejects: int, rows: float, max_share: float) -> bool:
    """Return whether this many rejects among this many rows mean that the month will fail."""
    return rejects > max(HOPELESS_REJECTS, HOPELESS_SHARE * rows, max_share * rows)


def salvage(
    piece: Piece,
    max_reject_share: float = 1.0,
    read: Callable[[Piece], pa.RecordBatch] = lambda piece: piece.convert(),
) -> Salvage:
    """Convert every row of a piece that can be converted, and reject exactly the others.

    Halving repeats the same conversion on fewer rows, so whether a row is good does not
    depend on its neighbors. A hopeless piece is abandoned: the rejects found so far let
    the caller's `hopeless` check detect it.
    """
    found = Salvage()
    waiting, failed = [piece], 0
    while waiting:
        piece = waiting.pop()
        try:
            found.batches.append(read(piece))
        except NotData as error:
            rest, others = piece.split(error.reasons)
            found.rejects += map(_declared, others, error.reasons.values())
            waiting += [rest] if rest else []
        except ValueError as error:
            if piece.rows == 1:
                found.rejects.append(piece.reject(str(error)))
                failed += 1
                if hopeless(failed, piece.most_rows, max_reject_share):
                    break
            else:
                waiting += reversed(piece.halves())
    found.rejects.sort(key=lambda reject: reject.line)
    return found


def _declared(row: Piece, reason: str) -> Reject:
    return replace(row.reject(reason), is_declared=True)
