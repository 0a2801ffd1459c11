"""The report of a run: a table of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from core.errors import Advice, TripsError
from monthly.result import Voice
from monthly.text_table import aligned
from row_groups.ledger import Entry
from row_groups.places import Place
from row_groups.plan import Planned


class Outcome(str, Enum):
    """The outcome of a file in one run."""

    REWRITTEN = "rewritten"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True)
class FileLine:
    """The result of one file in one run.

    Attributes:
        name: file name.
        status: the outcome.
        reason: reason of the status.
        rows: number of rows.
        row_groups: number of row groups of the rewritten file.
        size: size of the rewritten file in bytes.
        seconds: seconds of work in this run.
        where: URI of the rewritten file.
        remedies: what helps against the reason.
        error: name of the class of the error; empty if the file did not fail.
    """

    name: str
    status: Outcome
    reason: str
    rows: int = 0
    row_groups: int = 0
    size: int = 0
    seconds: float = 0.0
    where: str = ""
    remedies: tuple[Advice, ...] = ()
    error: str = ""

    @property
    def is_failed(self) -> bool:
        """Return whether the file failed."""
        return self.status is Outcome.FAILED


def failed_file(name: str, error: TripsError) -> FileLine:
    """Return the report line of a failed file."""
    reason = error.message.removeprefix(f"{name}: ")
    return FileLine(
        name, Outcome.FAILED, reason, remedies=error.remedies, error=type(error).__name__
    )


def line_of(
    file: Planned, status: Outcome, entry: Entry | None, sink: Place, seconds: float = 0.0
) -> FileLine:
    """Return the report line of a file, with or without a ledger entry."""
    if entry is None:
        return FileLine(file.name, status, file.reason)
    counts = (entry.rows, entry.row_groups, entry.object_size)
    return FileLine(file.name, status, file.reason, *counts, seconds, sink.uri(file.name))


def public_record(line: FileLine, worded: Callable[[Advice], str]) -> dict[str, Any]:
    """Return the result of a file as flat JSON types; `worded` puts one remedy into words."""
    record = {"file": line.name} | asdict(line)
    del record["name"]
    size, remedies = record.pop("size"), [worded(each) for each in line.remedies]
    return record | {
        "status": line.status.value,
        "bytes": size,
        "seconds": round(line.seconds, 3),
        "remedies": remedies,
    }


_HEAD = ("file", "status", "rows", "groups", "bytes", "seconds", "where")


def table(lines: Sequence[FileLine], voice: Voice) -> str:
    """Return the lines as a text table, followed by the reason of each."""
    rows = aligned([_HEAD, *(_cells(line) for line in lines)], right=range(2, 6))
    reasons = [
        f"{line.name}: {line.status.value}: {voice(line.reason, line.remedies)}" for line in lines
    ]
    return "\n".join([*rows, "", *reasons]) if lines else "no file"


def table_artifact(lines: Sequence[FileLine], voice: Voice) -> list[dict[str, str]]:
    """Return the lines for a table artifact, which takes JSON types only."""
    return [
        dict(zip(_HEAD, _cells(line))) | {"reason": voice(line.reason, line.remedies)}
        for line in lines
    ]


def _cells(line: FileLine) -> tuple[str, ...]:
    counts = (line.rows, line.row_groups, line.size)
    shown = (f"{count:,}" for count in counts) if line.where else ("-",) * 3
    return line.name, line.status.value, *shown, f"{line.seconds:.1f}", line.where or "-"
