"""Months on agents: one deployment run each, picked up by any number of agents."""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import anyio
import pendulum
from prefect import get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run as this
from prefect.states import Cancelled
from prefect.utilities.asyncutils import sync_compatible

from core.errors import ClusterError, TripsError, UsageError
from core.waiting import Pace
from engines.agent_deployment import chosen_deployment, parameters_of, refusals_named
from engines.run_plan import EngineConfig, RunPlan
from engines.start_limit import start_limit
from monthly.month import Month
from monthly.plan import Plan
from monthly.result import MonthResult, Outcome, failed_month
from orchestration.artifacts import returned_months
from orchestration.flow_results import readable

#: Seconds between two polls of the runs.
POLL_SECONDS = 2.0
#: Seconds for an agent to pick up a run while its work queue is running nothing else.
PICKUP_SECONDS = 300.0
#: Seconds after which a run counts as having lost its agent: longer than any month takes.
RUN_SECONDS = 3600.0
#: Maximum number of runs that Prefect's server returns per request.
LISTED = 200
#: Seconds to call off the runs in flight when the run that waits for them fails or is stopped:
#: fewer than `interrupts.REPORT_SECONDS`, after which Ctrl-C ends the process.
CALL_OFF_SECONDS = 10.0
_BY_HAND = "cancel these runs in the UI, or agents load their months"
_HINT = "its agent may be gone; cancel that run in the UI, then run again"


def run_on_agents(
    work: RunPlan, engine: EngineConfig, tell: Callable[[MonthResult], None]
) -> list[MonthResult]:
    """Run each month on agents, at most `workers` at a time.

    Args:
        work: the months to run.
        engine: engine configuration with the number of runs in flight and their deployment.
        tell: called with the result of each finished month.

    Raises:
        UsageError: there is no deployment to run.
    """
    flown: Any = _run_all(work, engine, tell)  # a coroutine only in an async flow
    lines: list[MonthResult] = flown
    return lines


@sync_compatible
async def _run_all(
    work: RunPlan, engine: EngineConfig, tell: Callable[[MonthResult], None]
) -> list[MonthResult]:
    async with get_client() as client:
        deployment = await chosen_deployment(client, engine.deployment)
        get_run_logger().info("%d months on %s", len(work.plans), deployment)
        return await _Flight(client, deployment, work, engine.workers, tell).lines()


