"""Run a pod's container on a Docker engine, or as a process of this machine in its place."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

#: Makes the command of a container from the pod's name, its spec and its variables.
Command = Callable[[str, Mapping[str, Any], Mapping[str, str]], list[str]]


def environment_of(
    container: Mapping[str, Any], secrets: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Return the variables of a container; the last one of a name applies, and `env` wins.

    A missing secret is a KeyError; a real pod would wait for it.
    """
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= secrets[source["secretRef"]["name"]]
    for variable in container.get("env", []):
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        value = secrets[reference["name"]][reference["key"]] if reference else variable["value"]
        found[variable["name"]] = value or ""
    return found


def as_process(name: str, pod: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Return the container's arguments, with this Python."""
    (container,) = pod["containers"]
    words: list[str] = container["args"]
    return [sys.executable, *words[1:]] if words[0] == "python" else words


def in_docker(volumes: Mapping[str, Path]) -> Command:
    """Run containers on the engine at DOCKER_HOST; volumes are folders, by the name of a claim."""

    def command(name: str, pod: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
        (container,) = pod["containers"]
        claims = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"]}
        mounts = [
            f"--volume={volumes[claims[mount['name']]]}:{mount['mountPath']}"
            for mount in container["volumeMounts"]
        ]
        user = f"--user={pod['securityContext']['runAsUser']}"
        # The engine of the tests has no network but the machine's.
        options = ["--rm", "--name", name, "--network=host", user, "--cap-drop=ALL", *mounts]
        options += [f"--env={variable}" for variable in environment]
        return ["docker", "run", *options, container["image"], *container["args"]]

    return command


class Container:
    """A container that is running or has ended.

    Attributes:
        log: file of its output.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        inherited = {k: os.environ[k] for k in ("PATH", "HOME", "DOCKER_HOST") if k in os.environ}
        self._docker = command[0] == "docker"
        self._name = command[command.index("--name") + 1] if self._docker else ""
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command, env=inherited | dict(environment), stdout=out, stderr=out
            )

    def wait(self) -> int:
        """Return its exit code once it has ended; a signal's code is that of a shell."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def ended(self) -> bool:
        """Return whether it has ended."""
        return self._process.poll() is not None

    def stop(self, grace: int) -> None:
        """Ask it to end, and kill it after a number of seconds."""
        if self._docker:
            stop = ["docker", "stop", "--time", str(grace), self._name]
            subprocess.run(stop, capture_output=True, check=False)  # it may have ended
            return
        self._process.terminate()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def output(self) -> Iterator[bytes]:
        """Yield its output until it ends."""
        with self.log.open("rb") as file:
            running = True
            while running:
                running = self._process.poll() is None
                if part := file.read():
                    yield part
                elif running:
                    time.sleep(0.05)  # no event reports that a file grows
