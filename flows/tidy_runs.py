"""Cleanup of lost runs: report those whose process or container is gone, and restart them.

python flows/tidy_runs.py
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.runtime import flow_run
from prefect.states import Completed

from core.errors import TripsError, UsageError
from orchestration import cli
from orchestration.flow_results import plain_failures
from orchestration.notifications import NOTICES
from orchestration.orphaned_runs import begun_runs, remove_containers, settle, why_lost
from orchestration.parameter_types import AtLeastNone, AtLeastOne


@dataclass(frozen=True)
class Tidied:
    """The result of a run.

    Attributes:
        lost: runs that nothing was running any more.
        started_again: those of them that were started again.
        containers_removed: containers of ended runs.
    """

    lost: int
    started_again: int
    containers_removed: int


@flow(name="tidy-runs", flow_run_name="tidy runs", **NOTICES)
@plain_failures
def tidy_runs(silent_minutes: AtLeastOne = 120, keep_hours: AtLeastNone = 24) -> State[Tidied]:
    """Find runs that were killed together with their agent, and restart them on another agent.

    Such a run would stay Running forever, as nothing is left to report its end. This flow reports
    it as Crashed and starts it again, once; a run that was being cancelled becomes Cancelled.
    Child runs of ended parents become Lost, a kind of Crashed that sends no notification.
    Containers of ended runs are removed after keep_hours; until then, docker logs shows their
    output.

    Args:
        silent_minutes: Minutes without a sign of life after which a run on another machine is
            lost. On this machine the flow checks the run's process or container instead.
        keep_hours: Hours to keep the container of an ended run.
    """
    bounds = (("silent_minutes", silent_minutes, 1), ("keep_hours", keep_hours, 0))
    for name, value, least in bounds:
        if value < least:  # every run elsewhere would count as lost and be started a second time
            raise UsageError(f"{name} {value} is too short; write {least} or more")
    done = asyncio.run(_tidy(dt.timedelta(minutes=silent_minutes), dt.timedelta(hours=keep_hours)))
    name = "Completed" if done.lost or done.containers_removed else "Skipped"
    return Completed(name=name, message=shown(done), data=done)


async def _tidy(silent: dt.timedelta, keep: dt.timedelta) -> Tidied:
    again, failed = list[bool](), list[Exception]()
    tried, before = {UUID(flow_run.id)}, 0
    async with get_client() as client:
        while before < len(tried):  # repeat, to find the children of those runs
            before = len(tried)
            async for run in begun_runs(client):
                if run.id not in tried and (why := await why_lost(client, run, silent)):
                    tried.add(run.id)
                    try:
                        again += await _settled(client, run, why)
                    except (TripsError, PrefectHTTPStatusError) as error:
                        failed.append(error)
        done = Tidied(len(again), sum(again), await remove_containers(client, keep))
    if failed:
        raise failed[0]
    return done


async def _settled(client: PrefectClient, run: FlowRun, why: str) -> list[bool]:
    """Settle a lost run; return whether it was started again, or nothing if it was deleted."""
    logger = get_run_logger()
    logger.warning("%s is lost: %s", run.name, why)
    try:
        return [await settle(client, run, why)]
    except ObjectNotFound:
        logger.warning("%s was deleted meanwhile", run.name)
        return []
    except (TripsError, PrefectHTTPStatusError) as error:
        logger.error("%s could not be started again: %s", run.name, error)
        raise


def shown(done: Any) -> str:
    """Return the result as one line of text."""
    return (
        f"{done.lost} lost, {done.started_again} started again, "
        f"{done.containers_removed} containers removed"
    )


def record(done: Any) -> Mapping[str, Any]:
    """Return the result as fields of a JSON object."""
    return asdict(done)


if __name__ == "__main__":
    cli.run(tidy_runs, shown, record=record)
