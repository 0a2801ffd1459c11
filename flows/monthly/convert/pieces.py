"""Pieces of a published file: runs of rows that convert, or are halved until a bad row is alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

#: A month in which this many rows, and a tenth of those read, are rejected will not recover.
HOPELESS_REJECTS, HOPELESS_SHARE = 1_000, 0.1


@dataclass(frozen=True)
class Reject:
    """A row that could not be converted.

    Attributes:
        line: line of a text file (the header is line 1), or row of a Parquet file (from 1).
        reason: why, with the column and the value.
        text: the row as it was published.
    """

    line: int
    reason: str
    text: str


class Piece(Protocol):
    """A run of rows of one published file, not yet converted."""

    @property
    def first(self) -> int:
        """Number of the first line or row; no more rows than this end with the first one."""

    @property
    def rows(self) -> int:
        """How many rows there are; each is either converted or rejected."""

    def convert(self) -> pa.RecordBatch:
        """All rows in the canonical schema.

        Raises:
            ValueError: some row cannot be converted (Unreadable, or Arrow's own).
            Unsettled: a value has several readings.
        """

    def published(self) -> pa.RecordBatch:
        """All rows of the known columns as they are in the file, text where it is text.

        Raises:
            ValueError: some row has not the fields of the header, or is not text.
        """

    def halves(self) -> tuple[Piece, Piece]:
        """The first and the second half of the rows."""

    def reject(self, reason: str) -> Reject:
        """The only row, as one that could not be converted."""


@dataclass
class Salvage:
    """What became of a piece: converted batches in the order of the file, and rejects."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows read: those of a batch were counted in the file before they were parsed."""
        return sum(len(batch) for batch in self.batches) + len(self.rejects)


def hopeless(rejects: int, rows: int, max_share: float) -> bool:
    """Whether so many rejects among so many rows say that the month will fail."""
    return rejects > max(HOPELESS_REJECTS, HOPELESS_SHARE * rows, max_share * rows)


def salvage(
    piece: Piece,
    max_reject_share: float = 1.0,
    read: Callable[[Piece], pa.RecordBatch] = lambda piece: piece.convert(),
) -> Salvage:
    """Convert all rows of a piece that can be converted and reject exactly the others.

    Halving asks the same conversion again for fewer rows, so there is one meaning of a
    good row, whatever stands beside it. A hopeless piece is given up: what was found by
    then says so to whoever asks `hopeless`.
    """
    found = Salvage()
    waiting = [piece]
    while waiting:
        piece = waiting.pop()
        try:
            found.batches.append(read(piece))
        except ValueError as error:
            if piece.rows == 1:
                found.rejects.append(piece.reject(str(error)))
                if hopeless(len(found.rejects), piece.first, max_reject_share):
                    break
            else:
                waiting += reversed(piece.halves())
    return found
