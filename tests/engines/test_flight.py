"""The runs that agents have in flight, by a clock that the tests set."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Completed, Scheduled

from engines import agents
from engines.run_plan import RunPlan
from engines.start_limit import StartLimit
from monthly.month import Month
from monthly.plan import Plan, Status
from monthly.result import MonthResult, Outcome

MONTHS = [Month("green", 2020, month) for month in (1, 2)]
APART = 2 * agents.PICKUP_SECONDS


class Api:
    """The part of Prefect's client that looks for runs: only the first one was picked up."""

    def __init__(self) -> None:
        self.runs: list[FlowRun] = []

    async def run_deployment(self, *_: Any, **__: Any) -> FlowRun:
        """Return a new run, as `run_deployment` does."""
        state: Any = Scheduled() if self.runs else Completed()
        pool: Any = {"work_pool_name": "agents", "work_queue_name": "default"}
        run = FlowRun(flow_id=uuid4(), state=state, work_pool_id=uuid4(), **pool)
        self.runs.append(run)
        return self.runs[-1]

    async def read_flow_runs(self, flow_run_filter: Any = None, **_: Any) -> list[FlowRun]:
        """Return the runs asked for; none of others."""
        wanted = flow_run_filter.id.any_ if flow_run_filter.id else ()
        return [run for run in self.runs if run.id in wanted]

    async def set_flow_run_state(self, *_: Any) -> None:
        """Cancel a run."""


async def _returned(client: Any, run_id: Any) -> list[MonthResult]:
    return [MonthResult(MONTHS[0], Outcome.LOADED)]


def test_the_pause_between_two_months_does_not_count_as_time_without_an_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that starts after a long pause has as much time to be picked up as any other."""
    clock, api = SimpleNamespace(time=100.0), Api()
    monkeypatch.setattr(agents, "time", SimpleNamespace(monotonic=lambda: clock.time))
    monkeypatch.setattr(agents, "run_deployment", api.run_deployment)
    monkeypatch.setattr(agents, "returned_months", _returned)
    plans = [Plan(month, Status.NEW, "") for month in MONTHS]
    told: list[MonthResult] = []
    flight = agents._Flight(api, "etl/x", RunPlan(plans, {}, "", False), 2, told.append)  # type: ignore[arg-type] # a stand-in
    flight._limit = StartLimit(APART, lambda: clock.time)

    async def fly() -> None:
        for _ in MONTHS:
            await flight._start()
            await flight._look()
            clock.time += APART

    asyncio.run(fly())
    assert [line.month for line in told] == MONTHS[:1]
    assert list(flight._flying.values()) == plans[1:]
