"""Runs of months that nobody reports any more: all was stopped, or their Dask worker was lost."""

from __future__ import annotations

from typing import Any

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import State
from prefect.states import Crashed
from prefect.utilities.asyncutils import sync_compatible


@sync_compatible
async def report_crashed(months: dict[str, Any]) -> None:
    """Report what is still running or pending as crashed.

    Args:
        months: which flow runs, as Prefect's API filters them.
    """
    left = {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}
    async with get_client() as client:
        for run in await client.read_flow_runs(flow_run_filter=FlowRunFilter(**months | left)):
            crashed: State[Any] = Crashed(
                message="It was stopped, or its Dask worker was lost: "
                "another worker or the next run completes the month."
            )
            await client.set_flow_run_state(run.id, crashed, force=True)
