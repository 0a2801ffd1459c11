"""Who is told when a run fails or crashes: the block that blocks/make_notification.py saves.

The run itself tells, so it needs no server; a run that is killed can tell nobody, of which the
server does (see that script).
"""

from __future__ import annotations

from typing import Any

from prefect import Flow, get_client
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun, State
from prefect.settings import PREFECT_UI_URL

from orchestration import flow_results, run_log

#: One or none of them is saved.
BLOCKS = ("slack-webhook/zoom-notify", "custom-webhook/zoom-notify")


async def tell(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Tell of a failed or crashed run; Prefect calls it by these names.

    Of a month that failed its parent tells, with all that failed.
    """
    if flow_run.parent_task_run_id:
        return
    for name in BLOCKS:
        try:
            block: Any = await Block.load(name)
        except ValueError:  # how Prefect says that none of this name is saved
            continue
        subject = f"{flow.name} {await _name(flow_run)}: {state.name}"
        await block.notify("\n".join(filter(None, (state.message, _page(flow_run)))), subject)


async def _name(flow_run: FlowRun) -> str:
    """The name that the run was given by its parameters; a crash still has the one before."""
    async with get_client() as client:
        return str((await client.read_flow_run(flow_run.id)).name)


def _page(flow_run: FlowRun) -> str:
    ui = PREFECT_UI_URL.value()
    return f"{ui.rstrip('/')}/flow-runs/flow-run/{flow_run.id}" if ui else ""


run_log.install()  # here, as every flow imports this module
flow_results.install()

#: For each flow.
NOTICES: dict[str, Any] = {"on_failure": [tell], "on_crashed": [tell]}
