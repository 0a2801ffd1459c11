"""Run a flow from a deployment by Prefect's agent, in this process: its command takes seconds.

The run itself is a separate process, as with any agent.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow, get_client
from prefect.agent import PrefectAgent
from prefect.client.schemas.objects import FlowRun
from prefect.deployments.deployments import Deployment, run_deployment

PROJECT = Path(__file__).absolute().parents[2]


def run_by_agent(
    flow: Flow[..., Any], file: str, parameters: dict[str, Any], environment: dict[str, str]
) -> FlowRun:
    """Deploy a flow, start a run and an agent for it; return the run when it has ended.

    Args:
        flow: name of the flow.
        file: its file in `flows/`.
        parameters: parameters of the run.
        environment: environment of the agent, which the run inherits.
    """
    queue = f"queue-of-{flow.name}"
    deployment: Any = Deployment.build_from_flow(
        flow=flow,
        name="test",
        work_queue_name=queue,
        path=str(PROJECT),
        entrypoint=f"flows/{file}:{flow.fn.__name__}",
        skip_upload=True,
    )
    deployment.apply()
    return started_and_ended(f"{flow.name}/test", parameters, queue, environment)


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
        asyncio.run(_take(queue))
    return asyncio.run(_read(started.id))


async def _take(queue: str) -> None:
    """Do what `prefect agent start --run-once` does."""
    agent: Any = PrefectAgent(work_pool_name="default-agent-pool", work_queues=[queue])
    async with agent:  # until the runs that it has taken have ended
        await agent.get_and_submit_flow_runs()


async def _read(run_id: Any) -> FlowRun:
    async with get_client() as client:
        run: FlowRun = await client.read_flow_run(run_id)
        return run
