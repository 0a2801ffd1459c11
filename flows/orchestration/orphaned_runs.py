"""Detection of orphaned runs, which Prefect lists as running, and removal of old containers.

Prefect 2 learns of the end of a run from the run itself or from the agent that started it. If
both are killed, the run stays Running forever, and so do the child runs of a container that was
killed alone.
"""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from typing import Any
from uuid import UUID

import docker
import psutil
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import LogSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Cancelled, Crashed

from orchestration.parent_runs import has_parent, lost, parent_elsewhere
from orchestration.restarts import start_again

_BEGUN = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
#: Container labels that hold the ID of its run: as agents write it, and as workers do.
_LABELS = ("prefect.io/flow-run-id", "io.prefect.flow-run-id")
_PAGE = 200
#: Seconds that this machine's clock may be ahead of the server's, which timestamps the states.
_CLOCKS_DIFFER = 60.0
#: Environment variable in which an agent passes the run ID to the process it starts.
_RUN_ID = "PREFECT__FLOW_RUN_ID"


async def begun_runs(client: PrefectClient) -> AsyncIterator[FlowRun]:
    """Yield all runs that Prefect lists as begun and not ended."""
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=_BEGUN), name=None)
    for run in await _runs(client, FlowRunFilter(state=state)):
        yield run


async def why_lost(client: PrefectClient, run: FlowRun, silent: dt.timedelta) -> str | None:
    """Return why a run is lost, or None if it may still be running.

    Args:
        client: client of Prefect's API.
        run: a run that has begun and not ended.
        silent: how long a run may be silent if its process cannot be checked.
    """
    why = await _why_gone(client, run, silent)
    # Check the state again: a run that ends reports it before its process exits.
    return why if why and await _is_begun(client, run) else None


async def settle(client: PrefectClient, run: FlowRun, why: str) -> bool:
    """Start a run again if it came from a deployment, and report it as Crashed.

    In this order: if the start failed after the report, the run would not be found again.

    A run that was being cancelled becomes Cancelled, as requested, and is not started again. A
    child run becomes Lost, so that it sends no notification besides its parent's.

    Returns:
        Whether the run was started again.
    """
    wanted = run.state is not None and run.state.is_cancelling()
    end = Cancelled if wanted else lost if has_parent(run) else Crashed
    ended: State[Any] = end(message=f"Lost: {why}.")
    again = not wanted and await start_again(client, run)
    await client.set_flow_run_state(run.id, ended, force=True)
    return again


async def remove_containers(client: PrefectClient, keep: dt.timedelta) -> int:
    """Remove the containers of runs that ended longer than `keep` ago, and return how many."""
    removed = 0
    with _engine() as engine:
        for container in _exited(engine) if engine else []:
            if await _may_go(client, container, keep):
                removed += _remove(container)
    return removed


def _exited(engine: docker.DockerClient) -> list[Container]:
    found: list[Container] = engine.containers.list(
        all=True,
        filters={"status": "exited"},
        ignore_removed=True,  # by another process, since they were listed
    )
    return found


def _remove(container: Container) -> bool:
    """Remove a container; return False if another process removed, is removing or restarted it."""
    try:
        container.remove()
    except APIError as error:
        if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            raise
        return False
    return True


def vanished(run: FlowRun) -> str | None:
    """Return what happened to a run's process or container, or None if it may be running.

    Prefect records `HOST:PID` of the process that an agent started to run the flow, or
    `ENGINE:ID` of a container.
    """
    where, _, what = (run.infrastructure_pid or "").rpartition(":")
    if where == platform.node() and what.isdecimal() and not _is_alive(int(what), run):
        return f"process {what} on {where} is gone"
    container = _container(where, what)
    if container is not None and container.status in ("exited", "dead"):
        return f"container {container.name} has exited"
    return None


def _is_here(pid: str) -> bool:
    """Return whether this machine can check the process or container."""
    where, _, what = pid.rpartition(":")
    return (where == platform.node() and what.isdecimal()) or _container(where, what) is not None


def _is_alive(number: int, run: FlowRun) -> bool:
    """Return whether the process exists and is not a later one that reuses its PID."""
    try:
        process = psutil.Process(number)
        return _began_before(process, run) or _was_told(process, run)
    except psutil.NoSuchProcess:
        return False


def _began_before(process: psutil.Process, run: FlowRun) -> bool:
    """Return whether a process began before its run was set to Running or Cancelling.

    The start of the run is not the limit: a paused run resumes in a new process. A pending run
    sets no limit, as its process may begin at any time.
    """
    if run.state is None or run.state.is_pending():
        return True
    began: float = process.create_time()
    running: float = run.state.timestamp.timestamp()
    return began <= running + _CLOCKS_DIFFER


