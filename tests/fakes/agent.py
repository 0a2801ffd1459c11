"""Run a flow from a deployment by the project's agent, with Prefect's own commands."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from prefect import Flow, get_client
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
    started: Any = run_deployment(f"{flow.name}/test", parameters=parameters, timeout=0)
    prefect = str(Path(sys.executable).with_name("prefect"))
    command = [prefect, "agent", "start", "-p", "default-agent-pool", "--run-once", "-q", queue]
    agent = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert agent.returncode == 0, agent.stderr
    return asyncio.run(_read(started.id))


async def _read(run_id: Any) -> FlowRun:
    async with get_client() as client:
        run: FlowRun = await client.read_flow_run(run_id)
        return run
