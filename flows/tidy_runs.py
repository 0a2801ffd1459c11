"""Runs whose process or container is gone: say so, start them again, clear up after the others.

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
    """Find runs that were killed together with their agent, and have another agent finish them.

    Such a run stays Running for ever, as nobody is left to say that it ended. It is reported as
    Crashed and started again, once; one that somebody was cancelling is Cancelled. Child runs of
    ended parents are reported too. Containers of ended runs are removed after a while: until
    then, docker logs shows what they said.

    Args:
        silent_minutes: How long a run on another machine may say nothing. On this machine its
            process or container is looked for.
        keep_hours: How long the container of an ended run is kept.
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
        ]:  # once more, for the children of those
            for run, why in found:
                logger.warning("%s is lost: %s", run.name, why)
                again += await settle(client, run, why)
            lost += len(found)
        return lost, again, await remove_containers(client, keep)


if __name__ == "__main__":
    cli.run(tidy_runs)
