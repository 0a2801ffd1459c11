"""Crash reports for the runs of months, in Prefect's database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.states import Running

from engines.mark_crashed import report_crashed

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]
TAG = "months of a stopped run"


@flow(name="a-month")
def a_month() -> None:
    """Stand for the flow of a month."""


def test_a_run_that_was_deleted_does_not_keep_others_from_being_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may go between the list of runs and its report."""
    listed = PrefectClient.read_flow_runs

    async def delete_first(client: PrefectClient, **given: Any) -> list[FlowRun]:
        found: list[FlowRun] = await listed(client, **given)
        await client.delete_flow_run(found[0].id)
        return found

    async def report() -> list[str]:
        async with get_client() as client:
            runs = [await client.create_flow_run(a_month, tags=[TAG]) for _ in range(3)]
            for run in runs:
                await client.set_flow_run_state(run.id, Running(), force=True)
            with monkeypatch.context() as patch:
                patch.setattr(PrefectClient, "read_flow_runs", delete_first)
                await report_crashed({"tags": {"all_": [TAG]}})
            kept = await client.read_flow_runs()
            ids = {run.id for run in runs}
            return [run.state.name for run in kept if run.id in ids and run.state]

    assert asyncio.run(report()) == ["Lost", "Lost"]
