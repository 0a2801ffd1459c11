"""Orphaned runs, as Prefect's database records them."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pendulum
import psutil
import pytest
from prefect import flow, get_client, task
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Completed, Pending, Running

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

T = TypeVar("T")


@flow(name="is-lost")
def is_lost(mark: str = "") -> None:
    """Stand for any flow."""


@task(name="child")
def any_task() -> None:
    """Stand for a child run in its parent."""


def ask(question: Callable[[PrefectClient], Awaitable[T]]) -> T:
    async def asked() -> T:
        async with get_client() as client:
            return await question(client)

    return asyncio.run(asked())


@pytest.fixture
def gone() -> str:
    """Return what Prefect records about a process of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{platform.node()}:{process.pid}"


def running(pid: str, mark: str, tags: list[str] | None = None) -> UUID:
    """Return a deployment's run that Prefect takes for running."""

    async def make(client: PrefectClient) -> UUID:
        flow_id = await client.create_flow(is_lost)
        deployment = await client.create_deployment(flow_id, "any")
        run = await client.create_flow_run_from_deployment(
            deployment, parameters={"mark": mark}, tags=[mark, *(tags or [])]
        )
        await client.set_flow_run_state(run.id, Running(), force=True)
        await client.update_flow_run(run.id, infrastructure_pid=pid)
        return run.id

    return ask(make)


def state_of(run: UUID) -> Any:
    return ask(lambda client: client.read_flow_run(run)).state


def marked(mark: str) -> list[FlowRun]:
    tags = FlowRunFilter(tags=FlowRunFilterTags(all_=[mark]))
    return ask(lambda client: client.read_flow_runs(flow_run_filter=tags))


def tidy(**parameters: Any) -> str:
    from tidy_runs import tidy_runs

    call: Any = tidy_runs
    return str(call(**parameters, return_state=True).message)


def test_a_run_whose_process_is_gone_is_reported_and_started_again(gone: str) -> None:
    """It is restarted with its parameters, and only once."""
    run = running(gone, "gone")
    assert tidy().startswith("1 lost, 1 started again")
    assert state_of(run).is_crashed()
    assert f"process {gone.partition(':')[2]} on {platform.node()} is gone" in state_of(run).message
    assert tidy().startswith("0 lost")
    (again,) = [found for found in marked("gone") if found.id != run]
    assert again.parameters == {"mark": "gone"}
    assert again.state
    assert again.state.is_scheduled()
    assert "again" in again.tags


def test_what_was_started_again_is_not_started_a_third_time(gone: str) -> None:
    """Otherwise a run that crashes its machine would do so repeatedly."""
    run = running(gone, "twice", ["again"])
    assert tidy().startswith("1 lost, 0 started again")
    assert state_of(run).is_crashed()
    assert len(marked("twice")) == 1


@pytest.mark.parametrize("name", ["silent_minutes", "keep_hours"])
def test_a_negative_time_is_refused(name: str) -> None:
    """A run on another machine would count as lost however lately it was heard of."""
    run = running("elsewhere:1", f"negative {name}")
    assert f"{name} -5 is negative" in tidy(**{name: -5})
    assert state_of(run).is_running()
    ask(lambda client: client.set_flow_run_state(run, Completed()))


def test_a_run_whose_process_lives_is_left_alone() -> None:
    """Its process is enough, even if it logs nothing."""
    run = running(f"{platform.node()}:{os.getpid()}", "alive")
    assert tidy(silent_minutes=0).startswith("0 lost")
    assert state_of(run).is_running()


@pytest.mark.parametrize(
    ("state", "before", "lost"),
    [
        (Running, 90, True),  # a later program has its number
        (Running, 30, False),  # two clocks differ slightly
        (Pending, 90, False),  # its process may start at any time
    ],
)
def test_a_process_is_known_by_its_start_too(state: Any, before: float, lost: bool) -> None:
    """A process that started after its run began is a different one with the same number."""
    run = running(f"{platform.node()}:{os.getpid()}", "taken")
    assert (why_lost_since(run, os.getpid(), state, before) is not None) is lost


def test_a_process_that_was_given_the_run_owns_it_whatever_the_clocks_say() -> None:
    """The agent passes the run's id, so a server's clock that is far behind does not matter."""
    run = running("", "told")
    told = os.environ | {"PREFECT__FLOW_RUN_ID": str(run)}
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], env=told, stdin=subprocess.PIPE
    ) as process:
        assert why_lost_since(run, process.pid, Running, 90) is None
        process.communicate(b"\n")


