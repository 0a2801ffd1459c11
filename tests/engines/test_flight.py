"""The runs that agents have in flight, by a clock that the tests set."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pendulum
import pytest
from prefect import flow, get_client
from prefect.client.base import PrefectResponse
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import (
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Pending,
    Running,
    Scheduled,
)

from core.errors import TripsError, UsageError
from engines import agent_deployment, agents
from engines.run_plan import RunPlan
from engines.start_limit import StartLimit
from monthly.month import Month
from monthly.plan import Plan, Status
from monthly.result import MonthResult, Outcome
from orchestration import interrupts

MONTHS = [Month("green", 2020, month) for month in (1, 2)]
APART = 2 * agents.PICKUP_SECONDS


class Api:
    """The part of Prefect's client that a flight uses; a run is in the state that a test sets.

    Attributes:
        runs: the runs that were started, by name.
        set: the states that were set, by name of the run.
    """

    def __init__(self, *states: Any) -> None:
        self.runs: dict[str, FlowRun] = {}
        self.set: dict[str, Any] = {}
        self._states = iter(states)
        self._by_key: dict[str, FlowRun] = {}
        #: When an agent may pick up each run; None for at once.
        self.starts: dict[str, dt.datetime | None] = {}

    async def run_deployment(
        self,
        name: str,
        parameters: Any,
        flow_run_name: str,
        timeout: int,
        scheduled_time: dt.datetime | None,
        idempotency_key: str,
        client: Any,
    ) -> FlowRun:
        """Return a run, new if its key is, as `run_deployment` does without waiting for its end."""
        assert (name, timeout, client) == ("etl/x", 0, self)
        if idempotency_key in self._by_key:
            return self._by_key[idempotency_key]
        pool: Any = {"work_pool_name": "agents", "work_queue_name": "default"}
        run = FlowRun(
            flow_id=uuid4(),
            state=next(self._states),
            work_pool_id=uuid4(),
            name=flow_run_name,
            parameters=parameters,
            **pool,
        )
        self.runs[flow_run_name] = self._by_key[idempotency_key] = run
        self.starts[flow_run_name] = scheduled_time
        return run

    async def read_flow_runs(
        self, flow_run_filter: Any, work_pool_filter: Any = None
    ) -> list[FlowRun]:
        """Return the runs asked for by id, of which a server lists 200; no other is at work."""
        wanted = flow_run_filter.id.any_ if flow_run_filter.id else ()
        return [run for run in self.runs.values() if run.id in wanted][:200]

    async def read_flow_run(self, run_id: Any) -> FlowRun:
        """Return a run."""
        return next(run for run in self.runs.values() if run.id == run_id)

    async def set_flow_run_state(self, run_id: Any, state: Any) -> None:
        """Set the state of a run."""
        run = await self.read_flow_run(run_id)
        run.state = self.set[run.name] = state


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return a clock that stands still unless the test moves it."""
    found = SimpleNamespace(time=100.0)
    monkeypatch.setattr(agents, "time", SimpleNamespace(monotonic=lambda: found.time))
    monkeypatch.setattr(agents, "returned_months", _returned)
    return found


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the warnings of the flight's run."""
    said: list[str] = []
    logger = SimpleNamespace(warning=lambda text, *given: said.append(text % given))
    monkeypatch.setattr(agents, "get_run_logger", lambda: logger)
    return said


def flight_of(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    told: list[MonthResult] | None = None,
    width: int = 2,
    months: Sequence[Month] = MONTHS,
    **options: Any,
) -> Any:
    """Return the flight of two months, or of others."""
    monkeypatch.setattr(agents, "run_deployment", api.run_deployment)
    plans = [Plan(month, Status.NEW, "") for month in months]
    tell = (told if told is not None else []).append
    return agents._Flight(api, "etl/x", RunPlan(plans, options, "w", True), width, tell)  # type: ignore[arg-type] # a stand-in


def looked(flight: Any) -> list[tuple[Month, str]]:
    """Start what may start, look once, and return each month that has ended, with its reason."""

    async def look() -> None:
        await flight._start()
        await flight._look()

    asyncio.run(look())
    return [(line.month, line.reason) for line in flight._lines]


async def _returned(client: Any, run_id: Any) -> list[MonthResult]:
    return [MonthResult(MONTHS[0], Outcome.LOADED)]


