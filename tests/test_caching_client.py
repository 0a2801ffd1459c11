"""The client of a command: what it does not ask Prefect's API for, and what it says instead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import prefect
import pytest
from prefect import flow, task
from prefect.client import orchestration
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.context import FlowRunContext
from prefect.states import Cancelled, Completed, Pending, Running

from orchestration.caching_client import CachingClient, formatted, use_caching_client_below

pytestmark = pytest.mark.usefixtures("prefect_server")

#: What the API computes from the clock at each request.
MOVING = {"updated", "estimated_run_time", "estimated_start_time_delta"}


@flow(flow_run_name="of {color}")
def painted(color: str) -> None: ...


@task
def stroke() -> None: ...


class Counting(CachingClient):
    """A client that notes its requests."""

    def __init__(self) -> None:
        super().__init__(get_client()._ephemeral_app)
        self.asked: list[str] = []
        self._client.event_hooks = {"request": [self._note_request]}

    async def _note_request(self, request: Any) -> None:
        self.asked.append(f"{request.method} {request.url.path.split('/')[2]}")


@asynccontextmanager
async def started() -> AsyncIterator[tuple[Counting, FlowRun]]:
    """Yield a client and a flow run that it has created and started, and forget the requests."""
    async with Counting() as client:
        run = await client.create_flow_run(painted, parameters={"color": "red"}, state=Pending())
        await client.set_flow_run_state(run.id, Running())
        client.asked.clear()
        with FlowRunContext.construct(flow_run=await client.read_flow_run(run.id)):
            yield client, run


async def create(client: Counting, run: FlowRun, key: str = "0") -> TaskRun:
    return await client.create_task_run(stroke, run.id, key, name="one stroke", state=Pending())


def fields(run: FlowRun | TaskRun) -> dict[str, Any]:
    return run.dict(exclude=MOVING)


def test_a_run_that_has_just_started_is_as_the_api_describes_it() -> None:
    async def both() -> None:
        async with started() as (client, _), get_client() as api:
            run: Any = FlowRunContext.get()
            assert client.asked == []  # to read that run
            # Another client knows neither of the runs.
            assert fields(run.flow_run) == fields(await api.read_flow_run(run.flow_run.id))
            stroked = await create(client, run.flow_run)
            await client.set_task_run_state(stroked.id, Running())
            client.asked.clear()
            known = await client.read_task_run(stroked.id)
            assert client.asked == []
            assert fields(known) == fields(await api.read_task_run(known.id))

    asyncio.run(both())


def test_a_second_look_at_a_run_is_at_the_api() -> None:
    async def looks() -> list[str]:
        async with started() as (client, run):
            await client.read_flow_run(run.id)
            return client.asked

    assert asyncio.run(looks()) == ["GET flow_runs"]


def test_a_run_that_may_not_start_is_read_from_the_api() -> None:
    """A run that the UI cancels starts no further tasks."""

    async def refused() -> tuple[str, list[str]]:
        async with started() as (client, run), get_client() as ui:
            stroked = await create(client, run)
            await ui.set_flow_run_state(run.id, Cancelled(), force=True)
            answer = await client.set_task_run_state(stroked.id, Running())
            client.asked.clear()
            await client.read_task_run(stroked.id)
            return str(answer.status.value), client.asked

    assert asyncio.run(refused()) == ("ABORT", ["GET task_runs"])


def test_an_existing_run_is_read_from_the_api() -> None:
    """A flow run that is run again gets the task runs that it had."""

    async def again() -> list[str]:
        async with started() as (client, run):
            first = await create(client, run)
            await client.set_task_run_state(first.id, Running())
            await client.set_task_run_state(first.id, Completed())
            second = await create(client, run)
            assert second.id == first.id
            await client.set_task_run_state(second.id, Running(), force=True)
            client.asked.clear()
            await client.read_task_run(second.id)
            return client.asked

    assert asyncio.run(again()) == ["GET task_runs"]


def test_a_run_is_renamed_only_if_its_name_is_another() -> None:
    async def renamed() -> tuple[list[str], list[str]]:
        async with started() as (client, run), get_client() as api:
            stroked = await create(client, run)
            client.asked.clear()
            await client.update_flow_run(run.id, name="of red")
            await client.set_task_run_name(stroked.id, "one stroke")
            unchanged = [*client.asked]
            await client.update_flow_run(run.id, name="of blue")
            await client.set_task_run_name(stroked.id, "two strokes")
            assert (await api.read_flow_run(run.id)).name == "of blue"
            assert (await api.read_task_run(stroked.id)).name == "two strokes"
            return unchanged, client.asked

    assert asyncio.run(renamed()) == ([], ["PATCH flow_runs", "PATCH task_runs"])


def test_a_flow_is_looked_up_once() -> None:
    async def second() -> list[str]:
        async with started() as (client, _):
            await client.create_flow_run(painted, parameters={"color": "blue"})
            return client.asked

    assert asyncio.run(second()) == ["POST flow_runs"]


@pytest.mark.parametrize(
    ("name", "parameters", "found"),
    [
        (
            "{color} {year}-{month:02}",
            {"color": "green", "year": 2020, "month": 1},
            "green 2020-01",
        ),
        ("plan {month.name}", {"month": SimpleNamespace(name="May")}, "plan May"),
        ("plan {month.name}", {"month": object()}, None),  # the future of another task
        ("of {month:02}", {"month": object()}, None),
        ("{lines[0]}", {"lines": []}, None),
        (lambda: "at run time", {}, None),
        (None, {}, None),
    ],
)
def test_a_name_is_formatted_if_its_parameters_are_there(
    name: object, parameters: dict[str, Any], found: str | None
) -> None:
    assert formatted(name, parameters) == found


def test_an_api_on_this_machine_is_asked_for_no_compression() -> None:
    hosts = ("http://127.0.0.1:4200/api", "https://prefect.example.org/api")
    here, there = (CachingClient(url)._client.headers["Accept-Encoding"] for url in hosts)
    assert here == "identity"
    assert "gzip" in there


def test_the_months_of_an_agents_run_use_the_connections_of_its_client() -> None:
    """An agent starts a run with Prefect's client, before it loads the flow."""
    first = PrefectClient("http://127.0.0.1:4200/api")
    with FlowRunContext.construct(client=first) as run:
        use_caching_client_below()
        below = run.client
        use_caching_client_below()
    assert type(below) is CachingClient
    assert below._client is first._client
    assert run.client is below  # with what it has remembered


def test_another_release_of_prefect_keeps_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    client = PrefectClient("http://127.0.0.1:4200/api")
    monkeypatch.setattr(orchestration, "PrefectClient", PrefectClient)
    monkeypatch.setattr(prefect, "__version__", "2.21.0")
    with FlowRunContext.construct(client=client) as run:
        use_caching_client_below()
    assert orchestration.PrefectClient is PrefectClient
    assert run.client is client
