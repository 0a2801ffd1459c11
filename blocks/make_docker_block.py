"""Save the blocks of Docker deployments: the container, and the data on its volume."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from settings import Settings

import docker
from prefect.infrastructure import DockerContainer
from prefect.infrastructure.container import ImagePullPolicy

import flow_variables
import identity
from block_specs import Blocks, BlockSpec, main

from orchestration.embedded_blocks import DuckDBWarehouse, LocalBucket  # isort: skip - settings: flows/ on path

#: The Dockerfile's folder for data that outlives a container.
DATA = "/opt/prefect/data"
#: Where containers find the declarations of the user's own datasets.
DATASETS = "/opt/prefect/datasets"
#: Environment of a container that logs JSON from its first line, before the flow is loaded.
JSON_LOG = {
    "TRIPS_LOG": "json",
    "PREFECT_LOGGING_SETTINGS_PATH": "/opt/prefect/flows/orchestration/logging.yml",
    "PYTHONPATH": "/opt/prefect/flows",
}
_POLICIES = [policy.value for policy in ImagePullPolicy]


def blocks(settings: Settings) -> Blocks:
    """Yield the container, and the bucket and warehouse on its volume."""
    policy = settings.get("DOCKER_IMAGE_PULL_POLICY", "IF_NOT_PRESENT")
    if policy not in _POLICIES:
        raise settings.wrong(
            "DOCKER_IMAGE_PULL_POLICY", f"is {policy!r}, not one of {', '.join(_POLICIES)}"
        )
    # Deprecated in favor of Prefect 3's workers, but Prefect 2 agents still run this block.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        container = DockerContainer(
            image=settings.image("DOCKER_IMAGE"),
            image_pull_policy=ImagePullPolicy(policy),
            env=_environment(settings),
            volumes=_volumes(settings),
            networks=list(filter(None, [settings.get("DOCKER_NETWORK")])),
            # Prefect's default command starts a second Prefect there, just to cancel the first.
            command=["python", "-m", "prefect.engine"],
            # auto_remove stays off: the agent needs the exit code of a killed container.
        )
    yield "zoom-docker", container
    yield from volume_blocks()


def volume_blocks() -> Blocks:
    """Yield the bucket and the warehouse on the volume of a container."""
    yield "zoom-volume", LocalBucket(folder=f"{DATA}/bucket")
    yield "zoom-volume", DuckDBWarehouse(path=f"{DATA}/trips.duckdb", memory_limit="1GB")


def _volumes(settings: Settings) -> list[str]:
    data = f"{_volume(settings)}:{DATA}"
    return [data, *_declarations(settings), *identity.volumes(settings)]


def _volume(settings: Settings) -> str:
    """Return the name of a volume, or an absolute folder on the engine's machine."""
    volume = settings.get("DOCKER_DATA", "zoom-data")
    if "/" in volume and not volume.startswith("/"):
        raise settings.wrong("DOCKER_DATA", f"is {volume!r}, neither a name nor an absolute folder")
    return volume


def _environment(settings: Settings) -> dict[str, str | None]:
    # Without it, the agent's own PREFECT_HOME would apply in the container.
    found: dict[str, str | None] = {
        "PREFECT_HOME": settings.get("DOCKER_PREFECT_HOME", "/opt/prefect/home")
    }
    found |= {"TRIPS_DATASETS": DATASETS} if _declarations(settings) else {}
    found |= identity.variables(settings) | flow_variables.variables(settings)
    return found | (JSON_LOG if settings.get("TRIPS_LOG") == "json" else {})


def _declarations(settings: Settings) -> list[str]:
    """Return the volume for the user's folder of declarations, if there is one."""
    # Where compose.yaml runs this script, TRIPS_DATASETS is a folder of that container.
    folder = settings.get("DOCKER_DATASETS")
    if folder and not folder.startswith("/"):
        raise settings.wrong("DOCKER_DATASETS", f"is {folder!r}, which is not an absolute folder")
    own = settings.get("TRIPS_DATASETS")
    folder = folder or (str(Path(own).expanduser().absolute()) if own else "")
    return [f"{folder}:{DATASETS}:ro"] if folder else []


def check(block: DockerContainer) -> str:
    """Ask the engine for the image."""
    client = docker.from_env(timeout=10)
    try:
        client.ping()
        there = [image for image in client.images.list(name=block.image) if image]
    finally:
        client.close()
    return f"the engine answers; {block.image} is {'here' if there else 'not here yet'}"


def check_volume(block: LocalBucket | DuckDBWarehouse) -> str:
    """Return the path of the data; only a container can check it."""
    return f"{block.folder if isinstance(block, LocalBucket) else block.path} in each container"


SPEC = BlockSpec(
    ("DOCKER_IMAGE",),
    blocks,
    {
        "docker-container/zoom-docker": check,
        "local-bucket/zoom-volume": check_volume,
        "duckdb-warehouse/zoom-volume": check_volume,
    },
)

if __name__ == "__main__":
    sys.exit(main([SPEC]))