def why_lost_since(run: UUID, process: int, state: Any, before: float) -> str | None:
    """Return why a run is orphaned whose state was set so many seconds before a process started."""
    from orchestration.orphaned_runs import why_lost

    began = psutil.Process(process).create_time()
    found = ask(lambda client: client.read_flow_run(run))
    found.infrastructure_pid = f"{platform.node()}:{process}"
    found.state = state(timestamp=pendulum.from_timestamp(began - before))
    why = ask(lambda client: why_lost(client, found, dt.timedelta()))
    ask(lambda client: client.set_flow_run_state(run, Completed(), force=True))
    return why


def test_a_run_of_another_machine_is_lost_when_nothing_is_heard_of_it() -> None:
    """Its process cannot be looked up from this machine."""
    run = running("elsewhere:1", "elsewhere")
    assert tidy(silent_minutes=1).startswith("0 lost")
    assert state_of(run).is_running()
    assert tidy(silent_minutes=0).startswith("1 lost, 1 started again")
    assert "nothing was heard of it since" in state_of(run).message


def test_a_run_that_ends_while_somebody_looks_is_left_alone(gone: str) -> None:
    """It is running when listed, and completed when its process is looked up."""
    from orchestration.orphaned_runs import why_lost

    run = running(gone, "meanwhile")
    found = ask(lambda client: client.read_flow_run(run))
    ask(lambda client: client.set_flow_run_state(run, Completed(), force=True))
    assert ask(lambda client: why_lost(client, found, dt.timedelta())) is None
    assert state_of(run).is_completed()


def test_what_somebody_was_cancelling_is_cancelled_and_not_started_again(gone: str) -> None:
    """The agent that was to cancel it died before it could report that."""
    run = running(gone, "cancelling")
    ask(lambda client: client.set_flow_run_state(run, Cancelling(), force=True))
    assert tidy().startswith("1 lost, 0 started again")
    assert state_of(run).is_cancelled()
    assert len(marked("cancelling")) == 1


def test_child_runs_end_with_their_parent(gone: str) -> None:
    """They have no process of their own, and the restarted parent runs them again."""
    parent = running(gone, "parent")

    async def make(client: PrefectClient) -> UUID:
        task_run = await client.create_task_run(any_task, parent, dynamic_key="0")
        child = await client.create_flow_run(is_lost, parent_task_run_id=task_run.id)
        await client.set_flow_run_state(child.id, Running(), force=True)
        return child.id

    child = ask(make)
    assert tidy().startswith("2 lost, 1 started again")
    assert state_of(child).is_crashed()
    assert "has ended" in state_of(child).message


class _Engine(BaseHTTPRequestHandler):
    """The part of a container engine that removing containers uses.

    The second container disappears during the request; removals answer with the given responses, in
    order.
    """

    run = ""
    removals: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/containers/json"):
            self._answer(200, [{"Id": identity} for identity in ("one", "two", "three")])
        elif path.endswith("/containers/two/json"):
            self._answer(404, {"message": "No such container: two"})
        elif "/containers/" in path:
            labels = {"prefect.io/flow-run-id": self.run}
            state = {"Status": "exited", "FinishedAt": "2020-01-01T00:00:00.000000000Z"}
            identity = path.split("/")[-2]
            self._answer(200, {"Id": identity, "State": state, "Config": {"Labels": labels}})
        else:  # /version, /_ping
            self._answer(200, {"ApiVersion": "1.44"})

    def do_DELETE(self) -> None:
        status = self.removals.pop(0)
        self._answer(status, {"message": "removal of container one is already in progress"})

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, status: int, said: object) -> None:
        body = json.dumps(said).encode() if status != 204 else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Engine]]:
    """Run an engine with containers of a run that ended long ago."""
    _Engine.run = str(running("elsewhere:1", "contained"))
    ask(lambda client: client.set_flow_run_state(UUID(_Engine.run), Completed(), force=True))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Engine) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield _Engine
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("removals", "said"),
    [([204, 204], "2 containers removed"), ([409, 204], "1 containers removed")],
)
def test_containers_that_another_run_removes_are_not_a_failure(
    engine: type[_Engine], removals: list[int], said: str
) -> None:
    """Two such runs overlap: the other asked first, and the engine is removing the container."""
    engine.removals[:] = removals
    assert tidy().endswith(f", {said}")
    assert engine.removals == []


def test_a_container_that_cannot_be_removed_fails_the_run(engine: type[_Engine]) -> None:
    """Any other response fails the run."""
    engine.removals[:] = [500]
    assert "500 Server Error" in tidy()
