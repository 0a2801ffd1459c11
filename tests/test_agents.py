"""Months on agents: a deployment run for each, with a real agent and the session's Prefect."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fakes import own_dataset, preloaded
from fakes.agent import known_queues
from fakes.commands import run
from fakes.duckdb_files import attached
from fakes.preloaded import Process
from fakes.stopping import stop
from test_cli import PROJECT, _prefect_settings
from test_flows import bring_all, publish, totals
from test_month_report import broken_table

pytestmark = [pytest.mark.flow, pytest.mark.cluster, pytest.mark.usefixtures("prefect_server")]

#: The queue of the agent that tests share; tests without an agent have separate queues.
QUEUE = "months"


@pytest.fixture(scope="module")
def agent(prefect_server: None) -> Iterator[Process]:
    """Run one agent for all tests, because its command takes seconds to start."""
    _make_pool()
    quick = {"PREFECT_AGENT_QUERY_INTERVAL": "0.5"}
    environment = os.environ | _prefect_settings() | quick | preloaded.shared()
    words = [sys.executable, "-m", "fakes.agent", QUEUE]
    started = preloaded.start(words, environment, cwd=PROJECT / "tests")
    try:
        yield started
        assert started.poll() is None
    finally:
        stop(started)


@pytest.fixture
def shared(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the test's place, which an agent's processes find through the environment."""
    monkeypatch.setenv("TRIPS_DATA", str(place))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    return place


