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
    """Return what is unusual about a month, under the policy.

    Args:
        entry: the month.
        history: the entries of months near it, of any kind.
        policy: what to do with unusual months.
        correction: what it changes, if it is a correction.
    """
    known = alike(entry, history)
    if len(known) < ENOUGH:
        LOG.debug(
            "%s %s: gates not checked; only %d of the %d nearest months are comparable, %d needed",
            *(entry.dataset, entry.year_month, len(known), MONTHS, ENOUGH),
        )
    found = judge(entry, known, policy.gates)
    found += judge_correction(correction, policy.gates) if correction else []
    return policy.applied(found)