def test_a_run_that_is_deleted_as_nobody_picks_it_up_fails_only_its_month(
    monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace
) -> None:
    """It may go between the list of runs and its cancellation."""

    async def deleted(api: Api, run_id: Any, state: Any) -> None:
        raise ObjectNotFound(answer_of(404, b'{"detail": "Not found"}'))

    monkeypatch.setattr(Api, "set_flow_run_state", deleted)
    flight = flight_of(Api(Scheduled(), Scheduled()), monkeypatch)
    assert looked(flight) == []
    clock.time += agents.PICKUP_SECONDS + 1
    assert [month for month, _ in looked(flight)] == MONTHS


def test_the_pause_between_two_months_does_not_count_as_time_without_an_agent(
    monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace
) -> None:
    """A run that starts after a long pause has as much time to be picked up as any other."""
    told: list[MonthResult] = []
    flight = flight_of(Api(Completed(), Scheduled()), monkeypatch, told)
    flight._limit = StartLimit(APART, lambda: clock.time)
    for _ in MONTHS:
        looked(flight)
        clock.time += APART
    assert [line.month for line in told] == MONTHS[:1]
    assert [plan.month for plan in flight._flying.values()] == MONTHS[1:]


@pytest.mark.usefixtures("clock")
def test_only_as_many_runs_as_asked_for_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one starts once the first has ended."""
    api = Api(Running(), Scheduled())
    flight = flight_of(api, monkeypatch, width=1)
    assert looked(flight) == []
    assert [*api.runs] == ["green 2020-01"]
    api.runs["green 2020-01"].state = Completed()
    looked(flight)
    looked(flight)
    assert [*api.runs] == ["green 2020-01", "green 2020-02"]


@pytest.mark.usefixtures("clock")
def test_a_run_that_was_deleted_fails_its_month(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(Running(), Running())
    flight = flight_of(api, monkeypatch)
    assert looked(flight) == []
    del api.runs["green 2020-01"]
    assert looked(flight) == [(MONTHS[0], "its run was deleted; run again")]


@pytest.mark.usefixtures("clock")
def test_all_runs_in_flight_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """All months of yellow are more than a server lists at once."""
    months = [Month("yellow", 2009 + n // 12, n % 12 + 1) for n in range(204)]
    api = Api(*(Running() for _ in months))
    assert looked(flight_of(api, monkeypatch, width=300, months=months)) == []


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("state", [Running, Pending, Cancelling])
def test_a_run_that_lost_its_agent_fails_its_month(
    state: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that has lasted less goes on."""
    old, young = (
        state(timestamp=pendulum.now("UTC") - dt.timedelta(seconds=agents.RUN_SECONDS + by))
        for by in (5, -60)
    )
    ((month, reason),) = looked(flight_of(Api(old, young), monkeypatch))
    assert month == MONTHS[0]
    name = old.type.value.lower()
    assert reason.startswith(f"run green 2020-01 has been {name} for 3600 s; its agent may be gone")


def test_a_run_that_nobody_picks_up_is_cancelled(
    monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace
) -> None:
    """Otherwise an agent that starts later would load the month, which has failed here."""
    api = Api(Scheduled(), Scheduled())
    flight = flight_of(api, monkeypatch)
    assert looked(flight) == []
    clock.time += agents.PICKUP_SECONDS + 1
    assert [month for month, _ in looked(flight)] == MONTHS
    assert [state.is_cancelled() for state in api.set.values()] == [True, True]


@pytest.mark.usefixtures("clock")
def test_a_run_that_is_stopped_cancels_what_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """A month that an agent is loading goes on."""
    api = Api(Running(), Scheduled())
    flight = flight_of(api, monkeypatch)

    async def stopped() -> None:
        raise KeyboardInterrupt

    flight._look = stopped
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(flight.lines())
    assert [*api.set] == ["green 2020-02"]
    assert api.set["green 2020-02"].is_cancelled()


def stopped_with(flight: Any, error: BaseException) -> None:
    """Start the runs of a flight, then stop it by an error, which must not be replaced."""

    async def stop() -> None:
        raise error

    flight._look = stop
    with pytest.raises(type(error)):
        asyncio.run(flight.lines())


