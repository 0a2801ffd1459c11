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
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import httpx
import pendulum
import psutil
import pytest
from prefect import flow, get_client, task
from prefect.client.base import PrefectResponse
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import LogCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Completed, Pending, Running

import tidy_runs
from core.errors import TripsError
from orchestration import orphaned_runs
from orchestration.orphaned_runs import settle, why_lost
from orchestration.parent_runs import tag_of

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


def tidied(**parameters: Any) -> Any:
    call: Any = tidy_runs.tidy_runs
    return call(**parameters, return_state=True)


def tidy(**parameters: Any) -> str:
    return str(tidied(**parameters).message)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that turns the clock of orphaned runs forward, not the server's."""

    def turn(**by: int) -> None:
        def now(zone: dt.timezone) -> dt.datetime:
            return dt.datetime.now(zone) + dt.timedelta(**by)

        clock = SimpleNamespace(datetime=SimpleNamespace(now=now), timezone=dt.timezone)
        monkeypatch.setattr(orphaned_runs, "dt", clock)

    return turn


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


@pytest.mark.parametrize(
    ("name", "value", "least"), [("silent_minutes", 0, 1), ("keep_hours", -1, 0)]
)
def test_a_time_that_is_too_short_is_refused(name: str, value: int, least: int) -> None:
    """A run on another machine would count as lost however lately it was heard of."""
    run = running("elsewhere:1", f"too short {name}")
    assert f"{name} {value} is too short; write {least} or more" in tidy(**{name: value})
    assert state_of(run).is_running()
    ask(lambda client: client.set_flow_run_state(run, Completed()))


def test_a_run_whose_process_lives_is_left_alone(later: Callable[..., None]) -> None:
    """Its process is enough, even if it logs nothing."""
    run = running(f"{platform.node()}:{os.getpid()}", "alive")
    later(hours=1)
    assert tidy(silent_minutes=1).startswith("0 lost")
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


