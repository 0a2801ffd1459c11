"""Run compose.yaml under its own names and ports, next to whatever a developer is running."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fakes.docker_engine import install, run
from fakes.docker_image import IMAGE, postgres
from postgres_server import free_port

PROJECT = Path(__file__).absolute().parents[2]
#: Prefix of the containers, the network and the volumes.
NAME = "zoom-compose-test"
PASSWORD = "months-of-trips"
_ENV = {
    "DOCKER_IMAGE": IMAGE,
    "DOCKER_IMAGE_PULL_POLICY": "NEVER",
    "PREFECT_DB_PASSWORD": "runs-of-flows",
    "POSTGRES_PASSWORD": PASSWORD,
}


@dataclass(frozen=True)
class Compose:
    """The services that are running.

    Attributes:
        folder: folder of the compose file and its .env, as a user has it.
        server: port of Prefect's server on 127.0.0.1.
        taxi: port of the months' PostgreSQL on 127.0.0.1.
    """

    folder: Path
    server: int
    taxi: int

    def run(self, *command: str, seconds: float = 300) -> str:
        """Run a compose command; return its output."""
        words = [*_program(), "--project-name", NAME, *command]
        own = {*_ENV, "TRIPS_DATASETS"}
        env = {key: value for key, value in os.environ.items() if key not in own}
        return run(*words, cwd=self.folder, env=env, seconds=seconds)


@contextmanager
def brought_up(folder: Path, declarations: Path) -> Iterator[Compose]:
    """Run the services until the context ends, then remove everything.

    Args:
        folder: where their files are written.
        declarations: the user's own declarations, which user 1000 reads.
    """
    found = Compose(folder, free_port(), free_port())
    text = (PROJECT / "compose.yaml").read_text()
    (folder / "compose.yaml").write_text(yaml.safe_dump(_elsewhere(yaml.safe_load(text), found)))
    env = {**_ENV, "TRIPS_DATASETS": str(declarations)}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    try:
        found.run("up", "--detach")
        yield found
    except BaseException:
        sys.stderr.write(found.run("logs", "--no-color", "--tail=20"))
        raise
    finally:
        found.run("down", "--volumes", "--remove-orphans")


def _elsewhere(wanted: dict[str, Any], found: Compose) -> dict[str, Any]:
    """Return the same services with other ports and names, and with the engine's actual socket."""
    services = wanted["services"]
    for service in services.values():
        if service["image"].startswith("postgres:"):
            service["image"] = postgres(service["image"])
    services["server"]["ports"] = [f"127.0.0.1:{found.server}:4200"]
    services["taxi-db"]["ports"] = [f"127.0.0.1:{found.taxi}:5432"]
    services["setup"]["environment"] |= {"DOCKER_NETWORK": NAME, "DOCKER_DATA": f"{NAME}-data"}
    socket = os.environ.get("DOCKER_HOST", "").removeprefix("unix://") or "/var/run/docker.sock"
    services["agent"]["volumes"][0] = f"{socket}:/var/run/docker.sock"
    wanted["networks"]["default"]["name"] = NAME
    wanted["volumes"]["data"]["name"] = f"{NAME}-data"
    return wanted


def _program() -> list[str]:
    """Return Compose as a Docker plugin, or the program that Debian 12 ships."""
    plugin = ["docker", "compose"]
    if subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0:
        return plugin
    install("docker-compose", "docker-compose")
    return [str(shutil.which("docker-compose"))]