@pytest.mark.usefixtures("clock")
def test_a_deleted_run_does_not_keep_others_from_being_cancelled(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    """It cannot start any more, so nothing needs to be said about it."""
    gone, read = ObjectNotFound(answer_of(404, b'{"detail": "Not found"}')), Api.read_flow_run

    async def deleted(api: Api, run_id: Any) -> FlowRun:
        run = await read(api, run_id)
        if run.name == "green 2020-01":
            raise gone
        return run

    monkeypatch.setattr(Api, "read_flow_run", deleted)
    api = Api(Scheduled(), Scheduled(), Scheduled())
    months = [Month("green", 2020, month) for month in (1, 2, 3)]
    stopped_with(flight_of(api, monkeypatch, width=3, months=months), KeyboardInterrupt())
    assert [*api.set] == ["green 2020-02", "green 2020-03"]
    assert warnings == []


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("is_known", [True, False])
def test_a_run_that_was_being_started_is_cancelled(
    is_known: bool, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    """Ctrl-C interrupts the request, but the server may have created the run, or still does."""
    api = Api(Scheduled())
    flight, start = flight_of(api, monkeypatch), api.run_deployment

    async def interrupted(*given: Any, **more: Any) -> FlowRun:
        monkeypatch.setattr(agents, "run_deployment", start)
        if is_known:
            await start(*given, **more)
        raise asyncio.CancelledError

    monkeypatch.setattr(agents, "run_deployment", interrupted)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(flight.lines())
    assert [*api.set] == [*api.runs] == ["green 2020-01"]
    assert (api.starts["green 2020-01"] is None) == is_known  # no agent picks up a new one
    assert warnings == []


@pytest.mark.usefixtures("clock")
def test_two_flights_of_a_month_have_two_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run again in the UI, a parent run has the same ID, but its months may have changed."""
    api = Api(Completed(), Running())
    for _ in range(2):
        looked(flight_of(api, monkeypatch, width=1, months=MONTHS[:1]))
    assert len(api._by_key) == 2


@pytest.mark.usefixtures("clock")
def test_runs_that_cannot_be_called_off_are_named(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    """The others are called off, and the reason for stopping stays."""
    write = Api.set_flow_run_state

    async def refused(api: Api, run_id: Any, state: Any) -> None:
        if run_id == api.runs["green 2020-01"].id:
            raise TripsError("http://proxy/api answered 502")
        await write(api, run_id, state)

    monkeypatch.setattr(Api, "set_flow_run_state", refused)
    api = Api(Scheduled(), Scheduled())
    stopped_with(flight_of(api, monkeypatch), UsageError("no"))
    assert [*api.set] == ["green 2020-02"]
    assert warnings == [
        "not called off: green 2020-01 (http://proxy/api answered 502); "
        "cancel these runs in the UI, or agents load their months"
    ]


@pytest.mark.usefixtures("clock")
def test_a_server_that_hangs_does_not_keep_a_stopped_run(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    """Nor does one answer that it waits for keep the other runs from being called off."""
    read, api = Api.read_flow_run, Api(Scheduled(), Scheduled())

    async def hang(api: Api, run_id: Any) -> Any:
        if run_id == api.runs["green 2020-01"].id:
            await asyncio.Event().wait()
        return await read(api, run_id)

    monkeypatch.setattr(Api, "read_flow_run", hang)
    monkeypatch.setattr(agents, "CALL_OFF_SECONDS", 0.1)
    stopped_with(flight_of(api, monkeypatch), KeyboardInterrupt())
    assert [*api.set] == ["green 2020-02"]
    assert warnings == [
        "not called off: green 2020-01 (no answer in 0 s); "
        "cancel these runs in the UI, or agents load their months"
    ]


def test_ctrl_c_leaves_time_to_call_off_the_runs() -> None:
    assert agents.CALL_OFF_SECONDS < interrupts.REPORT_SECONDS


@pytest.mark.usefixtures("clock")
def test_a_run_has_the_parameters_of_its_parent_but_one_month_and_no_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its deployment may name agents, or only a plan, which would start runs without end."""
    api = Api(Running(), Running())
    looked(flight_of(api, monkeypatch, bucket="b", force=True, source="tlc"))
    assert api.runs["green 2020-01"].parameters == {
        "bucket": "b",
        "force": True,
        "source": "tlc",
        "warehouse": "w",
        "report": True,
        "color": "green",
        "months": "2020-01",
        "plan": False,
        "engine": "threads",
        "cluster": "",
        "cluster_options": {},
        "deployment": "",
    }


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        (Completed(name="Skipped"), Outcome.UNCHANGED, ""),
        (Completed(), Outcome.LOADED, ""),
        (Failed(message="green 2020-01: moved"), Outcome.FAILED, "moved"),
        (Crashed(message="137"), Outcome.FAILED, "run x ended Crashed: 137"),
        (Cancelled(message="by hand"), Outcome.FAILED, "run x ended Cancelled: by hand"),
    ],
)
def test_a_run_that_stored_no_result_is_known_by_its_state(
    state: Any, status: Outcome, reason: str
) -> None:
    run = FlowRun(flow_id=uuid4(), name="x", state=state, work_pool_id=None)
    found = agents._unreported(MONTHS[0], run)
    assert (found.status, found.reason) == (status, reason)


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
def test_only_other_runs_of_the_same_queue_keep_its_agents_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The parent run may itself be on an agent; a queue of another pool has the same name."""

    @flow(name="any-job")
    def any_job() -> None:
        """Stand for any flow."""

    async def ask() -> set[str]:
        async with get_client() as client:
            flow_id = await client.create_flow(any_job)
            for pool in ("busy", "other"):
                await client.create_work_pool(WorkPoolCreate(name=pool, description=None))

            async def run(name: str, pool: str, queue: str, *states: Any) -> FlowRun:
                deployment = await client.create_deployment(
                    flow_id, name, work_pool_name=pool, work_queue_name=queue
                )
                made = await client.create_flow_run_from_deployment(deployment, name=name)
                for state in states:
                    await client.set_flow_run_state(made.id, state, force=True)
                found: FlowRun = await client.read_flow_run(made.id)
                return found

            runs = [
                await run("waiting", "busy", "q"),
                await run("parent", "busy", "q", Running()),
                await run("pending", "busy", "q", Pending()),
                await run("running", "busy", "q", Running()),
                await run("cancelling", "busy", "q", Running(), Cancelling()),
                await run("ended", "busy", "q", Completed()),
                await run("in another queue", "busy", "p", Running()),
                await run("in another pool", "other", "q", Running()),
            ]
            monkeypatch.setattr(agents, "this", SimpleNamespace(id=str(runs[1].id)))
            found = await agents._at_work(client, runs[0])
            for each in runs:
                await client.delete_flow_run(each.id)
            return {each.name for each in found}

    assert asyncio.run(ask()) == {"pending", "running", "cancelling"}


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
def test_a_run_of_a_deployment_gives_its_months_to_the_same_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unless it names another; a run of another flow's deployment has none."""

    @flow(name=agent_deployment.FLOW)
    def parent() -> None:
        """Stand for the parent flow."""

    async def ask() -> list[str]:
        async with get_client() as client:
            flow_id = await client.create_flow(parent)
            one, two = [await client.create_deployment(flow_id, name) for name in ("one", "two")]
            monkeypatch.setattr(agent_deployment, "own", SimpleNamespace(id=str(two)))
            chosen = [
                await agent_deployment.chosen_deployment(client, name)
                for name in ("", f"{agent_deployment.FLOW}/one")
            ]
            monkeypatch.setattr(agent_deployment, "own", SimpleNamespace(id=str(uuid4())))
            with pytest.raises(UsageError, match="no deployment was named"):
                await agent_deployment.chosen_deployment(client, "")
            for each in (one, two):
                await client.delete_deployment(each)
            return chosen

    assert asyncio.run(ask()) == [
        f"{agent_deployment.FLOW}/two",
        f"{agent_deployment.FLOW}/one",
    ]


