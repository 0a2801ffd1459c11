"""The history of months: what each replacement changed, and which editions can be restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from core.storage.bucket import Bucket
from monthly.editions import edition_names, edition_of
from monthly.ledger import Entry, read_entry
from monthly.markdown import escaped
from monthly.month import Month
from monthly.revision import Revision
from monthly.text_table import aligned

_HEAD = (
    "month",
    "when",
    "why",
    "rows",
    "added",
    "removed",
    "unchanged",
    "sums",
    "edition",
    "state",
)


@dataclass(frozen=True)
class _Line:
    """The line of an edition, as text; see `_HEAD`."""

    month: str
    when: str = ""
    why: str = ""
    rows: str = ""
    added: str = ""
    removed: str = ""
    unchanged: str = ""
    sums: str = ""
    edition: str = ""
    state: str = ""

    def cells(self, *without: str) -> tuple[str, ...]:
        """Return the cells of a table, without those of some columns."""
        return tuple(getattr(self, name) for name in _HEAD if name not in without)


@dataclass(frozen=True)
class MonthHistory:
    """The history of a month.

    Attributes:
        month: the month.
        entry: its ledger entry, which has the history; None if the month has no entry.
        editions: names of the editions that can be restored.
        where: the object, or the database if the month has no object.
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
    """Return the histories as a text table, a line for each edition, oldest first, then reasons."""
    lines = [line for history in histories for line in _lines(history)]
    below = ("why", "sums")
    head = tuple(name for name in _HEAD if name not in below)
    text = aligned([head, *(line.cells(*below) for line in lines)], right=range(2, 6))
    reasons = [
        f"{line.month}: {line.edition}: {'; '.join(filter(None, (line.why, line.sums)))}"
        for line in lines
        if line.added  # the first edition replaced none
    ]
    return "\n".join([*text, *(["", *reasons] if reasons else [])])


def history_page(histories: Sequence[MonthHistory]) -> str:
    """Return the histories as a markdown table, a line for each edition, oldest first."""
    return _markdown([line for history in histories for line in _lines(history)])


def history_markdown(entry: Entry) -> str:
    """Return the history of one month for its report; empty if it was never replaced."""
    if not entry.history:
        return ""
    return f"## History\n\n{_markdown(_edition_lines(entry, {}), 'month', 'state')}"


def history_record(histories: Sequence[MonthHistory]) -> dict[str, Any]:
    """Return the histories as JSON types, under `months`."""
    return {"months": [_record(history) for history in histories]}


def change_text(revision: Revision) -> str:
    """Return what a replacement changed, in one sentence."""
    rows = f"{revision.rows_before:,} -> {revision.rows_after:,} rows"
    share = revision.changed_share
    if share is None:
        rows += " (not compared: the replaced month was gone or damaged)"
    else:
        counts = f"{revision.rows_added:,} added, {revision.rows_removed:,} removed"
        rows += f", {counts}: {share:.1%} changed"
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


def _lines(history: MonthHistory) -> list[_Line]:
    if history.entry is not None:
        return _edition_lines(history.entry, dict.fromkeys(history.editions, "kept"))
    kept = f"editions kept: {', '.join(history.editions)}" if history.editions else ""
    return [_Line(str(history.month), why="not in the ledger", state=kept or "not in the ledger")]


def _edition_lines(entry: Entry, states: Mapping[str, str]) -> list[_Line]:
    current = f"current, pinned on {entry.pinned[:10]}" if entry.pinned else "current"
    states = {**states, edition_of(entry.loaded_sha256): current}
    month = f"{entry.dataset} {entry.year_month}"
    lines = [_first(month, entry), *(_line(month, revision) for revision in entry.history)]
    return [replace(line, state=states.get(line.edition, "removed")) for line in lines]


def _first(month: str, entry: Entry) -> _Line:
    """Return the line of the first edition."""
    if entry.history:
        first = entry.history[0]
        rows, edition = first.rows_before, first.edition_before
        return _Line(month, "", "loaded", f"{rows:,}", edition=edition)
    when, edition = _minute(entry.converted_at), edition_of(entry.loaded_sha256)
    return _Line(month, when, "loaded", f"{entry.rows_written:,}", edition=edition)


def _line(month: str, revision: Revision) -> _Line:
    return _Line(
        month,
        _minute(revision.replaced_at),
        revision.reason,
        f"{revision.rows_before:,} -> {revision.rows_after:,}",
        added=_count(revision.rows_added),
        removed=_count(revision.rows_removed),
        unchanged=_count(revision.rows_unchanged),
        sums=_sums(revision.totals_before, revision.totals_after),
        edition=revision.edition_after,
    )


def _count(rows: int | None) -> str:
    return "?" if rows is None else f"{rows:,}"


def _sums(before: Mapping[str, float | int | str], after: Mapping[str, float | int | str]) -> str:
    names = dict.fromkeys([*before, *after])
    return ", ".join(
        f"{name} {_number(before.get(name))} -> {_number(after.get(name))}" for name in names
    )


def _number(total: float | int | str | None) -> str:
    if total is None:
        return "none"
    return total if isinstance(total, str) else f"{total:,.2f}"


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def _markdown(lines: Sequence[_Line], *without: str) -> str:
    head = [name for name in _HEAD if name not in without]
    rows = [f"| {' | '.join(map(escaped, line.cells(*without)))} |" for line in lines]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *rows])
