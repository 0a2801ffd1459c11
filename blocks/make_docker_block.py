"""Save the blocks of deployments in containers: the container, and the data on its volume."""

from __future__ import annotations

import sys
import warnings

from settings import Settings

import docker
from prefect.infrastructure import DockerContainer
from prefect.infrastructure.container import ImagePullPolicy

from block_specs import Blocks, BlockSpec, main

from orchestration.embedded_blocks import DuckDBWarehouse, LocalBucket  # isort: skip - settings: flows/ on path

#: Where the Dockerfile keeps what is to outlive a container.
DATA = "/opt/prefect/data"
_POLICIES = [policy.value for policy in ImagePullPolicy]


def blocks(settings: Settings) -> Blocks:
    """The container. Its PREFECT_HOME is set, or the agent's own would reach into it."""
    policy = settings.get("DOCKER_IMAGE_PULL_POLICY", "IF_NOT_PRESENT")
    if policy not in _POLICIES:
        raise settings.wrong(
            "DOCKER_IMAGE_PULL_POLICY", f"is {policy!r}, none of {', '.join(_POLICIES)}"
        )
    # Prefect 3 has workers in its place; agents of Prefect 2 run this block as they always did.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        container = DockerContainer(
            image=_image(settings),
            image_pull_policy=ImagePullPolicy(policy),
            env={"PREFECT_HOME": settings.get("DOCKER_PREFECT_HOME", "/opt/prefect/home")},
            volumes=[f"{_volume(settings)}:{DATA}"],
            networks=list(filter(None, [settings.get("DOCKER_NETWORK")])),
            # Not Prefect's own, which starts a second Prefect in the container to cancel the first.
            command=["python", "-m", "prefect.engine"],
            # Not auto_remove: the agent would find no exit code of a container that was killed.
        )
    yield "zoom-docker", container
    yield "zoom-volume", LocalBucket(folder=f"{DATA}/bucket")
    yield "zoom-volume", DuckDBWarehouse(path=f"{DATA}/trips.duckdb", memory_limit="1GB")


def _volume(settings: Settings) -> str:
    """A volume by its name, or an absolute folder of the engine's machine."""
    volume = settings.get("DOCKER_DATA", "zoom-data")
    if "/" in volume and not volume.startswith("/"):
        raise settings.wrong("DOCKER_DATA", f"is {volume!r}, neither a name nor an absolute folder")
    return volume


def _image(settings: Settings) -> str:
    image = settings.required("DOCKER_IMAGE")
    tag = image.rpartition("/")[2].partition(":")[2]
    if not tag or tag == "latest":
        # An agent pulls what has no tag or this one, and a local image is nowhere to pull from.
        raise settings.wrong("DOCKER_IMAGE", f"is {image!r}, which has no tag of its own")
    return image


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
    """Nothing to ask: only a container sees it."""
    return f"{block.folder if isinstance(block, LocalBucket) else block.path} in each container"


SPEC = BlockSpec(("DOCKER_IMAGE",), blocks, {"zoom-docker": check, "zoom-volume": check_volume})

if __name__ == "__main__":
    sys.exit(main([SPEC]))
