"""The output for the user at the end of a run: a table of months, and the quality of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from core.errors import Advice, Held, Remedy, StillHeld, TripsError
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.markdown import code, escaped
from monthly.month import Month
from monthly.plan import Status
from monthly.revision import Revision
from monthly.sources import is_generated
from monthly.text_table import aligned


class Outcome(str, Enum):
    """The outcome of a month in one run."""

    LOADED = "loaded"
    UNCHANGED = "unchanged"
    NOT_YET_PUBLISHED = "not yet published"
    HELD = "held"
    PINNED = "pinned"
    FAILED = "failed"
    DRAWN = "drawn"
    TO_BE_DROPPED = "to be dropped"
    DROPPED = "dropped"
    NOT_THERE = "not there"


@dataclass(frozen=True)
class MonthResult:
    """The result of one month in one run.

    Attributes:
        month: the month.
        status: the outcome, or the plan's status if the month was only planned.
        reason: why it was loaded, skipped or failed, without the month's name.
        rows_read: rows of the published file.
        rows_written: rows of the Parquet object, and of the warehouse.
        rows_rejected: rows that could not be converted.
        size: size of the Parquet object, or of the published file without one, bytes.
        seconds: seconds of work in this run.
        where: the object and the warehouse.
        report: link to the month's report; empty if none was drawn.
        warning: a side issue that does not affect the status.
        generated: whether the month was generated rather than published.
        remedies: what helps against the reason.
        error: name of the class of the error; empty if there was none.
        revision: what replacing the month's object changed; None if no other one was there.
        kept_edition: the edition that can be restored; empty if it was not kept.
        to_download: of a planned month: bytes to download; None if the publisher does not say.
    """

    month: Month
    status: Outcome | Status
    reason: str = ""
    rows_read: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    size: int = 0
    seconds: float = 0.0
    where: str = ""
    report: str = ""
    warning: str = ""
    generated: bool = False
    remedies: tuple[Advice, ...] = ()
    error: str = ""
    revision: Revision | None = None
    kept_edition: str = ""
    to_download: int | None = 0

    @property
    def is_failed(self) -> bool:
        """Return whether the month failed."""
        return self.status is Outcome.FAILED

    @property
    def is_corrected(self) -> bool:
        """Return whether this run replaced a published month by another published one."""
        urls = (self.revision.url_before, self.revision.url_after) if self.revision else ()
        return bool(urls) and not any(map(is_generated, urls))

    @property
    def is_held(self) -> bool:
        """Return whether the month was held, in this run or an earlier one."""
        return self.status in (Outcome.HELD, Status.HELD)

    @property
    def is_news(self) -> bool:
        """Return whether this run hit an error that no earlier run has reported."""
        return self.error not in ("", StillHeld.__name__)


#: Words a message and its remedies for the reader: see `orchestration.wording`.
Voice = Callable[[str, Sequence[Advice]], str]


def failed_month(month: Month, error: TripsError) -> MonthResult:
    """Return the result of a month that failed, or that its gates hold."""
    reason, name = month.unprefixed(error.message), type(error).__name__
    outcome = Outcome.HELD if isinstance(error, Held) else Outcome.FAILED
    return MonthResult(month, outcome, reason, remedies=error.remedies, error=name)


def result_of(
    month: Month, status: Outcome | Status, reason: str, entry: Entry | None, where: str
) -> MonthResult:
    """Return the result of a month, with the counts of its ledger entry if there is one."""
    if entry is None:
        return MonthResult(month, status, reason)
    rows = (entry.rows_read, entry.rows_written, entry.rows_rejected)
    size, made = entry.loaded_size, entry.is_generated
    return MonthResult(month, status, reason, *rows, size, where=where, generated=made)


def to_record(line: MonthResult) -> dict[str, Any]:
    """Return the result of a run as JSON types, for another process."""
    return asdict(line) | {"status": line.status.value}


def from_record(record: Mapping[str, Any]) -> MonthResult:
    """Return the result that `to_record` wrote, by this version of the project or another."""
    named = {field.name for field in fields(MonthResult)}
    known = {name: value for name, value in record.items() if name in named}
    month, status = Month(**record["month"]), Outcome(record["status"])
    remedies = tuple(r if isinstance(r, str) else Remedy(**r) for r in record.get("remedies", ()))
    revision = Revision.of(known["revision"]) if known.get("revision") else None
    made = {"month": month, "status": status, "remedies": remedies, "revision": revision}
    return MonthResult(**known | made)


def public_record(line: MonthResult, worded: Callable[[Advice], str]) -> dict[str, Any]:
    """Return the result as flat JSON types for scripts; see docs/operations.md.

    Args:
        line: the result.
        worded: puts one remedy into words.
    """
    record = {"dataset": line.month.dataset} | asdict(line)
    size, remedies = record.pop("size"), [worded(each) for each in line.remedies]
    return record | {
        "month": line.month.year_month,
        "status": line.status.value,
        "bytes": size,
        "seconds": round(line.seconds, 3),
        "remedies": remedies,
    }


def summary(line: MonthResult) -> str:
    """Return a month's line for the log of a run over many months, without reasons."""
    what = f"{line.month}: {_status(line)}"
    if not line.where:
        return what
    return (
        f"{what}, {line.rows_read:,} rows read = {line.rows_written:,} written + "
        f"{line.rows_rejected:,} rejected, {line.seconds:.1f} s"
    )


_HEAD = ("month", "status", "read", "written", "rejected", "bytes", "seconds", "where")


