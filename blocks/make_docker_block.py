"""Save the block of the container that deployments run in, `docker-container/zoom-docker`."""

from __future__ import annotations

import sys
import warnings

import docker
from prefect.infrastructure import DockerContainer
from prefect.infrastructure.container import ImagePullPolicy

from recipes import Blocks, Recipe, main
from settings import Settings

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
        )
    yield "zoom-docker", container


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


RECIPE = Recipe(("DOCKER_IMAGE",), blocks, {"zoom-docker": check})

if __name__ == "__main__":
    sys.exit(main([RECIPE]))