def test_a_process_of_another_user_is_known_by_its_start_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its environment, which names its run, cannot be read."""

    def denied(process: psutil.Process) -> dict[str, str]:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "environ", denied)
    run = running("", "of-another-user")
    assert why_lost_since(run, os.getpid(), Running, 90)


def why_lost_since(run: UUID, process: int, state: Any, before: float) -> str | None:
    """Return why a run is orphaned whose state was set so many seconds before a process started."""
    began = psutil.Process(process).create_time()
    found = ask(lambda client: client.read_flow_run(run))
    found.infrastructure_pid = f"{platform.node()}:{process}"
    found.state = state(timestamp=pendulum.from_timestamp(began - before))
    why = ask(lambda client: why_lost(client, found, dt.timedelta()))
    ask(lambda client: client.set_flow_run_state(run, Completed(), force=True))
    return why


def test_a_run_of_another_machine_is_lost_when_nothing_is_heard_of_it(
    gone: str, later: Callable[..., None]
) -> None:
    """Its process cannot be looked up from this machine."""
    run = running(f"elsewhere:{gone.partition(':')[2]}", "elsewhere")
    later(minutes=119)
    assert tidy(silent_minutes=120).startswith("0 lost")
    assert state_of(run).is_running()
    later(minutes=121)
    assert tidy(silent_minutes=120).startswith("1 lost, 1 started again")
    assert "nothing was heard of it since" in state_of(run).message


def child_of(parent: UUID) -> UUID:
    """Return a run that a task of another run started and that is Running in Prefect."""

    async def make(client: PrefectClient) -> UUID:
        task_run = await client.create_task_run(any_task, parent, dynamic_key="0")
        child = await client.create_flow_run(is_lost, parent_task_run_id=task_run.id)
        await client.set_flow_run_state(child.id, Running(), force=True)
        return child.id

    return ask(make)


@pytest.mark.parametrize("sign", ["", "log of the run", "state of a child", "log of a grandchild"])
def test_a_sign_of_life_is_a_log_or_a_state_of_the_run_or_of_its_children(
    sign: str, later: Callable[..., None]
) -> None:
    """The last one counts: here, that of three hours ago or of one hour ago, of two allowed."""
    run = running("elsewhere:1", "signs")
    now, hour = pendulum.now("UTC"), dt.timedelta(hours=1)
    later(hours=3 if "log" in sign or not sign else 1)

    async def why(client: PrefectClient) -> str | None:
        found = await client.read_flow_run(run)
        found.state = Running(timestamp=now - 2 * hour)
        return await why_lost(client, found, 2 * hour)

    family = [run]
    if "child" in sign:
        family.append(child_of(run))
    if "grandchild" in sign:
        family.append(child_of(family[-1]))
    if "log" in sign:
        logs = [log_of(family[0], now), log_of(family[-1], now + 2 * hour)]
        ask(lambda client: client.create_logs(logs))
    said = ask(why)
    for member in family:
        ask(lambda client, of=member: client.set_flow_run_state(of, Completed(), force=True))  # type: ignore[misc] # a lambda's default
    assert (said is None) is bool(sign)


def log_of(run: UUID, at: Any) -> LogCreate:
    return LogCreate(
        name="x", level=20, message="x", timestamp=at, flow_run_id=run, task_run_id=None
    )


def test_a_run_that_ends_while_somebody_looks_is_left_alone(gone: str) -> None:
    """It is running when listed, and completed when its process is looked up."""
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
    child = child_of(running(gone, "parent"))
    assert tidy().startswith("2 lost, 1 started again")
    assert state_of(child).is_crashed()
    assert "has ended" in state_of(child).message


def test_a_month_on_a_dask_worker_is_lost_once_its_parent_has_ended_and_it_is_silent(
    gone: str, later: Callable[..., None]
) -> None:
    """Its worker may outlive the parent; only a tag names that."""
    parent = running(gone, "parent-on-dask")
    month = month_of(parent)
    later(minutes=119)
    assert tidy(silent_minutes=120).startswith("1 lost")
    assert state_of(parent).is_crashed()
    assert state_of(month).is_running()
    later(minutes=121)
    assert tidy(silent_minutes=120).startswith("1 lost, 0 started again")
    assert "its parent run" in state_of(month).message


def month_of(parent: UUID) -> UUID:
    """Return the run of a month on a Dask worker."""

    async def make(client: PrefectClient) -> UUID:
        month = await client.create_flow_run(is_lost, tags=[tag_of(parent)])
        await client.set_flow_run_state(month.id, Running(), force=True)
        return month.id

    return ask(make)


def test_a_month_on_a_dask_worker_is_lost_if_its_parent_was_deleted(
    later: Callable[..., None],
) -> None:
    month = month_of(uuid4())
    later(minutes=119)
    assert tidy(silent_minutes=120).startswith("0 lost")
    later(minutes=121)
    assert tidy(silent_minutes=120).startswith("1 lost, 0 started again")
    assert state_of(month).is_crashed()
    assert "its parent run was deleted" in state_of(month).message


def test_child_runs_live_as_long_as_their_parent(later: Callable[..., None]) -> None:
    parent = running(f"{platform.node()}:{os.getpid()}", "living-parent")
    child = child_of(parent)
    later(hours=1)
    assert tidy(silent_minutes=1).startswith("0 lost")
    assert state_of(child).is_running()
    for run in (child, parent):
        ask(lambda client, of=run: client.set_flow_run_state(of, Completed(), force=True))  # type: ignore[misc] # a lambda's default


def test_a_child_run_whose_parent_is_deleted_meanwhile_is_lost() -> None:
    """It was listed before; a tidying that settles many runs takes a while."""
    parent = running("elsewhere:1", "deleted-parent")
    child = child_of(parent)

    async def judge(client: PrefectClient) -> str | None:
        listed = await client.read_flow_run(child)
        await client.delete_flow_run(parent)
        return await why_lost(client, listed, dt.timedelta(hours=1))

    assert ask(judge) == "its parent run was deleted"
    ask(lambda client: client.set_flow_run_state(child, Completed(), force=True))


def test_a_run_that_was_started_by_hand_is_left_alone(later: Callable[..., None]) -> None:
    """Somebody is watching it."""

    async def by_hand(client: PrefectClient) -> UUID:
        run = await client.create_flow_run(is_lost)
        await client.set_flow_run_state(run.id, Running(), force=True)
        return run.id

    run = ask(by_hand)
    later(days=30)
    assert tidy(silent_minutes=1).startswith("0 lost")
    assert state_of(run).is_running()
    ask(lambda client: client.set_flow_run_state(run, Completed(), force=True))


def test_a_run_that_looks_for_lost_runs_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may run in a container, or with an agent elsewhere, where nothing is heard of it."""

    async def lost(client: PrefectClient, run: FlowRun, silent: dt.timedelta) -> str | None:
        return "it is silent" if run.name == "tidy runs" else None

    monkeypatch.setattr(tidy_runs, "why_lost", lost)
    assert tidied().name == "Skipped"