def _was_told(process: psutil.Process, run: FlowRun) -> bool:
    """Return whether an agent started the process for this run, regardless of clock differences."""
    try:
        told: str | None = process.environ().get(_RUN_ID)
    except psutil.AccessDenied:  # a process of another user
        return False
    return told == str(run.id)


def _container(engine: str, identity: str) -> Container | None:
    """Return the container if this machine's engine has it; all engines have the same address."""
    if not engine.startswith(("http", "unix", "npipe")):
        return None
    with _engine() as client, suppress(NotFound):
        return client.containers.get(identity) if client else None
    return None


@contextmanager
def _engine() -> Iterator[docker.DockerClient | None]:
    """Yield the engine in DOCKER_HOST, or else this machine's; None if none answers."""
    try:
        client = docker.from_env(timeout=10)
        client.ping()
    except DockerException:
        yield None
        return
    with closing(client):
        yield client


def _run_of(container: Container) -> str:
    return next((container.labels[label] for label in _LABELS if label in container.labels), "")


def _ended_at(container: Container) -> dt.datetime:
    text: str = container.attrs["State"]["FinishedAt"]  # in nanoseconds, which Python 3.10 rejects
    return dt.datetime.fromisoformat(text[:19]).replace(tzinfo=dt.timezone.utc)


async def _may_go(client: PrefectClient, container: Container, keep: dt.timedelta) -> bool:
    """Return whether this server knows the container's run, which ended more than `keep` ago."""
    run = _run_of(container)
    if not run or _ended_at(container) + keep > dt.datetime.now(dt.timezone.utc):
        return False
    found = await _runs(client, FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run)])))
    return any(run.state is not None and run.state.is_final() for run in found)


async def _why_gone(client: PrefectClient, run: FlowRun, silent: dt.timedelta) -> str | None:
    if run.deployment_id is None:
        return await _parents_end(client, run, silent)
    if why := vanished(run):
        return why
    if _is_here(run.infrastructure_pid or ""):
        return None
    return await _silence(client, run, silent)


async def _silence(client: PrefectClient, run: FlowRun, silent: dt.timedelta) -> str | None:
    last = await _last_sign(client, run)
    if dt.datetime.now(dt.timezone.utc) - last > silent:
        return f"nothing was heard of it since {last:%Y-%m-%d %H:%M} UTC"
    return None


async def _is_begun(client: PrefectClient, run: FlowRun) -> bool:
    now = await _runs(client, FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
    return any(found.state is not None and found.state.type in _BEGUN for found in now)


async def _parents_end(client: PrefectClient, run: FlowRun, silent: dt.timedelta) -> str | None:
    elsewhere = parent_elsewhere(run)
    try:
        parent_id = elsewhere or await _parent_here(client, run)
    except PrefectHTTPStatusError as error:
        if error.response.status_code != HTTPStatus.NOT_FOUND:
            raise
        return "its parent run was deleted"
    if parent_id is None:
        return None  # started by hand, so somebody is watching it
    why = await _why_over(client, parent_id)
    if why and elsewhere and not await _silence(client, run, silent):
        return None  # a Dask worker may outlive the process that gave it the month
    return why


async def _why_over(client: PrefectClient, parent_id: UUID) -> str | None:
    try:
        parent = await client.read_flow_run(parent_id)
    except ObjectNotFound:
        return "its parent run was deleted"
    over = parent.state is not None and parent.state.is_final()
    return f"its parent run {parent.name} has ended" if over else None


async def _parent_here(client: PrefectClient, run: FlowRun) -> UUID | None:
    if run.parent_task_run_id is None:
        return None
    parent_id: UUID | None = (await client.read_task_run(run.parent_task_run_id)).flow_run_id
    return parent_id


async def _last_sign(client: PrefectClient, run: FlowRun) -> dt.datetime:
    """Return when a run or one of its descendants last changed its state or logged a line."""
    family = await _family(client, run)
    filters = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[member.id for member in family]))
    logs = await client.read_logs(filters, limit=1, sort=LogSort.TIMESTAMP_DESC)
    states = [member.state.timestamp for member in family if member.state]
    last: dt.datetime = max([*states, *(log.timestamp for log in logs)])
    return last


async def _family(client: PrefectClient, run: FlowRun) -> Sequence[FlowRun]:
    of_it = FlowRunFilterParentFlowRunId(any_=[run.id])
    children = await _runs(client, FlowRunFilter(parent_flow_run_id=of_it))
    return [run, *[member for child in children for member in await _family(client, child)]]


async def _runs(client: PrefectClient, wanted: FlowRunFilter) -> list[FlowRun]:
    found: list[FlowRun] = []
    while True:
        page = await client.read_flow_runs(flow_run_filter=wanted, limit=_PAGE, offset=len(found))
        found += page
        if len(page) < _PAGE:
            return found
