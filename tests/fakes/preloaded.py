"""Start Python programs as forks of a server that has imported Prefect: the import takes seconds.

Each program is a separate process with its own environment, folder, output and signals. It
imports this project's modules itself, and Prefect reads its settings when the program first
imports it. `tests/test_cli.py` and `tests/test_first_hour_commands.py` start new interpreters.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from fakes.preloading import INT, READY

#: The command `prefect`, as a script.
PREFECT = (sys.executable, str(Path(sys.executable).with_name("prefect")))
_SERVER = Path(__file__).with_name("preloading.py")
_VARIABLE = "TESTS_PRELOADED"
#: The connection to a server that another process started; when it closes, the server knows that
#: this process has ended.
_JOINED: list[socket.socket] = []


@dataclass
class Process:
    """A started program, with the methods of subprocess.Popen that tests use.

    Attributes:
        pid: its process ID.
        args: its command.
        returncode: its exit code, as in subprocess; None while it may be running.
    """

    pid: int
    args: Sequence[str]
    _server: socket.socket
    returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, or None while it is running."""
        if self.returncode is None and select.select([self._server], [], [], 0)[0]:
            self.returncode = os.waitstatus_to_exitcode(_heard(self._server))
            self._server.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends; return its exit code.

        Raises:
            subprocess.TimeoutExpired: it did not end within that many seconds.
        """
        if self.returncode is None:
            select.select([self._server], [], [], timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode or 0

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


#: A program, however it was started.
Started = Process | subprocess.Popen[Any]


def start(
    args: Sequence[str | Path],
    env: Mapping[str, str],
    *,
    cwd: Path | None = None,
    stdout: int | IO[Any] = subprocess.DEVNULL,
    stderr: int | IO[Any] = subprocess.DEVNULL,
    start_new_session: bool = False,
) -> Process:
    """Start a program; the arguments have the names and meanings of subprocess.Popen's.

    Args:
        args: this interpreter, then a file or `-m` and a module, then its arguments.
        env: its environment.
        cwd: its folder; by default this process's.
        stdout: a file, or DEVNULL.
        stderr: likewise.
        start_new_session: whether it leads a new session.
    """
    words = [str(word) for word in args]
    assert words[0] == sys.executable, words
    job = {
        "words": words[1:],
        "folder": str(cwd or Path.cwd()),
        "environment": dict(env),
        "session": start_new_session,
    }
    server = socket.socket(socket.AF_UNIX)
    server.connect(shared()[_VARIABLE])
    with Path(os.devnull).open("r+b") as nothing:
        files = [nothing if file == subprocess.DEVNULL else file for file in (stdout, stderr)]
        standard = [each if isinstance(each, int) else each.fileno() for each in (nothing, *files)]
        socket.send_fds(server, [b"\n"], standard)
    server.sendall(json.dumps(job).encode() + b"\n")
    return Process(_heard(server), words, server)


def run(
    args: Sequence[str | Path],
    env: Mapping[str, str],
    *,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to completion; return its exit code and output.

    Raises:
        subprocess.TimeoutExpired: it did not end within that many seconds, and was killed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        program = start(args, env, cwd=cwd, stdout=out, stderr=err)
        try:
            code = program.wait(timeout)
        except subprocess.TimeoutExpired:
            program.kill()
            raise
        return subprocess.CompletedProcess(args, code, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _heard(server: socket.socket) -> int:
    said = server.recv(INT, socket.MSG_WAITALL)
    assert said, "the fork server has ended"
    return int.from_bytes(said, "big")


@cache
def shared() -> dict[str, str]:
    """Return the variable by which processes find the fork server; start the server if necessary.

    The workers of a pytest run share one server, which exits with the last worker that uses it.
    """
    if _VARIABLE in os.environ:
        return {_VARIABLE: os.environ[_VARIABLE]}
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
    path = Path(tempfile.gettempdir(), f"preloaded-{run}")
    with FileLock(f"{path}.lock"):
        if not _is_joined(path):
            _start(path)
    return {_VARIABLE: str(path)}


def _is_joined(path: Path) -> bool:
    """Join a running server and keep it alive until this process exits; return if there is one."""
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(str(path))
        server.sendall(b"\n")
        if server.recv(len(READY), socket.MSG_WAITALL) == READY:
            _JOINED.append(server)
            return True
    except OSError:  # not started yet, or already gone
        pass
    server.close()
    return False


def _start(path: Path) -> None:
    path.unlink(missing_ok=True)
    # The server must have no other threads when it forks, and OpenBLAS would start some.
    environment = os.environ | {"PYTHONPATH": "", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", str(_SERVER), str(path)]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == READY
    process.stdout.close()

    def end() -> None:
        process.communicate()  # it ends when no other worker uses it
        with FileLock(f"{path}.lock"):
            if not _is_joined(path):  # nor has a worker started another since
                path.unlink(missing_ok=True)
                Path(f"{path}.lock").unlink(missing_ok=True)

    atexit.register(end)
