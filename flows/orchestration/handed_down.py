"""What a parent run hands down to the runs of its months, which need not look it up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from monthly.month import Month
from monthly.plan import Plan

_plan: ContextVar[Plan | None] = ContextVar("_plan", default=None)
_opened: ContextVar[dict[str, Any] | None] = ContextVar("_opened", default=None)


@contextmanager
def handed_down(plan: Plan) -> Iterator[None]:
    """Hand a month's plan down to the child runs of the block, in this process."""
    before = _plan.set(plan)
    try:
        yield
    finally:
        _plan.reset(before)


def plan_of_parent(month: Month) -> Plan | None:
    """Return the parent run's plan of a month for the bucket; None if there is none."""
    plan = _plan.get()
    if plan is None or plan.month != month:
        return None
    return plan.bucket_plan or plan


@contextmanager
def blocks_opened_once() -> Iterator[None]:
    """Keep what the run and its child runs open, by name: a block is two requests to the API."""
    before = _opened.set({})
    try:
        yield
    finally:
        _opened.reset(before)


def kept_open(name: str, open_it: Callable[[], Any]) -> Any:
    """Return what a block opened before in this run and its parents; open it if nothing did."""
    kept = _opened.get()
    if kept is None:
        return open_it()
    if name not in kept:
        kept[name] = open_it()
    return kept[name]
