"""Deploy the flows to a Docker work pool, for workers, which replace agents in Prefect.

python deployments/work_pool_deploy.py --dry-run
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "blocks"))

from settings import Settings

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.utilities.callables import parameter_schema
from prefect_docker.worker import DockerWorker

from docker_deploy import TARGET as DOCKER
from saved_blocks import loaded
from specs import DeploymentSpec
from targets import Target, main, parameters_of

TARGET = Target(
    name="pool-flow",
    pool=WorkPoolCreate(
        name="zoom-docker",
        type=DockerWorker.type,
        description="Deployments run in containers by workers.",
        base_job_template=DockerWorker.get_default_base_job_template(),
    ),
    queue="default",
    infrastructure=DOCKER.infrastructure,
    bucket=DOCKER.bucket,
    warehouse=DOCKER.warehouse,
    path=DOCKER.path,
    in_containers=True,
)
_POLICIES = {"IF_NOT_PRESENT": "IfNotPresent", "ALWAYS": "Always", "NEVER": "Never"}


def apply(row: DeploymentSpec, target: Target, settings: Settings) -> None:
    """Create or replace the deployment, including its schedule."""
    apply_to_pool(row, target, settings, _container(target))


def apply_to_pool(
    row: DeploymentSpec, target: Target, settings: Settings, variables: dict[str, Any]
) -> None:
    """Create or replace a deployment of any work pool for workers.

    Args:
        row: what is deployed.
        target: where it runs.
        settings: names of the blocks of bucket and warehouse.
        variables: the job variables of the pool's type.
    """
    # Prefect's Deployment class is for agents only.
    asyncio.run(_apply(row, target, parameters_of(row, target, settings), variables))


async def _apply(
    row: DeploymentSpec, target: Target, parameters: dict[str, Any], variables: dict[str, Any]
) -> None:
    flow = row.loaded()
    schema: Any = parameter_schema(flow)
    async with get_client() as client:
        await client.create_deployment(
            flow_id=await client.create_flow(flow),
            name=f"{target.name}{row.variant}",
            path=target.path,
            entrypoint=row.entrypoint(),
            work_pool_name=target.pool.name,
            work_queue_name=target.queue,
            job_variables=variables,
            parameters=parameters,
            parameter_openapi_schema=schema.dict(),
            schedules=[
                DeploymentScheduleCreate(schedule=s, active=row.active)
                for s in filter(None, [row.schedule])
            ],
            tags=[row.tag],
            description=row.description(),
            enforce_parameter_schema=True,
        )


def _container(target: Target) -> dict[str, Any]:
    """Convert the Docker block to the job variables of a work pool."""
    block = loaded(target.infrastructure)
    return {
        "image": block.image,
        "image_pull_policy": _POLICIES[block.image_pull_policy.value],
        "env": block.env,
        "volumes": block.volumes,
        "networks": block.networks,
    }


if __name__ == "__main__":
    sys.exit(main(TARGET, apply_one=apply))