def refused(raised: Exception, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return why no run starts if Prefect's client raises an error for it."""

    async def refuse(*_: Any, **__: Any) -> FlowRun:
        raise raised

    api = Api()
    flight = flight_of(api, monkeypatch)
    monkeypatch.setattr(agents, "run_deployment", refuse)
    with pytest.raises(TripsError) as caught:
        looked(flight)
    return str(caught.value)


def answer_of(status: int, body: bytes) -> PrefectHTTPStatusError:
    """Return the error of Prefect's client for an answer."""
    request = httpx.Request("POST", "http://proxy/api/create_flow_run")
    with pytest.raises(PrefectHTTPStatusError) as caught:
        PrefectResponse(status, content=body, request=request).raise_for_status()
    return caught.value


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("status", [404, 409])
@pytest.mark.parametrize("is_converted", [True, False])
def test_what_answers_in_place_of_the_server_is_named(
    status: int, is_converted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect's client converts the status 404 of some requests."""
    answer = answer_of(status, b"<html>")
    said = refused(ObjectNotFound(answer) if is_converted else answer, monkeypatch)
    assert said.startswith(f"http://proxy/api/create_flow_run answered {status} ")


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("word", ["detail", "exception_message"])
def test_a_deployment_that_was_deleted_is_named(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({word: "Deployment not found"}).encode()
    said = refused(ObjectNotFound(answer_of(404, body)), monkeypatch)
    assert said.startswith("etl/x does not accept this run (Deployment not found); if it is gone")