def test_a_run_that_its_agent_had_not_begun_is_started_again(gone: str) -> None:
    run = running(gone, "pending")
    ask(lambda client: client.set_flow_run_state(run, Pending(), force=True))
    assert tidy().startswith("1 lost, 1 started again")
    assert state_of(run).is_crashed()


def test_a_run_that_is_found_lost_twice_is_started_again_once(gone: str) -> None:
    run = running(gone, "found-twice")
    found = ask(lambda client: client.read_flow_run(run))
    for _ in range(2):
        ask(lambda client: settle(client, found, "it is gone"))
    assert len(marked("found-twice")) == 2


def test_a_run_whose_deployment_was_deleted_is_not_started_again(
    gone: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = running(gone, "without-deployment")
    deployment = ask(lambda client: client.read_flow_run(run)).deployment_id
    assert deployment
    ask(lambda client: client.delete_deployment(deployment))
    assert tidy() == "1 lost, 0 started again, 0 containers removed"
    assert "was not started again: its deployment is gone or does not accept" in caplog.text
    assert state_of(run).is_crashed()


def test_a_run_that_its_deployment_no_longer_accepts_is_not_started_again(
    gone: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its dataset may have been removed; other lost runs must not wait for somebody to notice."""

    async def make(client: PrefectClient) -> UUID:
        flow_id, schema = await client.create_flow(is_lost), {"mark": {"enum": ["narrow"]}}

        async def apply(**more: Any) -> UUID:
            found: UUID = await client.create_deployment(
                flow_id,
                "narrow",
                parameter_openapi_schema={"type": "object", "properties": schema},
                **more,
            )
            return found

        run = await client.create_flow_run_from_deployment(
            await apply(), parameters={"mark": "wide"}
        )
        await client.set_flow_run_state(run.id, Running(), force=True)
        await client.update_flow_run(run.id, infrastructure_pid=gone)
        await apply(enforce_parameter_schema=True)
        return run.id

    run = ask(make)
    assert tidy() == "1 lost, 0 started again, 0 containers removed"
    assert "its parameters any more (Error creating flow run: Validation failed" in caplog.text
    assert state_of(run).is_crashed()


@pytest.mark.parametrize("status", [404, 409])
@pytest.mark.parametrize("body", [b"<html>", b'["no route"]', b'{"message": "no route"}'])
def test_a_run_that_a_proxy_refuses_to_start_is_started_by_the_next_tidying(
    gone: str, status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What answered is named, and the run stays Running, so that it is found again."""
    run, address = running(gone, f"proxy {status} {body!r}"), "http://proxy/api/create_flow_run"

    async def refuse(*_: Any, **__: Any) -> None:
        PrefectResponse(
            status, content=body, request=httpx.Request("POST", address)
        ).raise_for_status()

    with monkeypatch.context() as patch:
        patch.setattr(PrefectClient, "create_flow_run_from_deployment", refuse)
        said = tidy()
    assert said.startswith(f"{address} answered {status} ")
    assert state_of(run).is_running()
    assert tidy().startswith("1 lost, 1 started again")
    assert state_of(run).is_crashed()


def test_a_run_that_cannot_be_started_again_does_not_keep_others_from_it(
    gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = running(gone, "kept back"), running(gone, "goes on")
    start = PrefectClient.create_flow_run_from_deployment

    async def refuse_first(client: PrefectClient, *args: Any, **more: Any) -> Any:
        if more["idempotency_key"] == f"again-{bad}":
            raise TripsError("a proxy answered")
        return await start(client, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(PrefectClient, "create_flow_run_from_deployment", refuse_first)
        assert tidy().startswith("a proxy answered")
    assert (state_of(bad).is_running(), state_of(good).is_crashed()) == (True, True)
    assert len(marked("goes on")) == 2
    assert tidy().startswith("1 lost, 1 started again")


def test_a_lost_run_that_is_deleted_meanwhile_is_not_started_again(
    gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it keep others from it."""
    runs = {running(gone, mark): mark for mark in ("one to delete", "the other")}
    settle, deleted = orphaned_runs.settle, list[UUID]()

    async def delete_the_other(client: PrefectClient, run: FlowRun, why: str) -> bool:
        if not deleted:
            deleted.extend(runs.keys() - {run.id})
            await client.delete_flow_run(deleted[0])
        return await settle(client, run, why)

    monkeypatch.setattr(tidy_runs, "settle", delete_the_other)
    assert tidy().startswith("1 lost, 1 started again")
    assert marked(runs[deleted[0]]) == []


def test_a_lost_run_that_is_deleted_as_it_is_settled_does_not_end_the_tidying(
    gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = running(gone, "deleted"), running(gone, "kept")
    settle = orphaned_runs.settle

    async def delete(client: PrefectClient, run: FlowRun, why: str) -> bool:
        if run.id == bad:
            await client.delete_flow_run(bad)
        return await settle(client, run, why)

    monkeypatch.setattr(tidy_runs, "settle", delete)
    assert tidy().startswith("1 lost, 1 started again")
    assert state_of(good).is_crashed()
    assert len(marked("kept")) == 2


@pytest.mark.parametrize("status", [400, 422])
def test_a_run_whose_parameters_are_refused_is_not_started_again(
    gone: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be refused by every tidying."""
    run = running(gone, f"refused {status}")

    async def refuse(*_: Any, **__: Any) -> None:
        request = httpx.Request("POST", "http://server/api/create_flow_run")
        PrefectResponse(status, json={"detail": "no"}, request=request).raise_for_status()

    with monkeypatch.context() as patch:
        patch.setattr(PrefectClient, "create_flow_run_from_deployment", refuse)
        assert tidy() == "1 lost, 0 started again, 0 containers removed"
    assert state_of(run).is_crashed()


def test_all_pages_of_runs_are_read(gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {running(gone, "many") for _ in range(5)}
    monkeypatch.setattr(orphaned_runs, "_PAGE", 2)

    async def begun(client: PrefectClient) -> set[UUID]:
        return {run.id async for run in orphaned_runs.begun_runs(client)}

    found = ask(begun)
    for run in runs:
        ask(lambda client, of=run: client.set_flow_run_state(of, Completed(), force=True))  # type: ignore[misc] # a lambda's default
    assert runs <= found


class _Engine(BaseHTTPRequestHandler):
    """The part of a container engine that tidying uses; it answers 501 to anything else.

    Attributes:
        containers: what the engine says about each, by its id.
        removals: statuses that it answers removals with, in order; without one, it removes.
        vanishing: ids of containers that disappear once they are listed.
    """

    containers: ClassVar[dict[str, dict[str, Any]]] = {}
    removals: ClassVar[list[int]] = []
    vanishing: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path.endswith(("/version", "/_ping")):
            self._answer(200, {"ApiVersion": "1.44"})
        elif path.endswith("/containers/json"):
            self._answer(200, [{"Id": identity} for identity in self._listed(parse_qs(query))])
        elif path.endswith("/json") and "/containers/" in path:
            identity = path.split("/")[-2]
            found = self.containers.get(identity) if identity not in self.vanishing else None
            self._answer(*((200, found) if found else _absent(identity)))
        else:
            self._answer(501, {"message": f"not in this engine: {path}"})

    def _listed(self, query: dict[str, list[str]]) -> list[str]:
        assert query["all"] == ["1"]
        (states,) = json.loads(query["filters"][0]).values()
        return [each for each, its in self.containers.items() if its["State"]["Status"] in states]

    def do_DELETE(self) -> None:
        status = self.removals.pop(0) if self.removals else 204
        identity = self.path.partition("?")[0].split("/")[-1]
        if status == 204:
            del self.containers[identity]
        self._answer(status, {"message": f"removal of container {identity} is in progress"})

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, status: int, said: object) -> None:
        body = json.dumps(said).encode() if status != 204 else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _absent(identity: str) -> tuple[int, dict[str, str]]:
    return 404, {"message": f"No such container: {identity}"}


AGENTS = "prefect.io/flow-run-id"
WORKERS = "io.prefect.flow-run-id"


def container_of(
    identity: str, run: object, status: str = "exited", ended: str = "2020-01-01", by: str = AGENTS
) -> None:
    """Put a container into the engine, of a run that an agent or a worker started."""
    _Engine.containers[identity] = {
        "Id": identity,
        "Name": f"/{identity}",
        "State": {"Status": status, "FinishedAt": f"{ended[:10]}T{ended[11:] or '00:00:00'}.0Z"},
        "Config": {"Labels": {by: str(run)} if run else {}},
    }


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run an engine without containers; return what Prefect records of it."""
    _Engine.containers.clear()
    _Engine.removals.clear()
    _Engine.vanishing.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Engine) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        address = f"127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{address}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield f"http://{address}"
        server.shutdown()
        thread.join()


@pytest.fixture
def ended(engine: str) -> UUID:
    """Return a run that ended."""
    run = running("elsewhere:1", "contained")
    ask(lambda client: client.set_flow_run_state(run, Completed(), force=True))
    return run


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("exited", "container any has exited"),
        ("dead", "container any has exited"),
        ("running", None),
        ("paused", None),
        ("", "nothing was heard of it"),  # another engine may have it
    ],
)
def test_a_run_lives_as_long_as_its_container(engine: str, status: str, why: str | None) -> None:
    """A container of this machine's engine counts, even if its run logs nothing."""
    if status:
        container_of("any", "", status)
    run = running(f"{engine}:any", "in-container")
    said = ask(lambda client: found_lost(client, run, dt.timedelta()))
    ask(lambda client: client.set_flow_run_state(run, Completed(), force=True))
    assert said.startswith(why) if said and why else said is why


async def found_lost(client: PrefectClient, run: UUID, silent: dt.timedelta) -> str | None:
    return await why_lost(client, await client.read_flow_run(run), silent)


@pytest.mark.parametrize(
    ("removals", "said"),
    [([204, 204], "2 containers removed"), ([409, 204], "1 containers removed")],
)
def test_containers_that_another_run_removes_are_not_a_failure(
    ended: UUID, removals: list[int], said: str
) -> None:
    """Two such runs overlap: the other asked first, and the engine is removing the container."""
    for identity in ("one", "two", "three"):
        container_of(identity, ended)
    _Engine.vanishing.add("two")
    _Engine.removals[:] = removals
    assert tidy().endswith(f", {said}")
    assert _Engine.removals == []


def test_a_container_that_cannot_be_removed_fails_the_run(ended: UUID) -> None:
    """Any other response fails the run."""
    container_of("one", ended)
    _Engine.removals[:] = [500]
    assert "500 Server Error" in tidy()


def test_only_containers_of_runs_that_ended_are_removed(ended: UUID) -> None:
    """Those of other servers, of other programs, and of runs that go on stay."""
    alive = running(f"{platform.node()}:{os.getpid()}", "has-a-container")
    container_of("of-agent", ended)
    container_of("of-worker", ended, by=WORKERS)
    container_of("of-another-server", uuid4())
    container_of("of-another-program", "")
    container_of("resumed-elsewhere", alive)
    container_of("goes-on", ended, status="running")
    state = tidied()
    ask(lambda client: client.set_flow_run_state(alive, Completed(), force=True))
    assert (state.name, state.message) == (
        "Completed",
        "0 lost, 0 started again, 2 containers removed",
    )
    assert sorted(_Engine.containers) == [
        "goes-on",
        "of-another-program",
        "of-another-server",
        "resumed-elsewhere",
    ]


def test_a_container_stays_for_some_hours(ended: UUID) -> None:
    """Until then, `docker logs` shows its output."""
    ago = dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=2)
    container_of("one", ended, ended=ago.isoformat(" ")[:19])
    state = tidied(keep_hours=3)
    assert (state.name, state.message) == (
        "Skipped",
        "0 lost, 0 started again, 0 containers removed",
    )
    assert tidy(keep_hours=1).endswith(" 1 containers removed")
