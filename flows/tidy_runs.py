"""Cleanup of lost runs: report those whose process or container is gone, and restart them.

python flows/tidy_runs.py
"""

from __future__ import annotations

import asyncio
import datetime as dt

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from orchestration import cli
from orchestration.flow_results import plain_failures
from orchestration.notifications import NOTICES
from orchestration.orphaned_runs import begun_runs, remove_containers, settle, why_lost
from orchestration.parameter_types import AtLeastNone, AtLeastOne


@flow(name="tidy-runs", flow_run_name="tidy runs", **NOTICES)
@plain_failures
def tidy_runs(silent_minutes: AtLeastOne = 120, keep_hours: AtLeastNone = 24) -> State[None]:
    """Find runs that were killed together with their agent, and restart them on another agent.

    Such a run would stay Running forever, as nothing is left to report its end. This flow reports
    it as Crashed and starts it again, once; a run that was being cancelled becomes Cancelled.
    Child runs of ended parents are reported too. Containers of ended runs are removed after
    keep_hours; until then, docker logs shows their output.

    Args:
        silent_minutes: Minutes without a sign of life after which a run on another machine is
            lost. On this machine the flow checks the run's process or container instead.
        keep_hours: Hours to keep the container of an ended run.
    """
    lost, again, removed = asyncio.run(
        _tidy(dt.timedelta(minutes=silent_minutes), dt.timedelta(hours=keep_hours))
    )
    message = f"{lost} lost, {again} started again, {removed} containers removed"
    return Completed(name="Completed" if lost or removed else "Skipped", message=message)


async def _tidy(silent: dt.timedelta, keep: dt.timedelta) -> tuple[int, int, int]:
    lost = again = 0
    logger = get_run_logger()
    async with get_client() as client:
        while found := [
            (run, why)
            async for run in begun_runs(client)
            if str(run.id) != flow_run.id and (why := await why_lost(client, run, silent))
        ]:  # repeat, to find the children of those runs
            for run, why in found:
                logger.warning("%s is lost: %s", run.name, why)
                again += await settle(client, run, why)
            lost += len(found)
        return lost, again, await remove_containers(client, keep)


if __name__ == "__main__":
    cli.run(tidy_runs)
