"""How much of a published month a correction changes."""

from __future__ import annotations

from monthly.gates.judging import Finding, finding
from monthly.gates.thresholds import Gates
from monthly.ledger import Entry
from monthly.revision import Revision


def correction_in(before: Entry | None, entry: Entry, revision: Revision | None) -> Revision | None:
    """Return the record of a replacement if it is a correction: a different published file.

    Args:
        before: the month's entry.
        entry: the one that is about to replace it.
        revision: the record of the replacement.
    """
    if before is None or before.is_generated or entry.is_generated:
        return None
    return revision if before.source_sha256 != entry.source_sha256 else None


def judge_correction(correction: Revision, gates: Gates) -> list[Finding]:
    """Return a finding if a correction changes too many rows."""
    share = correction.changed_share
    if share is None or share <= gates.changed.warn:
        return []
    counts = (
        f"{correction.rows_added:,} rows added and {correction.rows_removed:,} of "
        f"{correction.rows_before:,} removed"
    )
    text = f"a correction that changes {share:.1%} of the rows ({counts})"
    return [finding("changed", share, gates.changed, text)]
