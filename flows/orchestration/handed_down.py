"""Passes what a parent run has down to the runs of its months: plans, blocks, a drawing process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from core.threads import most_threads
from monthly.month import Month
from monthly.plan import Plan
from monthly.report.apart import Drawer
from monthly.report.drawing import Drawing, draw

_plan: ContextVar[Plan | None] = ContextVar("_plan", default=None)
_opened: ContextVar[dict[str, Any] | None] = ContextVar("_opened", default=None)
_drawer: ContextVar[Drawer | None] = ContextVar("_drawer", default=None)

#: Number of months from which a drawing process pays off; it takes a second to start.
WORTH_A_DRAWER = 6


@contextmanager
def handed_down(plan: Plan) -> Iterator[None]:
    """Pass a month's plan down to child runs within the block, in this process."""
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
    """Cache what a run and its child runs open, by name: loading a block takes two API requests."""
    before = _opened.set({})
    try:
        yield
    finally:
        _opened.reset(before)


def kept_open(name: str, open_it: Callable[[], Any]) -> Any:
    """Return the object that this run or its parents opened under a name; open it if none did."""
    kept = _opened.get()
    if kept is None:
        return open_it()
    if name not in kept:
        kept[name] = open_it()
    return kept[name]


@contextmanager
def drawing_apart(months: int) -> Iterator[None]:
    """Draw the reports of this number of months in another process, if that pays off."""
    if months < WORTH_A_DRAWER or most_threads() == 1:
        yield
        return
    drawer = Drawer()
    before = _drawer.set(drawer)
    try:
        yield
    finally:
        _drawer.reset(before)
        drawer.close()


def drawing_of(month: Month, parquet: Path, names: Mapping[int, str]) -> Drawing:
    """Draw a month in the run's drawing process, or here if there is none."""
    drawer = _drawer.get()
    return (drawer and drawer.draw(month, parquet, names)) or draw(month, parquet, names)
