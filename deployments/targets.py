"""Deployment targets: how deployments reach what runs them, and the command that applies them.

Agents and the blocks that they run are deprecated since March 2024 in favour of workers, which is
what `work_pool_deploy.py` is for; in Prefect 2 both work.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from settings import ENV_FILE, PROJECT, Settings

import httpx
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.deployments import Deployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL
from prefect.utilities.importtools import import_object

from block_specs import no_answer, server_answers
from orchestration.prefect_server import place_of_blocks
from specs import SPECS, DeploymentSpec

#: Prefect's own name for it; its pages in the UI and `prefect agent start -p` know it.
AGENTS = WorkPoolCreate(
    name="default-agent-pool", type="prefect-agent", description="Deployments run by agents."
)

#: A process of the agent's machine, in this folder.
BESIDE = "prefect.infrastructure.Process/zoom-local"

_NO_SERVER = (
    "PREFECT_API_URL is not set: these are in the database of this machine's PREFECT_HOME, "
    "and no agent of a server elsewhere sees them"
)
_SCRIPTS = {
    "DockerContainer": "make_docker_block.py",
    "GitHub": "make_github_block.py",
    "Process": "make_process_blocks.py",
}


@dataclass(frozen=True)
class Target:
    """How deployments reach the machine that runs them.

    Attributes:
        name: of its deployments, `docker-flow`.
        queue: the agent's work queue.
        infrastructure: import path of the block class, and the block, `...DockerContainer/zoom`.
        bucket: block of the bucket where .env and the environment name none.
        warehouse: the same of the warehouse.
        path: the folder of the project where the flow runs; None where the storage says it.
        storage: like `infrastructure`, where the code comes from; None for `path`.
        pool: the work pool, made if it is not there.
        in_containers: whether what it runs is in a container, where other runs cannot be seen.
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
    """The target as a row takes it; None if it cannot."""
    if not (row.beside_agent and target.in_containers):
        return target
    if target.pool != AGENTS:
        return None  # a worker of containers starts nothing else
    return replace(target, infrastructure=BESIDE, path=str(PROJECT))


def name_of(row: DeploymentSpec, target: Target) -> str:
    """The name as `prefect deployment run` takes it."""
    return f"{row.loaded().name}/{target.name}{row.variant}"


def parameters_of(row: DeploymentSpec, target: Target, settings: Settings) -> dict[str, Any]:
    """What differs from the flow's own defaults, with the blocks of .env or else of the target."""
    places = {
        "bucket": settings.get("TRIPS_BUCKET", target.bucket),
        "warehouse": settings.get("TRIPS_WAREHOUSE", target.warehouse),
    }
    folders = {name: f"{places['bucket']}/{folder}" for name, folder in row.folders.items()}
    return {**row.parameters, **{place: places[place] for place in row.places}, **folders}


def apply(row: DeploymentSpec, target: Target, settings: Settings) -> None:
    """Create the deployment, or put this one in place of it, its schedule included."""
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
            schedules=[row.schedule] if row.schedule else [],
            tags=[row.tag],
            description=row.description(),
            enforce_parameter_schema=True,  # a wrong parameter is refused before anything runs
            load_existing=False,  # what is written here counts, not what was clicked since
            skip_upload=True,
            ignore_file=str(PROJECT / ".prefectignore"),
        )
        deployment.apply()


def loaded(reference: str) -> Any:
    """The saved block of a class.

    Raises:
        ValueError: there is none of this name; with the script that saves it.
    """
    path, _, name = reference.partition("/")
    try:
        with quiet():
            return cast(type[Block], import_object(path)).load(name)
    except ValueError as error:
        script = _SCRIPTS[path.rpartition(".")[2]]
        looked = f"{error} (looked for in {place_of_blocks()})"
        raise ValueError(f"{looked}. Save it first: python blocks/{script}") from error


async def make_pool(pool: WorkPoolCreate) -> None:
    """Create a work pool; one that is there stays as it is."""
    async with get_client() as client:
        with suppress(ObjectAlreadyExists):
            await client.create_work_pool(pool)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep to itself what Prefect says of `Deployment`, `DockerContainer`, `Process`, `GitHub`.

    Only around calls of these: the README says that they are deprecated, once is enough.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def main(
    target: Target,
    arguments: Sequence[str] | None = None,
    apply_one: Callable[[DeploymentSpec, Target, Settings], None] = apply,
) -> int:
    """The command of a script; applies every row of the table.

    Args:
        target: which.
        arguments: of the command line; those of the process without any.
        apply_one: applies a row.

    Returns:
        The exit code: 1 if a block is missing.
    """
    options = _options(arguments)
    settings = Settings.read(options.env)
    taken = [(row, found) for row in SPECS if (found := taken_by(row, target))]
    if options.dry_run:
        print("\n\n".join(_described(row, found, settings) for row, found in taken))
        return 0
    if not server_answers():
        return 2
    try:
        for _, found in taken:  # before there is a pool or a deployment
            loaded(found.infrastructure)
        asyncio.run(make_pool(target.pool))
        for row, found in taken:
            apply_one(row, found, settings)
            print(f"applied {name_of(row, found)}")
    except ValueError as error:  # Prefect's for a block that is not there
        print(f"Error: {_one_line(error)}", file=sys.stderr)
        return 1
    except httpx.HTTPError as error:
        print(f"Error: {no_answer(_one_line(error))}", file=sys.stderr)
        return 1
    if not PREFECT_API_URL.value():
        print(_NO_SERVER, file=sys.stderr)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    about = inspect.cleandoc(sys.modules["__main__"].__doc__ or "Apply deployments.")
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true", help="print them, and apply nothing")
    parser.add_argument("--env", type=Path, default=ENV_FILE, help="the .env file; %(default)s")
    return parser.parse_args(arguments)


def _described(row: DeploymentSpec, target: Target, settings: Settings) -> str:
    parameters = parameters_of(row, target, settings)
    lines = [
        name_of(row, target),
        f"  flow        {row.entrypoint()}",
        f"  runs in     {_block(target.infrastructure)}, from {_from(target)}",
        f"  work queue  {target.pool.name}/{target.queue}",
        f"  schedule    {_schedule(row)}",
        f"  parameters  {' '.join(f'{k}={v}' for k, v in parameters.items()) or '-'}",
        f"  tag         {row.tag}",
    ]
    return "\n".join(lines)


def _schedule(row: DeploymentSpec) -> str:
    return f"{row.schedule.cron} {row.schedule.timezone}" if row.schedule else "-"


def _from(target: Target) -> str:
    return _block(target.storage) if target.storage else str(target.path)


def _block(reference: str) -> str:
    """`prefect.infrastructure.DockerContainer/zoom-docker` as people write it."""
    path, _, name = reference.partition("/")
    block: Any = import_object(path)
    return f"{block.get_block_type_slug()}/{name}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