@pytest.fixture
def deployment(shared: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Deploy the parent flow for this test; its queue has the same name, or is the agent's."""
    from prefect.client.orchestration import get_client

    name = f"months-{abs(hash(request.node.nodeid)) % 10**8}"
    _deploy(name, QUEUE if "agent" in request.fixturenames else name)
    yield name

    async def remove() -> None:
        async with get_client() as client:
            found = await client.read_deployment_by_name(f"etl-parent-flow/{name}")
            await client.delete_deployment(found.id)

    asyncio.run(remove())


def _make_pool() -> None:
    """Create the agents' pool, which every server has, but not the test's database."""
    from prefect import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    async def make() -> None:
        async with get_client() as client:
            with suppress(ObjectAlreadyExists):
                pool = WorkPoolCreate(
                    name="default-agent-pool", type="prefect-agent", description=None
                )
                await client.create_work_pool(pool)

    asyncio.run(make())


def _deploy(name: str, queue: str, enforced: bool = False) -> None:
    from prefect.deployments.deployments import Deployment
    from prefect.infrastructure import Process

    from parameterized_flow import etl_parent_flow

    _make_pool()
    settings: dict[str, str | None] = {
        **_prefect_settings(),
        **{key: value for key, value in os.environ.items() if key.startswith(("TRIPS_", "PYTHON"))},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        call: Any = Deployment
        call.build_from_flow(
            etl_parent_flow,
            name,
            infrastructure=Process(working_dir=str(PROJECT), env=settings),
            path=str(PROJECT),
            entrypoint="flows/parameterized_flow.py:etl_parent_flow",
            work_pool_name="default-agent-pool",
            work_queue_name=queue,
            # A run that an agent starts must not go to agents again.
            parameters={"engine": "agents", "source": "dtc", "warehouse": ""},
            apply=True,
            skip_upload=True,
            enforce_parameter_schema=enforced,
        )


def runs_of(name: str) -> list[Any]:
    """Return the runs of a deployment, in the order in which they were started."""
    from prefect import get_client
    from prefect.client.schemas.filters import DeploymentFilter

    async def read() -> list[Any]:
        async with get_client() as client:
            which = DeploymentFilter.parse_obj({"name": {"any_": [name]}})
            return list(await client.read_flow_runs(deployment_filter=which))

    return sorted(asyncio.run(read()), key=lambda run: run.created)


def test_the_agent_of_these_tests_always_knows_its_queue() -> None:
    """Its two loops, for scheduled and for cancelled runs, may ask for it at the same time."""
    from prefect.agent import PrefectAgent

    async def ask() -> list[list[str]]:
        make: Any = PrefectAgent
        async with make(work_pool_name="default-agent-pool", work_queues=[QUEUE]) as agent:

            async def names() -> list[str]:
                return [queue.name async for queue in known_queues(agent)]

            return [*await asyncio.gather(names(), names())]

    _make_pool()
    assert asyncio.run(ask()) == [[QUEUE], [QUEUE]]


def test_agents_load_the_months_one_after_another_if_asked(
    shared: Path, agent: Any, deployment: str
) -> None:
    """Each month has its own run, at most `workers` at a time, and the lines match the ledger."""
    for month, count in (("2020-10", 2), ("2020-11", 3)):
        publish(shared, month, ["1.5"] * count)
    agents = {"engine": "agents", "deployment": f"etl-parent-flow/{deployment}"}
    state = bring_all(shared, "10,11", workers=1, report=True, **agents)
    assert state.name == "Completed", state.message
    assert [(line.status, line.rows_written) for line in state.result()] == [
        ("loaded", 2),
        ("loaded", 3),
    ]
    assert totals(shared) == {"2020-10": (2, 3.0), "2020-11": (3, 4.5)}
    folder = shared / "bucket/data/green"
    assert [line.report for line in state.result()] == [
        (folder / f"green_tripdata_2020-{month}.report.html").as_uri() for month in (10, 11)
    ]
    first, second = runs_of(deployment)
    assert (first.name, second.name) == ("green 2020-10", "green 2020-11")
    assert second.created >= first.end_time
    again = bring_all(shared, "10,11", engine="agents")  # with nothing to do no agent is needed
    assert again.name == "Skipped"
    assert len(runs_of(deployment)) == 2


def test_an_agent_loads_months_of_a_dataset_of_the_users_own(
    shared: Path,
    agent: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Command, deployment and agent all find a declaration in the user's own folder."""
    monkeypatch.setenv("TRIPS_DATASETS", own_dataset.declare_with_two_months(tmp_path / "own"))
    name = request.getfixturevalue("deployment")
    options = ("--dataset", own_dataset.NAME, "--months", "2020-10:2020-11", "--engine", "agents")
    environment = os.environ | _prefect_settings()
    found = run(environment, "parameterized_flow.py", *options)
    assert found.returncode == 0, found.stderr
    assert {each.name for each in runs_of(name)} == {f"{own_dataset.NAME} 2020-1{n}" for n in "01"}
    with attached(shared / "trips.duckdb", read_only=True) as db:
        assert db.sql(own_dataset.SUMS).fetchall() == own_dataset.TWO_MONTHS


def test_a_report_that_failed_on_an_agent_does_not_link_to_the_old_one(
    shared: Path, agent: Any, deployment: str
) -> None:
    """The month is loaded with its run's warning, and the old report stays."""
    publish(shared, "2020-10", ["1"])
    assert bring_all(shared, "10", report=True).result()[0].report
    broken_table(shared)
    (line,) = bring_all(shared, "10", engine="agents", force=True, report=True).result()
    assert (line.status, line.report) == ("loaded", "")
    assert "taxi_zone_lookup.csv is not a table of places" in line.warning


def test_a_failed_and_a_crashed_month_are_named(shared: Path, agent: Any, deployment: str) -> None:
    """The failed month has its own reason; the others are loaded."""
    publish(shared, "2020-10", ["1"])
    (shared / "web/green_tripdata_2020-11.csv").write_text("<html><body>moved</body></html>")
    state = bring_all(shared, "10,11", engine="agents", workers=2)  # the only deployment
    assert state.is_failed()
    assert state.message.startswith("1 of 2 months failed: green 2020-11: ")
    assert "web page" in state.message
    assert [line.status for line in state.result(raise_on_failure=False)] == ["loaded", "failed"]
    assert totals(shared) == {"2020-10": (1, 1.0)}


def test_a_run_that_ends_otherwise_is_named(
    shared: Path, deployment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that an agent left Crashed or a person cancelled is named."""
    from prefect.states import Cancelled, Crashed

    import engines.agents

    ends: dict[str, Any] = {
        "green 2020-10": Crashed(message="Flow run infrastructure exited with code 137."),
        "green 2020-11": Cancelled(message="by hand"),
    }
    start: Any = engines.agents.run_deployment  # type: ignore[attr-defined] # imported there

    async def ended(*args: Any, client: Any, **options: Any) -> Any:
        run = await start(*args, client=client, **options)
        await client.set_flow_run_state(run.id, ends[options["flow_run_name"]], force=True)
        return run

    monkeypatch.setattr(engines.agents, "run_deployment", ended)
    publish(shared, "2020-10", ["1"])
    publish(shared, "2020-11", ["1"])
    state = bring_all(shared, "10,11", engine="agents")
    assert state.message == (
        "2 of 2 months failed: "
        "green 2020-10: run green 2020-10 ended Crashed: "
        "Flow run infrastructure exited with code 137.; "
        "green 2020-11: run green 2020-11 ended Cancelled: by hand"
    )


def test_without_an_agent_the_run_ends_and_says_how_to_start_one(
    shared: Path, deployment: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The wait is bounded and logged; afterwards the runs are cancelled."""
    import engines.agents
    from core import waiting

    monkeypatch.setattr(engines.agents, "PICKUP_SECONDS", 3.0)
    monkeypatch.setattr(waiting, "FIRST_SECONDS", 0.1)
    publish(shared, "2020-10", ["1"])
    publish(shared, "2020-11", ["1"])
    state = bring_all(shared, "10,11", engine="agents", workers=2)
    assert state.is_failed()
    queue = f"queue {deployment} of pool default-agent-pool"
    assert f"2 months wait for an agent of {queue}, 3 s at most" in caplog.messages
    assert "2 of 2 months failed: green 2020-10: no agent picked up run green 2020-10" in (
        state.message
    )
    assert f"prefect agent start -p default-agent-pool -q {deployment}" in state.message
    assert {run.state.type.value for run in runs_of(deployment)} == {"CANCELLED"}
    assert not (shared / "bucket").exists()


def test_a_deployment_older_than_the_dataset_is_named_with_what_to_do(
    shared: Path, deployment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its schema lists the datasets that were declared when it was applied."""
    import engines.agents

    _deploy(deployment, deployment, enforced=True)
    parameters: Any = engines.agents.parameters_of  # type: ignore[attr-defined] # imported there
    monkeypatch.setattr(
        engines.agents, "parameters_of", lambda *known: parameters(*known) | {"color": "tram"}
    )
    publish(shared, "2020-10", ["1"])
    state = bring_all(shared, "10", engine="agents", deployment=f"etl-parent-flow/{deployment}")
    assert state.message.startswith(f"etl-parent-flow/{deployment} does not accept this run (")
    assert "'tram' is not one of" in state.message
    assert "apply it again: python deployments/local_deploy.py" in state.message
    assert runs_of(deployment) == []


@pytest.fixture
def at_work(deployment: str) -> Any:
    """Start a run of another deployment on an agent of the queue; return its id."""
    from prefect import flow, get_client
    from prefect.states import Running

    @flow(name="something-else")
    def something_else() -> None:
        """Keep the agent busy with another job."""

    async def begin() -> Any:
        async with get_client() as client:
            other = await client.create_deployment(
                await client.create_flow(something_else),
                "other",
                work_pool_name="default-agent-pool",
                work_queue_name=deployment,
            )
            run = await client.create_flow_run_from_deployment(other)
            await client.set_flow_run_state(run.id, Running(), force=True)
            return run.id

    return asyncio.run(begin())


def test_months_wait_while_an_agent_is_at_work_on_something_else(
    shared: Path, deployment: str, at_work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Months wait as long as the queue is busy; an idle queue means that there is no agent."""
    from prefect.states import Completed

    import engines.agents

    monkeypatch.setattr(engines.agents, "PICKUP_SECONDS", 0.2)
    monkeypatch.setattr(engines.agents, "POLL_SECONDS", 0.3)
    ask, seen = engines.agents._at_work, []

    async def asked(client: Any, waiting: Any) -> Any:
        month = await client.read_flow_run(waiting.id)
        others = await ask(client, waiting)
        seen.append((month.state.type.value, [run.id for run in others]))
        if len(seen) == 2:
            await client.set_flow_run_state(at_work, Completed(), force=True)
        return others

    monkeypatch.setattr(engines.agents, "_at_work", asked)
    publish(shared, "2020-10", ["1"])
    state = bring_all(shared, "10", engine="agents", deployment=f"etl-parent-flow/{deployment}")
    assert seen == [("SCHEDULED", [at_work]), ("SCHEDULED", [at_work]), ("SCHEDULED", [])]
    assert "no agent picked up run green 2020-10" in state.message


def test_a_run_that_has_lost_its_agent_holds_no_month_up(
    shared: Path, deployment: str, at_work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run without an agent stays Running, and the months go on."""
    import engines.agents

    monkeypatch.setattr(engines.agents, "PICKUP_SECONDS", 0.2)
    monkeypatch.setattr(engines.agents, "RUN_SECONDS", 0.0)
    publish(shared, "2020-10", ["1"])
    state = bring_all(shared, "10", engine="agents", deployment=f"etl-parent-flow/{deployment}")
    assert "no agent picked up run green 2020-10" in state.message


def test_months_in_a_bucket_of_another_machine_are_noticed(
    shared: Path, agent: Any, deployment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails, because an agent on another machine fills another folder."""
    monkeypatch.setenv("TRIPS_DATA", str(tmp_path / "elsewhere"))
    _deploy(deployment, QUEUE)
    publish(shared, "2020-10", ["1"])
    state = bring_all(shared, "10", engine="agents")
    assert "was run (loaded), but is not in" in state.message
    assert "name a bucket and a warehouse that all machines share" in state.message
    assert (tmp_path / "elsewhere" / "bucket").is_dir()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("etl-web-to-gcs/x", "deployment 'etl-web-to-gcs/x' does not belong to etl-parent-flow"),
        (
            "etl-parent-flow/x",
            "there is no deployment 'etl-parent-flow/x' (PREFECT_API_URL",
        ),
        ("", "no deployment was named (PREFECT_API_URL"),
    ],
)
def test_a_deployment_that_is_not_there_is_refused(shared: Path, name: str, said: str) -> None:
    """The error lists the existing deployments."""
    publish(shared, "2020-10", ["1"])
    state = bring_all(shared, "10", engine="agents", deployment=name)
    assert said in str(state.result(raise_on_failure=False))
