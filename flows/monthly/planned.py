"""Results of months that are only planned, or that a run skips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeGuard

from core.errors import StillHeld
from core.storage.bucket import Bucket
from monthly.plan import Plan, Status
from monthly.result import MonthResult, Outcome, result_of

#: Outcomes of months that are planned without work.
_IDLE: Mapping[Status | Outcome, Outcome] = {
    Status.UNCHANGED: Outcome.UNCHANGED,
    Status.NOT_YET_PUBLISHED: Outcome.NOT_YET_PUBLISHED,
    Status.PINNED: Outcome.PINNED,
    Status.HELD: Outcome.HELD,
}


def has_work(plan: Plan | MonthResult) -> TypeGuard[Plan]:
    """Return whether a month was planned without an error and needs a run."""
    return isinstance(plan, Plan) and plan.has_work


def needs_run(plan: Plan | MonthResult) -> TypeGuard[Plan]:
    """Return whether a month has work, or lacks its report."""
    return isinstance(plan, Plan) and (plan.has_work or plan.lacks_report)


def planned_line(plan: Plan | MonthResult, store: Bucket) -> MonthResult:
    """Return the result of a month that was only planned, or whose plan failed."""
    if isinstance(plan, MonthResult):
        return plan
    where = store.uri(plan.entry.object_key) if plan.entry else ""
    line = result_of(plan.month, plan.status, plan.reason, plan.entry, where)
    error = StillHeld.__name__ if line.is_held else ""
    known = replace(line, generated=plan.is_generated, to_download=plan.to_download)
    return replace(known, remedies=plan.remedies, error=error)


def idle_line(plan: Plan | MonthResult, store: Bucket) -> MonthResult:
    """Return the result of a month that a run skipped."""
    line = planned_line(plan, store)
    return replace(line, status=_IDLE.get(line.status, line.status))
