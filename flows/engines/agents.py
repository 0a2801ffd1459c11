"""Months on agents: one deployment run each, picked up by any number of agents."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import anyio
import pendulum
from prefect import get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.runtime import deployment as own
from prefect.runtime import flow_run as this
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled
from prefect.utilities.asyncutils import sync_compatible

from core.errors import Advice, ClusterError, Remedy, TripsError, UsageError
from core.waiting import Pace
from engines.run_plan import EngineConfig, RunPlan
from engines.start_limit import start_limit
from monthly.month import Month
from monthly.plan import Plan
from monthly.result import MonthResult, Outcome, failed_month
from orchestration.api_answers import reason_of
from orchestration.artifacts import returned_months
from orchestration.restarts import NOT_ACCEPTED

FLOW = "etl-parent-flow"
#: Seconds between two polls of the runs.
POLL_SECONDS = 2.0
#: Seconds for an agent to pick up a run while its work queue is running nothing else.
PICKUP_SECONDS = 300.0
#: Seconds after which a run counts as having lost its agent: longer than any month takes.
RUN_SECONDS = 3600.0
#: Maximum number of runs that Prefect's server returns per request.
LISTED = 200
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
        deployment = await _deployment(client, engine.deployment)
        get_run_logger().info("%d months on %s", len(work.plans), deployment)
        return await _Flight(client, deployment, work, engine.workers, tell).lines()


async def _deployment(client: PrefectClient, name: str) -> str:
    """Return the named deployment, else that of this run, else the only one there is."""
    if name and not name.startswith(f"{FLOW}/"):
        raise UsageError(f"deployment {name!r} does not belong to {FLOW}; write {FLOW}/NAME")
    found = await client.read_deployments(
        flow_filter=FlowFilter.parse_obj({"name": {"any_": [FLOW]}}),
    )
    names = {deployment.id: f"{FLOW}/{deployment.name}" for deployment in found}
    if name in names.values():
        return name
    if not name and own.id and UUID(own.id) in names:
        return names[UUID(own.id)]
    if not name and len(names) == 1:
        return names.popitem()[1]
    what = f"there is no deployment {name!r}" if name else "no deployment was named"
    server = PREFECT_API_URL.value() or "not set, so none runs"
    there: list[Advice] = [Remedy("deployment", each) for each in sorted(names.values())]
    raise UsageError(
        f"{what} (PREFECT_API_URL, the server of agents, is {server})",
        *(there or ["apply deployments/local_deploy.py"]),
    )


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
            with anyio.CancelScope(shield=True):
                await self._call_off()
        return self._lines

    async def _start(self) -> None:
        while self._waiting and len(self._flying) < self._width and not self._limit.remaining:
            plan = self._waiting.popleft()
            self._limit.take()
            if not self._flying:
                self._moved = time.monotonic()  # the limit may have kept this run waiting
            with _refused(self._deployment):
                run = await run_deployment(
                    self._deployment,
                    parameters=_parameters(plan.month, self._work),
                    flow_run_name=str(plan.month),
                    timeout=0,
                    client=self._client,
                )
            self._flying[run.id] = plan

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
        for run_id in self._flying:
            if _is_waiting(await self._client.read_flow_run(run_id)):
                await self._cancel(run_id)

    async def _cancel(self, run_id: UUID) -> None:
        why = "The run that asked for this month has given it up."
        called_off: State[Any] = Cancelled(message=why)
        await self._client.set_flow_run_state(run_id, called_off)


@contextmanager
def _refused(deployment: str) -> Iterator[None]:
    """Convert the server's error for a deployment that is gone or refuses the parameters."""
    try:
        yield
    except (ObjectNotFound, PrefectHTTPStatusError) as error:
        answer: Any = error.http_exc if isinstance(error, ObjectNotFound) else error
        if answer.response.status_code not in NOT_ACCEPTED:
            raise
        raise UsageError(
            f"{deployment} does not accept this run ({reason_of(answer)}); if it is gone, or was "
            "applied before a dataset was declared or the code was changed, apply it again: "
            "python deployments/local_deploy.py, or the script of its target"
        ) from error


def _parameters(month: Month, work: RunPlan) -> dict[str, Any]:
    """Return the parameters that vary by month or run; the deployment sets the rest."""
    return {
        **work.options,
        "report": work.report,
        "color": month.dataset,
        "months": month.year_month,
        "warehouse": work.warehouse,
        "plan": False,
        "engine": "threads",
        "cluster": "",
        "cluster_options": {},
        "deployment": "",
    }


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
