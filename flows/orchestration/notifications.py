"""Notifications of failed runs and of corrections, by the block of blocks/make_notification.py.

The run itself sends them, so they need no server. A run that is killed cannot send any; the
server does that (see that script).
"""

from __future__ import annotations

from typing import Any

from prefect import Flow, get_client
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger
from prefect.settings import PREFECT_UI_URL

from core.download.secrets import known_values
from core.errors import StillHeld
from core.redaction import redacted
from monthly.history import change_text
from monthly.result import MonthResult
from orchestration import flow_results, json_log, run_log
from orchestration.parent_runs import has_parent
from orchestration.secret_values import remember_block

#: At most one of them is saved.
BLOCKS = ("slack-webhook/zoom-notify", "custom-webhook/zoom-notify")


async def tell(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Notify of a failed or crashed run; Prefect passes the arguments by these names.

    Child runs send nothing, in any process: their parent reports all failed months together.
    Months that an earlier run held are not reported again.
    """
    if not has_parent(flow_run) and await _is_news(state):
        await _notify(flow, flow_run, state.name or "", state.message or "")


async def tell_corrected(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Notify of published months that corrected files replaced, all in one message.

    Child runs send nothing, in any process.
    """
    if has_parent(flow_run):
        return
    ended: Any = state  # its overloads leave out that it is a coroutine here
    result = await ended.result(raise_on_failure=False, fetch=True)
    lines = [line for line in _lines(result) if line.is_corrected]
    if lines:
        what = "1 month corrected" if len(lines) == 1 else f"{len(lines)} months corrected"
        await _notify(flow, flow_run, what, "\n".join(map(_corrected, lines)))


def _lines(result: object) -> list[MonthResult]:
    lines = result if isinstance(result, list) else [result]
    return [line for line in lines if isinstance(line, MonthResult)]


def _corrected(line: MonthResult) -> str:
    assert line.revision is not None  # noqa: S101 - the month was corrected
    kept = f"edition {line.kept_edition} kept" if line.kept_edition else "no edition kept"
    return f"{line.month}: {line.revision.reason}: {change_text(line.revision)}; {kept}"


async def _notify(flow: Flow[..., Any], flow_run: FlowRun, what: str, text: str) -> None:
    for name in BLOCKS:
        try:
            block: Any = await Block.load(name)
        except ValueError:  # Prefect raises it if no such block is saved
            continue
        remember_block(block)  # an error of its client shows the address, which is a secret
        subject = f"{flow.name} {await _name(flow_run)}: {what}"
        try:
            await block.notify("\n".join(filter(None, (text, _page(flow_run)))), subject)
        except Exception as error:  # whatever a client raises, the state of the run stays
            said = redacted(flow_results.readable(error).message, known_values())
            flow_run_logger(flow_run, flow).error("%s was not notified: %s", name, said)


async def _is_news(state: State[Any]) -> bool:
    """Return whether a run failed because of anything but months that an earlier run held."""
    if state.name != flow_results.HELD:
        return True
    ask: Any = state.result  # typed as if it never had to be awaited
    result = await ask(raise_on_failure=False, fetch=True)
    if isinstance(result, list):
        return any(line.is_news for line in result)
    return not isinstance(result, StillHeld)


async def _name(flow_run: FlowRun) -> str:
    """Return the current name of the run, set from its parameters; a crash has the initial one."""
    async with get_client() as client:
        return str((await client.read_flow_run(flow_run.id)).name)


def _page(flow_run: FlowRun) -> str:
    ui = PREFECT_UI_URL.value()
    return f"{ui.rstrip('/')}/flow-runs/flow-run/{flow_run.id}" if ui else ""


run_log.install()  # here, as every flow imports this module
flow_results.install()
json_log.install()

#: For each flow.
NOTICES: dict[str, Any] = {"on_failure": [tell], "on_crashed": [tell]}
#: For the flows that replace months.
CORRECTIONS: dict[str, Any] = NOTICES | {
    "on_completion": [tell_corrected],
    "on_failure": [tell, tell_corrected],
}
