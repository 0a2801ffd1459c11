"""Find a running Docker engine, or install and start one with apt."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Images and layers are kept between test runs, like pip's cache.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nyc-taxi-flows"
#: The label by which a container names its run: the agents' and the workers'.
_LABELS = ("prefect.io/flow-run-id", "io.prefect.flow-run-id")
_START_SECONDS = 60
_STOP_SECONDS = 30


def wait_until(what: str, done: Callable[[], bool], seconds: float, *, every: float = 0.1) -> None:
    """Wait until a condition holds, checked at an interval; fail the test after some seconds."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)


def run(*command: str | Path, seconds: float = 120, **options: object) -> str:
    """Run a command within a time limit; return its output, or fail the test with it."""
    done = subprocess.run(  # type: ignore[call-overload] # any options of subprocess
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=seconds,
        check=False,
        **options,
    )
    if done.returncode:
        pytest.fail(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return str(done.stdout)


def containers(*options: str) -> list[str]:
    """Return the containers of flow runs."""
    shown = ("docker", "ps", "--quiet", "--no-trunc", *options)
    return [found for label in _LABELS for found in run(*shown, f"--filter=label={label}").split()]


def answers(host: str | None = None) -> bool:
    """Return whether an engine answers, at DOCKER_HOST or else at the usual socket."""
    if not shutil.which("docker"):
        return False
    env = os.environ | ({"DOCKER_HOST": host} if host else {})
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    done = subprocess.run(command, env=env, capture_output=True, timeout=30, check=False)
    return done.returncode == 0


@contextmanager
def engine() -> Iterator[None]:
    """Yield an engine that DOCKER_HOST leads to while the context lasts."""
    if answers():
        yield
        return
    if os.geteuid() != 0:
        pytest.fail("no Docker engine answers; start one, or run this as root to have it started")
    install("docker.io", "dockerd")
    with _started() as host:
        os.environ["DOCKER_HOST"] = host
        try:
            yield
        finally:
            del os.environ["DOCKER_HOST"]


def install(package: str, program: str) -> None:
    """Install a Debian package if its program is missing."""
    if shutil.which(program):
        return
    if not shutil.which("apt-get"):
        pytest.fail(f"{program} is missing, and there is no apt-get; install {package}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    lock = "DPkg::Lock::Timeout=300"
    run("apt-get", "-q", "-o", lock, "update", env=env, seconds=400)
    options = ("-y", "-q", "--no-install-recommends", "-o", lock)
    run("apt-get", "install", *options, package, env=env, seconds=600)


@contextmanager
def _started() -> Iterator[str]:
    """Start an engine on its own socket; it creates no network and leaves the firewall alone."""
    CACHE.mkdir(parents=True, exist_ok=True)
    # The path of a socket is limited in length.
    folder = Path(tempfile.mkdtemp(prefix="engine-"))
    host = f"unix://{folder}/docker.sock"
    options = [f"--data-root={CACHE}/docker", f"--exec-root={folder}/exec", f"--host={host}"]
    options += [f"--pidfile={folder}/pid", "--bridge=none", "--iptables=false"]
    options += ["--ip6tables=false", "--ip-forward=false"]
    with (folder / "log").open("wb") as log:
        # In its own session, so that Ctrl-C reaches the tests first, which then stop the engine.
        process = subprocess.Popen(
            ["dockerd", *options], stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until(
            f"the engine answers, see {folder}/log",
            lambda: answers(host) or _ended(process, folder / "log"),
            _START_SECONDS,
        )
        yield host
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for namespace in (folder / "exec" / "netns").glob("*"):
            run("umount", namespace)  # the engine leaves its network mounts behind
        shutil.rmtree(folder)


def _ended(process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is None:
        return False
    pytest.fail(f"dockerd ended with {process.returncode}:\n{log.read_text()[-4000:]}")
