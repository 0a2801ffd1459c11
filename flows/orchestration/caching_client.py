"""A client of Prefect's API that does not ask for what it already knows.

Prefect's engine creates each run under a generated name, reads it again once it has started, and
then renames it. It also looks up the flow of each child run. Skipping this saves 20 of the 53
requests that a month of a parent run would send.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

import prefect
from prefect import engine
from prefect.client import orchestration
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.context import FlowRunContext

R = TypeVar("R", FlowRun, TaskRun)

#: Prefix of the Prefect releases that this file was written for.
PREFECT = "2.20."
#: Hosts of APIs on this machine; the first is the API within the process.
_LOCAL = ("ephemeral-prefect", "127.0.0.1", "localhost", "::1")


class CachingClient(PrefectClient):
    """A client of one parent run that remembers flows and the runs it created.

    It forgets a run as soon as the engine has read it, so it never returns an outdated state.
    """

    def __init__(self, *api: Any, **settings: Any) -> None:
        super().__init__(*api, **settings)
        self._remember_nothing()
        if self.api_url.host in _LOCAL:  # compressing takes longer than sending
            self._client.headers["Accept-Encoding"] = "identity"

    @classmethod
    def of(cls, client: PrefectClient) -> CachingClient:
        """Return a client that shares the connections of another one, which closes them."""
        made = cls.__new__(cls)
        vars(made).update(vars(client))
        made._remember_nothing()
        return made

    def _remember_nothing(self) -> None:
        self._flow_ids: dict[str, UUID] = {}
        self._run_names: dict[UUID, str] = {}
        self._new_runs: dict[UUID, Any] = {}
        self._started_runs: dict[UUID, Any] = {}

    async def create_flow_from_name(self, flow_name: str) -> UUID:
        """Return the ID of a flow, creating the flow unless this client already has."""
        if flow_name not in self._flow_ids:
            self._flow_ids[flow_name] = await super().create_flow_from_name(flow_name)
        return self._flow_ids[flow_name]

    async def create_flow_run(self, flow: Any, *given: Any, **more: Any) -> FlowRun:
        """Create a flow run under its final name, if its parameters determine it."""
        if not given and not more.get("name"):
            more["name"] = formatted(flow.flow_run_name, more.get("parameters") or {})
        return self._created_as(await super().create_flow_run(flow, *given, **more))

    async def create_task_run(self, *given: Any, **more: Any) -> TaskRun:
        """Create a task run, and remember it until the engine has read it."""
        run = await super().create_task_run(*given, **more)
        # A task run without a name stands for a child run, and is never read.
        return self._created_as(run) if more.get("name") else run

    async def set_flow_run_state(
        self, flow_run_id: UUID, state: State[Any], force: bool = False
    ) -> OrchestrationResult:
        """Set a flow run's state, and remember a run that has started."""
        result = await super().set_flow_run_state(flow_run_id, state, force)
        self._note(flow_run_id, state, result, {})
        return result

    async def set_task_run_state(
        self, task_run_id: UUID, state: State[Any], force: bool = False
    ) -> OrchestrationResult:
        """Set a task run's state, and remember a run that has started."""
        result = await super().set_task_run_state(task_run_id, state, force)
        flow_run = getattr(FlowRunContext.get(), "flow_run", None)
        if flow_run is None:  # on a worker of Dask, for example
            self._forget(task_run_id)
        else:
            self._note(task_run_id, state, result, {"flow_run_run_count": flow_run.run_count})
        return result

    async def read_flow_run(self, flow_run_id: UUID) -> FlowRun:
        """Return a flow run; from memory, once, if it has just started."""
        return self._started_runs.pop(flow_run_id, None) or await super().read_flow_run(flow_run_id)

    async def read_task_run(self, task_run_id: UUID) -> TaskRun:
        """Return a task run; from memory, once, if it has just started."""
        return self._started_runs.pop(task_run_id, None) or await super().read_task_run(task_run_id)

    async def update_flow_run(self, flow_run_id: UUID, *given: Any, **more: Any) -> Any:
        """Update a flow run, unless that would only set the name it has."""
        known = not given and more == {"name": self._run_names.pop(flow_run_id, None)}
        return None if known else await super().update_flow_run(flow_run_id, *given, **more)

    async def set_task_run_name(self, task_run_id: UUID, name: str) -> Any:
        """Rename a task run, unless it already has the name."""
        known = name == self._run_names.pop(task_run_id, None)
        return None if known else await super().set_task_run_name(task_run_id, name)

    def _created_as(self, run: R) -> R:
        """Remember a run if it is new; for a known key, the API returns an existing run."""
        if run.state and run.state.is_pending() and not run.run_count:
            self._new_runs[run.id] = run
            self._run_names[run.id] = run.name
        return run

    def _note(
        self,
        run_id: UUID,
        proposed: State[Any],
        result: OrchestrationResult,
        more: Mapping[str, Any],
    ) -> None:
        """Remember a run as the API describes it after its start, or forget it."""
        run, state = self._new_runs.pop(run_id, None), result.state
        if run and proposed.is_running() and result.status == SetStateStatus.ACCEPT and state:
            self._started_runs[run_id] = run.copy(update={**_after_start(state), **more})
        else:
            self._forget(run_id)

    def _forget(self, run_id: UUID) -> None:
        for known in (self._new_runs, self._started_runs, self._run_names):
            known.pop(run_id, None)


def _after_start(state: State[Any]) -> dict[str, Any]:
    """Return what the start of a run changes; see prefect/server/orchestration/global_policy.py."""
    return {
        "state": state,
        "state_id": state.id,
        "state_type": state.type,
        "state_name": state.name,
        "start_time": state.timestamp,
        "run_count": 1,
    }


def formatted(name: object, parameters: Mapping[str, Any]) -> str | None:
    """Return the name of a run, or None if it is not known before the run starts."""
    if not isinstance(name, str):
        return None
    try:
        return name.format(**parameters)
    except (AttributeError, LookupError, TypeError, ValueError):
        # A parameter is the future of another task. The engine formats the name once it resolves.
        return None


_create_task_run = engine.create_task_run


async def create_named_task_run(task: Any, name: str, parameters: Any, **more: Any) -> TaskRun:
    """Create a task run under its final name, where Prefect would rename it as it starts."""
    final = formatted(task.task_run_name, parameters) or name
    return await _create_task_run(task=task, name=final, parameters=parameters, **more)


def use_caching_client() -> None:
    """Make runs of this process use the client, unless Prefect is another release."""
    if prefect.__version__.startswith(PREFECT):
        orchestration.PrefectClient = CachingClient  # type: ignore[misc] # a subclass of it
        engine.create_task_run = create_named_task_run  # type: ignore[assignment] # wraps it


def use_caching_client_below() -> None:
    """Make child runs of the current run use the client.

    Those of a command's run already do. An agent starts a run with Prefect's client before it
    loads the flow.
    """
    use_caching_client()
    run = FlowRunContext.get()
    if run and type(run.client) is PrefectClient and orchestration.PrefectClient is CachingClient:
        run.client = CachingClient.of(run.client)
