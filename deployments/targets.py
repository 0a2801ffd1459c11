"""Deployment targets: where deployments run, and the command that applies them.

Agents and their infrastructure blocks have been deprecated since March 2024 in favor of workers,
which `work_pool_deploy.py` covers; in Prefect 2 both work.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

from settings import PROJECT, SettingError, Settings, add_env_option

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import MinimalDeploymentSchedule
from prefect.deployments.deployments import Deployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL

from block_specs import no_answer, server_answers
from core.errors import TripsError, UsageError
from leftovers import still_scheduled
from lost_places import on_disk, refuse_lost_places
from orchestration.exit_codes import ExitCode
from orchestration.one_line_parser import OneLineParser
from saved_blocks import loaded, quiet, short_reference
from specs import DeploymentSpec, all_specs

#: Prefect's own name for the agents' pool, used by its UI and `prefect agent start -p`.
AGENTS = WorkPoolCreate(
    name="default-agent-pool", type="prefect-agent", description="Deployments run by agents."
)

#: A process on the agent's machine, in this folder.
BESIDE = "prefect.infrastructure.Process/zoom-local"

_NO_SERVER = (
    "PREFECT_API_URL is not set: these are in the database of this machine's PREFECT_HOME, "
    "and no agent of a server elsewhere sees them"
)


@dataclass(frozen=True)
class Target:
    """Where and how deployments run.

    Attributes:
        name: name of its deployments, such as `docker-flow`.
        queue: the agent's work queue.
        infrastructure: import path of the block class and name of the block, such as
            `...DockerContainer/zoom`.
        bucket: default block of the bucket, if .env and the environment name none.
        warehouse: default block of the warehouse, likewise.
        path: the project's folder where the flow runs; None if `storage` determines it.
        storage: block that the code comes from, written like `infrastructure`; None for `path`.
        pool: the work pool, created if it does not exist.
        in_containers: whether runs are in containers, where they cannot see other runs.
    """

    name: str
    queue: str
    infrastructure: str
    bucket: str = "local-bucket/zoom"
    warehouse: str = "duckdb-warehouse/zoom"
    path: str | None = None
    storage: str | None = None
    pool: WorkPoolCreate = field(default_factory=lambda: AGENTS)
    in_containers: bool = False


def taken_by(row: DeploymentSpec, target: Target) -> Target | None:
    """Return the target adapted to a row, or None if the row cannot run there."""
    if not (row.beside_agent and target.in_containers):
        return target
    if target.pool != AGENTS:
        return None  # a Docker worker starts only containers
    return replace(target, infrastructure=BESIDE, path=str(PROJECT))


def name_of(row: DeploymentSpec, target: Target) -> str:
    """Return the name that `prefect deployment run` takes."""
    return f"{row.loaded().name}/{target.name}{row.variant}"


def places_of(target: Target, settings: Settings) -> dict[str, str]:
    """Return the bucket and the warehouse of .env, or else of the target, by their variables.

    Raises:
        SettingError: .env names an address in place of a block.
    """
    defaults = {"TRIPS_BUCKET": target.bucket, "TRIPS_WAREHOUSE": target.warehouse}
    return {name: settings.place(name, default) for name, default in defaults.items()}


def parameters_of(row: DeploymentSpec, target: Target, settings: Settings) -> dict[str, Any]:
    """Return the non-default parameters, with the blocks of .env or else of the target.

    Raises:
        SettingError: .env names an address in place of a block.
    """
    bucket, warehouse = places_of(target, settings).values()
    places = {"bucket": bucket, "warehouse": warehouse}
    folders = {name: f"{places['bucket']}/{folder}" for name, folder in row.folders.items()}
    return {**row.parameters, **{place: places[place] for place in row.places}, **folders}


def apply(row: DeploymentSpec, target: Target, settings: Settings) -> None:
    """Create or replace the deployment, including its schedule."""
    infrastructure = loaded(target.infrastructure)
    storage = loaded(target.storage) if target.storage else None
    with quiet():
        deployment = cast(Any, Deployment).build_from_flow(
            row.loaded(),
            f"{target.name}{row.variant}",
            entrypoint=row.entrypoint(),
            path=target.path,
            infrastructure=infrastructure,
            storage=storage,
            work_pool_name=target.pool.name,
            work_queue_name=target.queue,
            parameters=parameters_of(row, target, settings),
            schedules=_schedules(row),
            tags=[row.tag],
            description=row.description(),
            enforce_parameter_schema=True,  # rejects a wrong parameter before the run starts
            load_existing=False,  # this code overrides later edits in the UI
            skip_upload=True,
            ignore_file=str(PROJECT / ".prefectignore"),
        )
        deployment.apply()


def _schedules(row: DeploymentSpec) -> list[MinimalDeploymentSchedule]:
    if row.schedule is None:
        return []
    return [MinimalDeploymentSchedule(schedule=row.schedule, active=row.active)]


async def make_pool(pool: WorkPoolCreate) -> None:
    """Create a work pool; leave an existing one unchanged."""
    async with get_client() as client:
        with suppress(ObjectAlreadyExists):
            await client.create_work_pool(pool)


def main(
    target: Target,
    arguments: Sequence[str] | None = None,
    apply_one: Callable[[DeploymentSpec, Target, Settings], None] = apply,
) -> ExitCode:
    """Run the command of a script: apply every row of the table to a target.

    Args:
        target: where the deployments run.
        arguments: command-line arguments; by default those of the process.
        apply_one: applies one row.
    """
    return deploy(target, parser().parse_args(arguments), apply_one)


def deploy(
    target: Target,
    options: argparse.Namespace,
    apply_one: Callable[[DeploymentSpec, Target, Settings], None] = apply,
    prepare: Callable[[Target], Target] = lambda target: target,
) -> ExitCode:
    """Apply every row of the table to a target, or print them with `--dry-run`.

    Args:
        target: where the deployments run.
        options: the parsed options of the command.
        apply_one: applies one row.
        prepare: called once the blocks are found and before anything is applied; returns the
            target to apply.

    Returns:
        FAILED if a block is missing or a request fails; USAGE if Prefect's server does not answer,
        or a setting or a declaration is invalid, or containers would lose what they store.
    """
    settings = Settings.read(options.env)
    try:
        described = [_described(row, found, settings) for row, found in _taken(target)]
    except (SettingError, UsageError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    if options.dry_run:
        print("\n\n".join(described))
        return ExitCode.DONE
    if not server_answers():
        return ExitCode.USAGE
    try:
        _apply_all(target, settings, apply_one, prepare)
    except (SettingError, UsageError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except (ValueError, TripsError) as error:  # a block is missing, or a proxy answers
        print(f"Error: {_one_line(error)}", file=sys.stderr)
        return ExitCode.FAILED
    except httpx.HTTPError as error:
        print(f"Error: {no_answer(_one_line(error))}", file=sys.stderr)
        return ExitCode.FAILED
    if not PREFECT_API_URL.value():
        print(_NO_SERVER, file=sys.stderr)
    return ExitCode.DONE


def _apply_all(
    target: Target,
    settings: Settings,
    apply_one: Callable[[DeploymentSpec, Target, Settings], None],
    prepare: Callable[[Target], Target],
) -> None:
    for _, found in _taken(target):  # fails before anything is created
        loaded(found.infrastructure)
    if target.in_containers:
        block = loaded(target.infrastructure)
        refuse_lost_places(block, on_disk(places_of(target, settings)), settings)
    asyncio.run(make_pool(target.pool))
    applied = []
    for row, found in _taken(prepare(target)):
        apply_one(row, found, settings)
        applied.append(name_of(row, found))
        print(f"applied {applied[-1]}")
    for name in asyncio.run(still_scheduled(target.name, applied)):
        print(
            f"{name} is still scheduled, although no declaration here says so; to remove it: "
            f"prefect deployment delete {name}"
        )


def _taken(target: Target) -> list[tuple[DeploymentSpec, Target]]:
    return [(row, found) for row in all_specs() if (found := taken_by(row, target))]


def parser() -> argparse.ArgumentParser:
    """Return the options that all scripts have."""
    about = inspect.cleandoc(sys.modules["__main__"].__doc__ or "Apply deployments.")
    found = OneLineParser(description=about.splitlines()[0])
    found.add_argument("--dry-run", action="store_true", help="print them, and apply nothing")
    add_env_option(found)
    return found


def _described(row: DeploymentSpec, target: Target, settings: Settings) -> str:
    parameters = parameters_of(row, target, settings)
    lines = [
        name_of(row, target),
        f"  flow        {row.entrypoint()}",
        f"  runs in     {short_reference(target.infrastructure)}, from {_from(target)}",
        f"  work queue  {target.pool.name}/{target.queue}",
        f"  schedule    {_schedule(row)}",
        f"  parameters  {' '.join(f'{k}={v}' for k, v in parameters.items()) or '-'}",
        f"  tag         {row.tag}",
    ]
    return "\n".join(lines)


def _schedule(row: DeploymentSpec) -> str:
    off = "" if row.active else ", off until turned on"
    return f"{row.schedule.cron} {row.schedule.timezone}{off}" if row.schedule else "-"


def _from(target: Target) -> str:
    return short_reference(target.storage) if target.storage else str(target.path)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
