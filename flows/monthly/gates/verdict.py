"""The verdict on a converted month, before anything of it is written."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from monthly.gates.correction import judge_correction
from monthly.gates.history import MONTHS, alike
from monthly.gates.judging import ENOUGH, Finding, judge
from monthly.gates.policy import Policy
from monthly.ledger import Entry
from monthly.revision import Revision

LOG = logging.getLogger("trips")


def verdict(
    entry: Entry,
    history: Sequence[Entry],
    policy: Policy,
    correction: Revision | None = None,
) -> list[Finding]:
    """Return what is odd about a month, as the policy takes it.

    Args:
        entry: the month.
        history: the entries of months near it, of any kind.
        policy: what becomes of odd months.
        correction: what it changes, if it is a correction.
    """
    known = alike(entry, history)
    if len(known) < ENOUGH:
        LOG.debug(
            "%s %s: not judged; %d of the %d months near it are of its kind, and it takes %d",
            *(entry.dataset, entry.year_month, len(known), MONTHS, ENOUGH),
        )
    found = judge(entry, known, policy.gates)
    found += judge_correction(correction, policy.gates) if correction else []
    return policy.applied(found)
