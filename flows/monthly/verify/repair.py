"""The repair of months: the fewest steps needed, each safe to kill and to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from core.errors import Advice, Remedy, TripsError
from core.storage.bucket import Bucket
from monthly.convert.readings import NewColumns, Rules
from monthly.editions import edition_names, editions_to_keep
from monthly.ledger import Entry, write_entry
from monthly.month import Month
from monthly.plan import advice_on_pinned
from monthly.verify.findings import (
    ENTRY_FAULTS,
    OBJECT_FAULTS,
    WAREHOUSE_FAULTS,
    FaultKind,
    Step,
    Verdict,
)
from monthly.verify.publisher_checks import source_of

_INGEST = Remedy("force", True, "as it was loaded without a bucket", flow="ingest_data")
#: What to do if no step repairs a fault.
_ADVICE: Mapping[FaultKind, Advice] = {
    FaultKind.HELD: Remedy("accept", True, "to load it anyway", flow="etl_web_to_gcs"),
    FaultKind.NOT_THERE: "load it with flows/parameterized_flow.py",
    FaultKind.PUBLISHER_CHANGED: "load the correction with flows/parameterized_flow.py",
}


class Hands(Protocol):
    """Carries out the steps that are flows of their own."""

    def fetch(
        self,
        month: Month,
        source: str,
        max_reject_share: float | None,
        new_columns: NewColumns,
        keep_editions: int | None,
    ) -> None:
        """Fetch a month from its source into the bucket, even if it is already there."""

    def reload(self, month: Month, force: bool) -> None:
        """Load a month from the bucket into the warehouse; unless forced, only if it differs."""

    def redraw(self, month: Month) -> None:
        """Draw the report of a month."""


def planned(verdict: Verdict, bucket: Bucket, has_warehouse: bool) -> Verdict:
    """Return the verdict with the steps that repair the month, and advice where none does."""
    kinds, entry = verdict.kinds, verdict.entry
    advice = [text for kind, text in _ADVICE.items() if kind in kinds]
    needs_fetch = bool(kinds & OBJECT_FAULTS)
    if needs_fetch and entry and entry.pinned:
        return replace(verdict, advice=(*advice, *advice_on_pinned(bucket, verdict.month)))
    if entry and not entry.object_key and kinds & WAREHOUSE_FAULTS:
        return replace(verdict, advice=(*advice, _INGEST))
    steps = [Step.FETCH] if needs_fetch else []
    if kinds & ENTRY_FAULTS and not needs_fetch:
        steps.append(Step.REWRITE_ENTRY)
    if kinds & WAREHOUSE_FAULTS:
        steps.append(Step.RELOAD)
    elif needs_fetch and has_warehouse:
        steps.append(Step.LOAD)
    if FaultKind.REPORT_MISSING in kinds or (needs_fetch and entry and entry.report_key):
        steps.append(Step.REDRAW)
    return replace(verdict, steps=tuple(steps), advice=(*verdict.advice, *advice))


def repair(verdict: Verdict, bucket: Bucket, hands: Hands, source: str = "") -> TripsError | None:
    """Carry out a verdict's steps; return why they stopped, or None.

    A killed repair leaves what a killed load leaves: the old month or the new one. The next
    verification plans what remains to be done.

    Args:
        verdict: the verdict, see `planned`.
        bucket: the bucket.
        hands: carries out the steps that are flows.
        source: where to fetch from; empty for the source that the entry names.
    """
    try:
        for step in verdict.steps:
            _carry_out(step, verdict, bucket, hands, source)
    except TripsError as error:
        return error
    return None


def _carry_out(step: Step, verdict: Verdict, bucket: Bucket, hands: Hands, source: str) -> None:
    month, entry = verdict.month, verdict.entry
    if step is Step.REWRITE_ENTRY:
        assert entry is not None  # noqa: S101 - `planned` has no such step without one
        write_entry(bucket, month, entry, verdict.version)
    elif step is Step.FETCH:
        accepted = _accepted_share(month, entry), _accepted_columns(entry)
        hands.fetch(month, source_of(entry, month, source), *accepted, _keeping_all(bucket, month))
    elif step is Step.REDRAW:
        hands.redraw(month)
    else:
        hands.reload(month, force=step is Step.RELOAD)


def _accepted_share(month: Month, entry: Entry | None) -> float | None:
    """Return the share of rejects that was accepted beyond the dataset's limit, if any."""
    if entry is None or not entry.rows_read:
        return None
    share = entry.rows_rejected / entry.rows_read
    return share if share > Rules().limit_of_rejects(month) else None


def _accepted_columns(entry: Entry | None) -> NewColumns:
    """Return what became of the month's undeclared columns; auto if it has none."""
    if entry and entry.kept:
        return "keep"
    return "drop" if entry and entry.drift.get("unknown") else "auto"


def _keeping_all(bucket: Bucket, month: Month) -> int | None:
    """Return how many editions to keep if more than the declared number exist: all; else None."""
    there = len(edition_names(bucket, month))
    return there + 1 if there > editions_to_keep(month.dataset, None) else None
