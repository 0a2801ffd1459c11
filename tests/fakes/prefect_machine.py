"""Run Prefect as people do: a server, agents and workers, each in its own process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes import preloaded
from fakes.docker_engine import wait_until
from fakes.preloaded import PREFECT, Process
from fakes.stopping import stop
from postgres_server import free_port

PROJECT = Path(__file__).absolute().parents[2]
_START_SECONDS, _GONE_SECONDS = 120, 30
_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
#: A request takes the server 10 ms; runs take seconds.
_ASK_SECONDS = 0.3


@dataclass
class Program:
    """A background program in its own session, so that it can be killed as a whole."""

    process: Process
    log: Path

    def said(self) -> str:
        """Return its output so far."""
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """Kill it and everything that it started, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        wait_until("no process of its group is left", lambda: not self._has_group(), _GONE_SECONDS)

    def _has_group(self) -> bool:
        """Return whether its group has a process; a killed one counts until it is reaped."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def stop(self) -> None:
        """Stop it as a person does; kill it if it does not stop."""
        try:
            stop(self.process)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"did not stop:\n{self.said()[-2000:]}")


@dataclass
class Prefect:
    """A Prefect server and the programs that use it.

    Attributes:
        home: PREFECT_HOME, and the logs.
        environment: variables of all programs, the project's own among them.
        port: port of the server, on 127.0.0.1.
        programs: the programs that were started.
    """

    home: Path
    environment: Mapping[str, str]
    port: int = field(default_factory=free_port)
    programs: list[Program] = field(default_factory=list)

    @cached_property
    def api(self) -> httpx.Client:
        """Return the client of the server's API.

        A new one for each request would read all the certificates of this machine, in 20 ms.
        """
        # The server may close a connection just as it is used again.
        limits = httpx.Limits(max_keepalive_connections=0)
        base = f"http://127.0.0.1:{self.port}/api/"
        return httpx.Client(base_url=base, limits=limits, timeout=30)

    def env(self) -> dict[str, str]:
        """Return the environment of a shell that uses this server."""
        # Agents pass their settings on to containers, which do not have this file.
        rest = {k: v for k, v in os.environ.items() if k != "PREFECT_API_SSL_CERT_FILE"}
        return {
            **rest,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_TO_API_ENABLED": "true",
            # Nothing here uses these services, and theirs is the one that finds SQLite locked.
            "PREFECT_API_SERVICES_FLOW_RUN_NOTIFICATIONS_ENABLED": "false",
            "PREFECT_AGENT_QUERY_INTERVAL": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PYTHONWARNINGS": "ignore",
            **self.environment,
        }

    def start(self, *command: str, **environment: str) -> Program:
        """Start a Prefect program in the background."""
        log = self.home / f"{len(self.programs)}-{'-'.join(command[:2])}.log"
        with log.open("wb") as out:
            process = preloaded.start(
                [*PREFECT, *command],
                self.env() | environment,
                cwd=PROJECT,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.programs.append(Program(process, log))
        return self.programs[-1]

    def serve(self, database: str) -> None:
        """Start the server on a database; return when it answers."""
        where = ("--host", "127.0.0.1", "--port", str(self.port))
        server = self.start("server", "start", *where, PREFECT_API_DATABASE_CONNECTION_URL=database)
        wait_until("the server answers", lambda: self._is_healthy(server), _START_SECONDS)

    def agent(self, queue: str) -> Program:
        """Start an agent of a queue in the background."""
        return self.start("agent", "start", "-p", "default-agent-pool", "-q", queue)

    def run(self, *command: str, seconds: float = 120) -> str:
        """Run a Prefect command or a script of the project; return its output."""
        program = (sys.executable,) if command[0].endswith(".py") else PREFECT
        done = preloaded.run([*program, *command], self.env(), cwd=PROJECT, timeout=seconds)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def post(self, path: str, **body: Any) -> Any:
        """Return the API's answer to a POST request; ask again while SQLite is locked (503)."""
        answers: list[httpx.Response] = []

        def taken() -> bool:
            answers.append(self.api.post(path, json=body))
            return answers[-1].status_code != 503

        wait_until(f"the API answers {path}", taken, 30)
        answers[-1].raise_for_status()
        return answers[-1].json()

    def get(self, path: str) -> Any:
        """Return an object of the API."""
        answer = self.api.get(path)
        answer.raise_for_status()
        return answer.json()

    def deployment(self, name: str) -> str:
        """Return the id of a deployment."""
        return str(self.get(f"deployments/name/{name}")["id"])

    def pause_schedules(self) -> None:
        """Let the deployments run only when a test asks for it, whatever the time is."""
        for found in self.post("deployments/filter", limit=200):
            self.post(f"deployments/{found['id']}/set_schedule_inactive")

    def run_deployment(self, name: str, **parameters: Any) -> str:
        """Start a deployment as the UI does; return the id of the flow run."""
        path = f"deployments/{self.deployment(name)}/create_flow_run"
        return str(self.post(path, parameters=parameters)["id"])

    def cancel(self, run: str) -> None:
        """Cancel a flow run as the UI does."""
        self.post(f"flow_runs/{run}/set_state", state={"type": "CANCELLING", "name": "Cancelling"})

    def state(self, run: str) -> dict[str, Any]:
        """Return the state of a flow run."""
        found: dict[str, Any] = self.get(f"flow_runs/{run}")["state"]
        return found

    def ended(self, *runs: str, seconds: float = 120) -> list[dict[str, Any]]:
        """Return the states of flow runs when all have ended."""
        wait_until(
            f"flow runs {runs} end",
            lambda: all(self.state(run)["type"] in _FINAL for run in runs),
            seconds,
            every=_ASK_SECONDS,
        )
        return [self.state(run) for run in runs]

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the flow runs that match an API filter."""
        found: list[dict[str, Any]] = self.post("flow_runs/filter", flow_runs=wanted)
        return found

    def children(self, run: str) -> list[dict[str, Any]]:
        """Return the child runs of a flow run."""
        return self.runs(parent_flow_run_id={"any_": [run]})

    def stop(self) -> None:
        """Stop all programs at once, then the server, which they use."""
        server, others = self.programs[:1], self.programs[1:]
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(Program.stop, others):
                pass
        for program in server:
            program.stop()
        self.programs.clear()

    def _is_healthy(self, server: Program) -> bool:
        if server.process.poll() is not None:
            pytest.fail(f"the server ended:\n{server.said()[-4000:]}")
        with contextlib.suppress(httpx.HTTPError):
            return self.api.get("health", timeout=2).is_success
        return False


def processes_with(text: str) -> list[str]:
    """Return the processes on this machine whose environment contains a text, except this one."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if text.encode() in (folder / "environ").read_bytes():
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if words:  # a zombie has none
                        found.append(f"{folder.name} {words}")
    return found
