"""Run a flow from a deployment by Prefect's agent, in this process: its command takes seconds.

As with any agent, the run itself is a separate process, but a fork (see `fakes.preloaded`). Run as
a command, this file is `prefect agent start` for a queue, and forks its runs too:

python -m fakes.agent QUEUE
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest
from prefect import Flow, get_client
from prefect.agent import PrefectAgent
from prefect.client.schemas.objects import FlowRun
from prefect.deployments.deployments import Deployment, run_deployment
from prefect.infrastructure import process

from fakes import preloaded

PROJECT = Path(__file__).absolute().parents[2]


def run_by_agent(
    flow: Flow[..., Any], file: str, parameters: dict[str, Any], environment: dict[str, str]
) -> FlowRun:
    """Deploy a flow, start a run and an agent for it; return the run when it has ended.

    Args:
        flow: the flow.
        file: its file in `flows/`.
        parameters: parameters of the run.
        environment: environment of the agent, which the run inherits.
    """
    queue = f"queue-of-{flow.name}"
    deployment: Any = Deployment.build_from_flow(
        flow=flow,
        name="test",
        work_queue_name=queue,
        path=str(_project()),
        entrypoint=f"flows/{file}:{flow.fn.__name__}",
        skip_upload=True,
    )
    deployment.apply()
    return started_and_ended(f"{flow.name}/test", parameters, queue, environment)


@cache
def _project() -> Path:
    """Return a copy of the flows for the session.

    The agent copies the folder of a deployment, and fails if a file in it vanishes meanwhile.
    """
    folder = Path(tempfile.mkdtemp(prefix="project-"))
    atexit.register(shutil.rmtree, folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "flows", folder / "flows", ignore=ignored)
    shutil.copy2(PROJECT / ".prefectignore", folder)
    return folder


def started_and_ended(
    deployment: str, parameters: Mapping[str, Any], queue: str, environment: Mapping[str, str]
) -> FlowRun:
    """Start a run of a deployment, and have an agent take it; return it when it has ended.

    Args:
        deployment: such as etl-web-to-gcs/local-flow.
        parameters: parameters of the run.
        queue: queue of the deployment.
        environment: environment of the agent, which the run inherits.
    """
    started: Any = run_deployment(deployment, parameters=dict(parameters), timeout=0)
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - environment.keys():
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(process, "run_process", _run_process)
        asyncio.run(_take(queue))
    return asyncio.run(_read(started.id))


async def _take(queue: str) -> None:
    """Do what `prefect agent start --run-once` does."""
    agent: Any = PrefectAgent(work_pool_name="default-agent-pool", work_queues=[queue])
    async with agent:  # until the runs that it has taken have ended
        await agent.get_and_submit_flow_runs()


async def _run_process(
    command: list[str],
    stream_output: bool,
    task_status: anyio.abc.TaskStatus[Any],
    task_status_handler: Callable[[Any], Any],
    env: Mapping[str, str],
    cwd: str,
) -> preloaded.Process:
    """Do what Prefect's `run_process` does, in a fork."""
    started = preloaded.start(command, env, cwd=Path(cwd), stdout=1, stderr=2)
    task_status.started(task_status_handler(started))
    await anyio.to_thread.run_sync(started.wait)
    return started


_QUEUES: Any = PrefectAgent.get_work_queues


async def known_queues(agent: PrefectAgent) -> AsyncIterator[Any]:
    """Yield the queue of an agent, once it is known.

    Every 30 s, while another loop of the agent reads the queue, Prefect's own method yields none.
    An agent without queues takes the runs of all of them, even those that a test wants left alone.
    """
    while not (found := [queue async for queue in _QUEUES(agent)]):
        await anyio.sleep(0.01)
    for queue in found:
        yield queue


def _main() -> None:
    from prefect.cli.root import app

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "run_process", _run_process)
        patch.setattr(PrefectAgent, "get_work_queues", known_queues)
        app(["agent", "start", "-p", "default-agent-pool", "-q", sys.argv[1]])


async def _read(run_id: Any) -> FlowRun:
    async with get_client() as client:
        run: FlowRun = await client.read_flow_run(run_id)
        return run


if __name__ == "__main__":
    _main()
