"""The history of months: what each replacement changed, and which editions can be restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.storage.bucket import Bucket
from monthly.editions import edition_names, edition_of
from monthly.ledger import Entry, read_entry
from monthly.markdown import escaped
from monthly.month import Month
from monthly.result import aligned
from monthly.revision import Revision

_HEAD = ("month", "when", "why", "rows", "added", "removed", "unchanged", "sums", "edition", "")
_NUMBERS = range(3, 7)


@dataclass(frozen=True)
class MonthHistory:
    """The history of a month.

    Attributes:
        month: the month.
        entry: its ledger entry, which has the history; None if the month is not there.
        editions: names of the editions that can be restored.
        where: the object, or the database of a month that has none.
    """

    month: Month
    entry: Entry | None
    editions: tuple[str, ...]
    where: str


def history_of(bucket: Bucket, month: Month) -> MonthHistory:
    """Return the history of a month in a bucket."""
    entry, _ = read_entry(bucket, month)
    where = bucket.uri(entry.object_key) if entry else ""
    return MonthHistory(month, entry, tuple(edition_names(bucket, month)), where)


def history_table(histories: Sequence[MonthHistory]) -> str:
    """Return the histories as a text table, a line for each edition, oldest first."""
    rows = [row for history in histories for row in _rows(history)]
    return "\n".join(aligned([_HEAD, *rows], right=_NUMBERS))


def history_page(histories: Sequence[MonthHistory]) -> str:
    """Return the histories as a markdown table, a line for each edition, oldest first."""
    return _markdown(_HEAD, [row for history in histories for row in _rows(history)])


def history_markdown(entry: Entry) -> str:
    """Return the history of one month for its report; empty if it was never replaced."""
    if not entry.history:
        return ""
    rows = [row[1:-1] for row in _edition_rows(entry, {})]
    return f"## History\n\n{_markdown(_HEAD[1:-1], rows)}"


def history_record(histories: Sequence[MonthHistory]) -> dict[str, Any]:
    """Return the histories as JSON types, under `months`."""
    return {"months": [_record(history) for history in histories]}


def change_text(revision: Revision) -> str:
    """Return what a replacement changed, in a sentence."""
    rows = f"{revision.rows_before:,} -> {revision.rows_after:,} rows"
    if revision.rows_added is None:
        rows += " (not compared: the replaced object was gone or damaged)"
    else:
        rows += f", {revision.rows_added:,} added, {revision.rows_removed:,} removed"
    changes = [
        *(f"columns {kind}: {', '.join(names)}" for kind, names in _columns(revision) if names),
        _sums(revision.totals_before, revision.totals_after),
    ]
    return "; ".join(filter(None, [rows, *changes]))


def _columns(revision: Revision) -> list[tuple[str, tuple[str, ...]]]:
    return [("added", revision.columns_added), ("removed", revision.columns_removed)]


def _record(history: MonthHistory) -> dict[str, Any]:
    entry = history.entry
    return {
        "month": str(history.month),
        "where": history.where,
        "edition": edition_of(entry.loaded_sha256) if entry else None,
        "pinned": (entry.pinned or None) if entry else None,
        "editions": [*history.editions],
        "history": [asdict(each) for each in entry.history] if entry else [],
    }


def _rows(history: MonthHistory) -> list[tuple[str, ...]]:
    if history.entry is None:
        kept = f"editions kept: {', '.join(history.editions)}" if history.editions else ""
        return [(str(history.month), "", "not in the ledger", *[""] * 5, "", kept)]
    return _edition_rows(history.entry, dict.fromkeys(history.editions, "kept"), history.month)


def _edition_rows(
    entry: Entry, states: Mapping[str, str], month: Month | None = None
) -> list[tuple[str, ...]]:
    current = f"current, pinned on {entry.pinned[:10]}" if entry.pinned else "current"
    rows = [_first(entry), *(_row(revision) for revision in entry.history)]
    names = [row[-1] for row in rows]
    states = {**states, names[-1]: current}
    last = len(rows) - 1
    return [
        (str(month or ""), *row, current if at == last else states.get(row[-1], "removed"))
        for at, row in enumerate(rows)
    ]


def _first(entry: Entry) -> tuple[str, ...]:
    """Return the line of the edition that replaced none."""
    if not entry.history:
        edition = edition_of(entry.loaded_sha256)
        return (_day(entry.converted_at), "loaded", f"{entry.rows_written:,}", *[""] * 4, edition)
    first = entry.history[0]
    return ("", "loaded", f"{first.rows_before:,}", *[""] * 4, first.edition_before)


def _row(revision: Revision) -> tuple[str, ...]:
    counts = (revision.rows_added, revision.rows_removed, revision.rows_unchanged)
    return (
        _day(revision.replaced_at),
        revision.reason,
        f"{revision.rows_before:,} -> {revision.rows_after:,}",
        *("?" if count is None else f"{count:,}" for count in counts),
        _sums(revision.totals_before, revision.totals_after),
        revision.edition_after,
    )


def _sums(before: Mapping[str, float | int | str], after: Mapping[str, float | int | str]) -> str:
    names = dict.fromkeys([*before, *after])
    return ", ".join(
        f"{name} {_number(before.get(name))} -> {_number(after.get(name))}" for name in names
    )


def _number(total: float | int | str | None) -> str:
    if total is None:
        return "none"
    return total if isinstance(total, str) else f"{total:,.2f}"


def _day(time: str) -> str:
    return time[:16].replace("T", " ")


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])
