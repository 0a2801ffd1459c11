"""Rows that could not be converted: kept in a file, and checked against a threshold."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.errors import BadFile, Remedy, TooManyRejects
from monthly.convert.pieces import Reject, hopeless
from monthly.month import Month

_SHOWN_REJECTS = 3
#: Parts that differ between two reasons of one kind: the value, and numbers.
_VALUE = re.compile(r"'[^']*'|\d+")


class RejectsFile:
    """The CSV of rejected rows, with a check on their share. A context manager."""

    def __init__(self, month: Month, path: Path, max_share: float) -> None:
        self.month, self.path, self.max_share = month, path, max_share
        self.count = self.rows_read = self._failed = 0
        self._first: dict[str, Reject] = {}

    def __enter__(self) -> RejectsFile:
        self._file = self.path.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(("line", "reason", "text"))
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self.count:
            self.path.unlink()

    @property
    def declared(self) -> int:
        """Return how many of the rejects the declaration asks for."""
        return self.count - self._failed

    def add(self, rows_read: int, rejects: Iterable[Reject]) -> None:
        """Add the rejects among `rows_read` more rows."""
        self.rows_read += rows_read
        for reject in rejects:
            self.count += 1
            self._csv.writerow((reject.line, reject.reason, reject.text))
            if not reject.is_declared:
                self._failed += 1
                self._show(reject)
        if hopeless(self._failed, self.rows_read, self.max_share):
            self._fail("so far")

    def check_share(self) -> None:
        """Flush the file; raise TooManyRejects if the share of rejects exceeds the threshold."""
        self._file.flush()
        if self._failed and self._failed / self.rows_read > self.max_share:
            self._fail("in all")
        if self.count == self.rows_read > self._failed:
            raise BadFile(
                f"{self.month}: every one of the {self.count} rows is rejected, "
                f"{self.declared} because the declaration says reject; correct that"
            )

    def _show(self, reject: Reject) -> None:
        """Keep the first reject of each of the first few kinds; more of one kind add nothing."""
        if len(self._first) < _SHOWN_REJECTS:
            self._first.setdefault(_VALUE.sub("", reject.reason), reject)

    def _fail(self, when: str) -> None:
        raise too_many(
            self.month, self._failed, self.rows_read, self.max_share, self._first.values(), when
        )


def too_many(
    month: Month, failed: int, rows: int, max_share: float, first: Iterable[Reject], when: str
) -> TooManyRejects:
    """Return the error for too many rejects; `when` they were counted is `so far` or `in all`."""
    shown = "; ".join(map(_shown, first))
    return TooManyRejects(
        f"{month}: {failed} of {rows} rows {when} could not be converted, "
        f"more than {max_share:.2%} ({shown})",
        "correct the file",
        Remedy("max_reject_share", _above(failed / rows), "to load the others"),
    )


def read_rejects(path: Path) -> Iterator[list[str]]:
    """Yield line, reason and text of each row of a file of rejects."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows


def _above(share: float) -> float:
    """Return a share rounded up to two digits, to allow it in a parameter."""
    scale = 10.0 ** (1 - math.floor(math.log10(share)))
    return min(math.ceil(share * scale) / scale, 1.0)


def _shown(reject: Reject) -> str:
    """Format a reject on one line, with its text if the reason does not quote the value."""
    text = "" if "'" in reject.reason else f": {reject.text[:200]!r}"
    return f"line {reject.line}: {reject.reason}{text}"