def table(lines: Sequence[MonthResult], voice: Voice) -> str:
    """Return the lines as a text table, then reasons of those not simply loaded, then warnings."""
    is_plan = _is_plan(lines)
    head = (*_HEAD[:-1], "to download", "where") if is_plan else _HEAD
    rows = [[*_named_cells(line, is_plan).values()] for line in lines]
    text = aligned([head, *rows], right=range(2, len(head) - 1))
    reasons = [
        f"{line.month}: {line.status.value}: {voice(line.reason, line.remedies)}"
        for line in lines
        if line.reason
    ]
    reasons += [f"{line.month}: warning: {line.warning}" for line in lines if line.warning]
    return "\n".join([*text, *(["", *reasons] if reasons else [])])


def table_artifact(lines: Sequence[MonthResult], voice: Voice) -> list[dict[str, str]]:
    """Return the lines for a table artifact, which takes JSON types only."""
    return [_row(line, voice, _is_plan(lines)) for line in lines]


def _is_plan(lines: Sequence[MonthResult]) -> bool:
    return any(isinstance(line.status, Status) for line in lines)


def _row(line: MonthResult, voice: Voice, is_plan: bool) -> dict[str, str]:
    row = _named_cells(line, is_plan)
    where = row.pop("where")
    report = "; ".join(filter(None, (_shown(line.report), line.warning)))
    return row | {
        "reason": voice(line.reason, line.remedies),
        "where": where,
        "report": report,
    }


def _shown(link: str) -> str:
    """Return the link, or its path if it is a file link, which a browser would refuse to open."""
    return url2pathname(urlsplit(link).path) if link.startswith("file:") else link


def quality_markdown(entry: Entry, where: str, unlike: Sequence[str] = ()) -> str:
    """Return the quality report of a month in markdown.

    Args:
        entry: the month's ledger entry.
        where: where the month is stored.
        unlike: how it differs from the months before it.
    """
    beyond = _beyond(DATASETS[entry.dataset])
    odd = [
        f"| {escaped(beyond.get(name, name.replace('_', ' ')))} | {value} |"
        for name, value in _figures(entry.quality)
    ]
    nulls = _rows_of_nulls(entry)
    drift = [
        f"- {escaped(name)}: {', '.join(map(escaped, found))}"
        for name, found in entry.drift.items()
        if found
    ]
    blocks = [
        [f"# {title_of(entry)}"],
        [
            f"{entry.rows_read:,} rows read = {entry.rows_written:,} written + "
            f"{entry.rows_rejected:,} rejected. Kept in {code(where)}, from {code(entry.url)}"
        ],
        *([["## What is unusual"], [f"- {escaped(each)}" for each in unlike]] if unlike else []),
        ["## Odd but valid, and kept"],
        ["| what | |", "|---|---:|", *odd],
        ["## Nulls"],
        ["| column | rows | share |", "|---|---:|---:|", *nulls] if nulls else ["- none"],
        ["## Columns that differ from the table's"],
        drift or ["- none"],
    ]
    return "\n\n".join("\n".join(block) for block in blocks)


def _rows_of_nulls(entry: Entry) -> list[str]:
    """Return a line for each column with nulls, in the order of the table's columns."""
    nulls = entry.quality.get("nulls")
    places = {column.name: n for n, column in enumerate(DATASETS[entry.dataset].columns)}
    counts = [*nulls.items()] if isinstance(nulls, Mapping) else []
    counts.sort(key=lambda count: places.get(count[0], len(places)))
    return [f"| `{n}` | {count:,} | {count / entry.rows_written:.1%} |" for n, count in counts]


def title_of(entry: Entry) -> str:
    """Return the title of a month's pages, which marks a generated month."""
    made = " (GENERATED, not published data)" if entry.is_generated else ""
    return f"{entry.dataset} {entry.year_month}{made}"


def _figures(quality: Mapping[str, object]) -> list[tuple[str, str]]:
    shown = {name: value for name, value in quality.items() if name not in ("rows", "nulls")}
    return [(n, f"{v:,}" if isinstance(v, int | float) else str(v)) for n, v in shown.items()]


def _beyond(dataset: Dataset) -> dict[str, str]:
    """Describe the counts that the bounds of a dataset add, by name."""
    bounds, units = dataset.bounds, dataset.units
    return {
        "implausible_distance": f"distance over {bounds.distance or 0:g} {units.distance}",
        "implausible_duration": f"duration over {bounds.hours or 0:g} hours",
        "implausible_speed": f"speed over {bounds.speed or 0:g} {units.distance} an hour",
        "implausible_amount": f"amount over {bounds.amount or 0:,g} {units.amount}",
    }


def _named_cells(line: MonthResult, is_plan: bool) -> dict[str, str]:
    """Return the cells of a line by column name; those of a plan include bytes to download."""
    cells = dict(zip(_HEAD, _cells(line)))
    if is_plan:
        size = "unknown" if line.to_download is None else f"{line.to_download:,}"
        cells |= {
            "to download": size if line.to_download != 0 else "-",
            "where": cells.pop("where"),
        }
    return cells


def _cells(line: MonthResult) -> tuple[str, ...]:
    rows = (line.rows_read, line.rows_written, line.rows_rejected, line.size)
    counts = (f"{count:,}" for count in rows) if line.where else ("-",) * 4
    return str(line.month), _status(line), *counts, f"{line.seconds:.1f}", line.where or "-"


def _status(line: MonthResult) -> str:
    return f"{line.status.value}, GENERATED" if line.generated else line.status.value
