"""Crash reports for runs of months that cannot report: after Ctrl-C or a lost Dask worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.exceptions import ObjectNotFound
from prefect.utilities.asyncutils import sync_compatible

from orchestration.parent_runs import lost


@contextmanager
def reported_after_ctrl_c(months: dict[str, Any]) -> Iterator[None]:
    """Report months as crashed on Ctrl-C, which reaches their threads and workers too late.

    Args:
        months: filter of flow runs; see `report_crashed`.
    """
    try:
        yield
    except KeyboardInterrupt:
        report_crashed(months)  # type: ignore[unused-coroutine] # none in a sync flow
        raise


@sync_compatible
async def report_crashed(months: dict[str, Any]) -> None:
    """Report flow runs that are still running or pending as crashed.

    Args:
        months: filter of flow runs, as Prefect's API takes it.
    """
    left = {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}
    async with get_client() as client:
        for run in await client.read_flow_runs(flow_run_filter=FlowRunFilter(**months | left)):
            said = "What ran it was stopped or lost; the next run or worker completes it."
            with suppress(ObjectNotFound):  # deleted since the runs were listed
                await client.set_flow_run_state(run.id, lost(said))
