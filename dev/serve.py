"""Run Prefect's server and UI, an agent and the deployments without Docker, until Ctrl-C.

python dev/serve.py --port 4200
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from serve_lock import HOST, CannotServe, alone, locked

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "flows"))

from core.errors import UsageError
from orchestration.network import share_network
from orchestration.time_zone import refuse_unknown_time_zone
from orchestration.variables import ENVIRONMENT_FILE, FILE, LOG, setting

PROJECT = Path(__file__).absolute().parents[1]
#: The work queue of local_deploy.py.
QUEUE = "local"
#: Commands of the server, from sqlite_server.py, and of an agent for the queue.
SERVER = (
    *(sys.executable, "-m", "uvicorn", "--factory", "sqlite_server:create_app"),
    *("--app-dir", str(PROJECT / "dev")),
)
AGENT = (
    *(str(Path(sys.executable).with_name("prefect")), "agent", "start"),
    *("-p", "default-agent-pool", "-q", QUEUE),
)
#: Scripts that save the blocks and the deployments, in order.
SCRIPTS = (
    "blocks/make_embedded_blocks.py",
    "blocks/make_process_blocks.py",
    "deployments/local_deploy.py",
)
#: Seconds to wait for the server to answer (its first start creates its database), and for
#: programs to stop.
START_SECONDS, STOP_SECONDS = 120, 15
_POLL_SECONDS = 0.2


class Stopped(Exception):
    """A request to stop: Ctrl-C, SIGTERM or SIGHUP."""


@dataclass(frozen=True)
class Program:
    """A background program in its own session, so that Ctrl-C reaches it only through us.

    Attributes:
        name: name for messages.
        process: the program; its children share its process group.
        log: file with its output.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def refuse_ended(self) -> None:
        """Raise an error if the program has ended by itself.

        Raises:
            CannotServe: it has; the message includes the end of its log.
        """
        code = self.process.poll()
        if code is not None:
            last = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
            raise CannotServe(f"the {self.name} has ended ({code}); {self.log} says:\n{last}")

    def stop(self) -> None:
        """Terminate the program and its children, and kill them after a timeout."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._is_there() and time.monotonic() < deadline:
            self.process.poll()  # reaps it, or a zombie would keep the group alive
            time.sleep(_POLL_SECONDS)
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _is_there(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def serve(port: int) -> None:
    """Start everything, print the addresses, and wait for a signal or the end of a program.

    Raises:
        CannotServe: the port is taken, a script fails, or a program ends.
        UsageError: a setting of certificates or proxies is invalid, or Prefect does not know the
            time zone in TZ.
        Stopped: a signal asked for it; by then everything has stopped.
    """
    refuse_unknown_time_zone()  # or the server would end
    share_network()  # or this process and the agent would ask a proxy for the server
    environment = _environment(port)
    logs = Path(environment["PREFECT_HOME"]) / "serve"
    if os.access(logs / "lock", os.F_OK):  # a running one is a better reason than its port
        os.close(locked(logs))
    _refuse_taken(port)
    with ExitStack() as running:
        lock = running.enter_context(alone(logs, port))
        command = [*SERVER, "--host", HOST, "--port", str(port)]
        server = running.enter_context(_started("server", command, environment, logs, lock))
        _wait_until_it_answers(server, port)
        _run_scripts(environment)
        agent = running.enter_context(_started("agent", AGENT, environment, logs, lock))
        print(_where(port, logs), flush=True)
        while True:
            server.refuse_ended()
            agent.refuse_ended()
            time.sleep(_POLL_SECONDS)


def _refuse_taken(port: int) -> None:
    if not 0 < port < 1 << 16:
        raise CannotServe(f"there is no port {port}; take another one: make serve PORT=4201")
    with socket.socket() as found:
        # Like the server: recently closed connections (TIME_WAIT) do not block the port.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, port))
        except OSError as error:
            raise CannotServe(
                f"port {port} of {HOST} cannot be used ({error.strerror}); end what has it, "
                "or take another one: make serve PORT=4201"
            ) from error


def _environment(port: int) -> dict[str, str]:
    """Return the environment of all programs: this Python, this server, frequent agent polls."""
    home = os.environ.get("PREFECT_HOME") or str(PROJECT / "data" / "prefect")
    defaults = {"PREFECT_AGENT_QUERY_INTERVAL": "2", "PYTHONWARNINGS": "ignore"}
    return {
        **defaults,
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PREFECT_HOME": home,
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_UI_URL": f"http://{HOST}:{port}",  # for links in notifications
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_BLOCKS_REGISTER_ON_START": "true",  # for the UI's block catalog
        **_env_file(),
        **(_json_log() if setting(LOG).value == "json" else {}),
    }


def _env_file() -> dict[str, str]:
    """Return the file in place of .env, if any, for programs with another current folder."""
    name = ENVIRONMENT_FILE.name
    return {name: str(FILE.absolute())} if os.environ.get(name) else {}


def _json_log() -> dict[str, str]:
    """Return the variables with which Prefect's own programs log JSON, too."""
    path = [str(PROJECT / "flows"), *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = PROJECT / "flows" / "orchestration" / "logging.yml"
    return {
        LOG.name: "json",
        "PYTHONPATH": os.pathsep.join(path),
        "PREFECT_LOGGING_SETTINGS_PATH": str(settings),
    }


@contextmanager
def _started(
    name: str, command: Sequence[str], environment: Mapping[str, str], logs: Path, *inherited: int
) -> Iterator[Program]:
    log = logs / f"{name}.log"
    if log.exists():  # it may explain why the user restarts
        log.replace(logs / f"{name}.log.1")
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            pass_fds=inherited,
        )
    program = Program(name, process, log)
    try:
        yield program
    finally:
        program.stop()


def _wait_until_it_answers(server: Program, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port):
        server.refuse_ended()
        if time.monotonic() > deadline:
            raise CannotServe(f"the server does not answer after {START_SECONDS} s; {server.log}")
        time.sleep(_POLL_SECONDS)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/api/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _run_scripts(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "dev/scripts.py", *SCRIPTS],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise CannotServe(f"{done.stdout}{done.stderr}".strip())
    print(done.stdout, end="", flush=True)


def _where(port: int, logs: Path) -> str:
    return f"""
UI:     http://{HOST}:{port}
Shell:  export PREFECT_API_URL=http://{HOST}:{port}/api
Agent:  queue {QUEUE}
Logs:   {str(logs).replace(f"{PROJECT}{os.sep}", "")}/server.log and agent.log
Ctrl-C stops all."""


def _stop(number: int, frame: FrameType | None) -> None:
    # A second Ctrl-C must not interrupt the shutdown.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise Stopped


def main() -> int:
    """Run the command; return 0 after a stop, 1 if it cannot serve."""
    parser = argparse.ArgumentParser(description="Prefect's server, an agent and the deployments.")
    parser.add_argument("--port", type=int, default=4200, help="of the server; %(default)s")
    port = parser.parse_args().port
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _stop)
    try:
        serve(port)
    except Stopped:
        print("stopped", flush=True)
        return 0
    except (CannotServe, UsageError) as error:
        print(f"Error: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
