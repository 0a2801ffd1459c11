"""Notifications of failed and crashed runs, through the block of blocks/make_notification.py.

The run itself sends them, so they need no server. A run that is killed cannot send any; the
server does that (see that script).
"""

from __future__ import annotations

from typing import Any

from prefect import Flow, get_client
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun, State
from prefect.settings import PREFECT_UI_URL

from orchestration import flow_results, run_log

#: At most one of them is saved.
BLOCKS = ("slack-webhook/zoom-notify", "custom-webhook/zoom-notify")


async def tell(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Notify of a failed or crashed run; Prefect passes the arguments by these names.

    Child runs send nothing: their parent reports all failed months together.
    """
    if flow_run.parent_task_run_id:
        return
    for name in BLOCKS:
        try:
            block: Any = await Block.load(name)
        except ValueError:  # Prefect raises it if no such block is saved
            continue
        subject = f"{flow.name} {await _name(flow_run)}: {state.name}"
        await block.notify("\n".join(filter(None, (state.message, _page(flow_run)))), subject)


async def _name(flow_run: FlowRun) -> str:
    """Return the current name of the run, set from its parameters; a crash has the initial one."""
    async with get_client() as client:
        return str((await client.read_flow_run(flow_run.id)).name)


def _page(flow_run: FlowRun) -> str:
    ui = PREFECT_UI_URL.value()
    return f"{ui.rstrip('/')}/flow-runs/flow-run/{flow_run.id}" if ui else ""


run_log.install()  # here, as every flow imports this module
flow_results.install()

#: For each flow.
NOTICES: dict[str, Any] = {"on_failure": [tell], "on_crashed": [tell]}