class _Flight:
    """The flow runs in flight, one per month."""

    def __init__(
        self,
        client: PrefectClient,
        deployment: str,
        work: RunPlan,
        width: int,
        tell: Callable[[MonthResult], None],
    ) -> None:
        self._client, self._deployment = client, deployment
        self._work, self._width, self._tell = work, width, tell
        self._waiting = deque(work.plans)
        self._flying: dict[UUID, Plan] = {}
        #: The month whose run is being started, which the server may know already.
        self._starting: Plan | None = None
        self._key = uuid4()
        self._lines: list[MonthResult] = []
        self._moved = time.monotonic()
        self._pace = Pace()
        self._limit = start_limit()

    async def lines(self) -> list[MonthResult]:
        """Return the result of each month once all have ended or were given up."""
        try:
            while self._waiting or self._flying:
                await self._start()
                if self._flying:
                    await self._look()
                if self._waiting or self._flying:
                    await anyio.sleep(POLL_SECONDS)
        finally:
            await self._call_off()
        return self._lines

    async def _start(self) -> None:
        while self._waiting and len(self._flying) < self._width and not self._limit.remaining:
            plan = self._waiting.popleft()
            self._limit.take()
            if not self._flying:
                self._moved = time.monotonic()  # the limit may have kept this run waiting
            self._starting = plan
            run = await self._run_of(plan)
            self._flying[run.id], self._starting = plan, None

    async def _run_of(self, plan: Plan, start: dt.datetime | None = None) -> FlowRun:
        """Return the new run of a month, or the same one if it was asked for before.

        Args:
            plan: the planned month.
            start: when an agent may pick up a new run; now if None.
        """
        with refusals_named(self._deployment):
            run: FlowRun = await run_deployment(
                self._deployment,
                parameters=parameters_of(plan.month, self._work),
                flow_run_name=str(plan.month),
                scheduled_time=start,
                timeout=0,
                idempotency_key=f"{self._key}-{plan.month}",
                client=self._client,
            )
        return run

    async def _look(self) -> None:
        """Collect finished runs; give up runs that no agent picks up or that lost their agent."""
        runs = await self._read()
        for gone in self._flying.keys() - {run.id for run in runs}:
            self._end(gone, "its run was deleted; run again")
        if not all(_is_waiting(run) for run in runs) or await self._is_held_up(runs):
            self._moved = time.monotonic()
            self._pace.restart()
        elif runs and self._pace.is_due():
            # Not a warning: an agent polls every 15 s, so most runs wait for a while.
            get_run_logger().info("%s", _unanswered(runs))
        for run in runs:
            await self._judge(run)

    async def _read(self) -> list[FlowRun]:
        """Return the runs in flight that still exist, in as many requests as needed."""
        ids, runs = list(self._flying), list[FlowRun]()
        for start in range(0, len(ids), LISTED):
            which = FlowRunFilter.parse_obj({"id": {"any_": ids[start : start + LISTED]}})
            runs += await self._client.read_flow_runs(flow_run_filter=which)
        return runs

    async def _is_held_up(self, runs: Sequence[FlowRun]) -> bool:
        """Return whether the pickup time is over but the work queue is busy with other runs."""
        if time.monotonic() - self._moved <= PICKUP_SECONDS or not runs:
            return False
        others = await _at_work(self._client, runs[0])
        if others:
            months = f"{len(runs)} months wait for an agent of queue {runs[0].work_queue_name}"
            get_run_logger().info("%s, where %s is at work", months, others[0].name)
        return bool(others)

    async def _judge(self, run: FlowRun) -> None:
        if run.state is None or run.state.is_final():
            month = self._flying.pop(run.id).month
            lines = await returned_months(self._client, run.id)
            self._add(lines[0] if lines else _unreported(month, run))
        elif _is_waiting(run):
            if time.monotonic() - self._moved > PICKUP_SECONDS:
                with suppress(ObjectNotFound):  # deleted since the runs were listed
                    await self._cancel(run.id)
                self._end(run.id, _nobody(run))
        elif _seconds_in_state(run) > RUN_SECONDS:
            state = run.state.type.value.lower()
            self._end(run.id, f"run {run.name} has been {state} for {RUN_SECONDS:.0f} s; {_HINT}")

    def _end(self, run_id: UUID, reason: str) -> None:
        month = self._flying.pop(run_id).month
        self._add(failed_month(month, ClusterError(reason)))

    def _add(self, line: MonthResult) -> None:
        self._lines.append(line)
        self._tell(line)

    async def _call_off(self) -> None:
        """Cancel the runs not yet picked up, which must not start when nobody waits for them."""
        left: dict[UUID | None, Plan] = dict(self._flying.items())
        if self._starting:
            left[None] = self._starting
        why = f"no answer in {CALL_OFF_SECONDS:.0f} s"

        async def call_off(run_id: UUID | None, plan: Plan) -> None:
            nonlocal why
            try:
                await self._cancel_waiting(run_id, plan)
                del left[run_id]
            except Exception as error:  # whatever a client raises, the others are called off
                why, *_ = readable(error).message.split("; ")

        with anyio.move_on_after(CALL_OFF_SECONDS, shield=True):
            async with anyio.create_task_group() as group:  # one that hangs holds up no other
                for run_id, plan in [*left.items()]:
                    group.start_soon(call_off, run_id, plan)
        if left:
            months = ", ".join(str(plan.month) for plan in left.values())
            get_run_logger().warning("%s", f"not called off: {months} ({why}); {_BY_HAND}")

    async def _cancel_waiting(self, run_id: UUID | None, plan: Plan) -> None:
        """Cancel a run if it exists and no agent has picked it up."""
        with suppress(ObjectNotFound, UsageError):  # it was deleted, or refused
            # If it does not exist yet, it is created, but not for an agent to pick up.
            tomorrow = pendulum.now("UTC").add(days=1)
            known = run_id or (await self._run_of(plan, tomorrow)).id
            if _is_waiting(await self._client.read_flow_run(known)):
                await self._cancel(known)

    async def _cancel(self, run_id: UUID) -> None:
        why = "The run that asked for this month has given it up."
        called_off: State[Any] = Cancelled(message=why)
        await self._client.set_flow_run_state(run_id, called_off)


def _is_waiting(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_scheduled()


async def _at_work(client: PrefectClient, waiting: FlowRun) -> list[FlowRun]:
    """Return other runs that agents of the same work queue have started, except lost ones.

    This run, which may also run on an agent of that work queue, only waits and does not count.
    """
    begun = FlowRunFilter.parse_obj(
        {
            "work_queue_name": {"any_": [waiting.work_queue_name]},
            "state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}},
        }
    )
    pool = WorkPoolFilter.parse_obj({"name": {"any_": [waiting.work_pool_name]}})
    found = await client.read_flow_runs(flow_run_filter=begun, work_pool_filter=pool)
    return [
        run for run in found if str(run.id) != this.id and _seconds_in_state(run) <= RUN_SECONDS
    ]


def _seconds_in_state(run: FlowRun) -> float:
    assert run.state is not None  # noqa: S101 - only a run with a state is asked
    return float((pendulum.now("UTC") - run.state.timestamp).total_seconds())


def _unanswered(runs: Sequence[FlowRun]) -> str:
    queue = f"queue {runs[0].work_queue_name} of pool {runs[0].work_pool_name}"
    return f"{len(runs)} months wait for an agent of {queue}, {PICKUP_SECONDS:.0f} s at most"


def _nobody(run: FlowRun) -> str:
    return (
        f"no agent picked up run {run.name} for {PICKUP_SECONDS:.0f} s; start one: "
        f"prefect agent start -p {run.work_pool_name} -q {run.work_queue_name}"
    )


def _unreported(month: Month, run: FlowRun) -> MonthResult:
    """Return the result of a month whose run has ended without storing one.

    A run that fails before it plans the month stores none, and neither do deployments of an
    earlier version. A completed month is looked up in the ledger like every other.
    """
    state = run.state
    if state is not None and state.is_completed():
        skipped = state.name == "Skipped"
        return MonthResult(month, Outcome.UNCHANGED if skipped else Outcome.LOADED)
    said = (state.message or "") if state else "no state"
    if state is not None and state.is_failed():
        return failed_month(month, TripsError(said))
    ended = f"run {run.name} ended {state.name if state else '?'}: {said}"
    return failed_month(month, TripsError(ended))
