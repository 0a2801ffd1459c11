"""Start Python programs as forks of a process that has imported Prefect, which takes seconds.

Each program is a separate process with its own environment, folder, output and signals. It
imports this project's modules itself, and Prefect reads its settings when the program first
imports it. `tests/test_cli.py` and `tests/test_first_hour_commands.py` start new interpreters.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import IO, Any

#: What commands, runs by agents and `prefect` itself import.
_MODULES = (
    *("prefect.cli", "prefect.engine", "prefect.task_engine", "prefect.server.api.server"),
    *("aiosqlite", "alembic.command", "anyio._backends._asyncio", "pygments.formatters"),
    *("matplotlib.backends.backend_agg", "matplotlib.figure"),
)
#: The command `prefect`, as a script.
PREFECT = (sys.executable, str(Path(sys.executable).with_name("prefect")))
#: Of Kubernetes.
_CLIENTS = {"kubernetes.config.kube_config", "kubernetes_asyncio.config.kube_config"}
_VARIABLE = "TESTS_PRELOADED"
_READY = b"ready\n"
_INT = 4


@dataclass
class Process:
    """A program that was started, with the methods of subprocess.Popen that tests use.

    Attributes:
        pid: its process.
        args: its command.
        returncode: how it ended, as in subprocess; None while it may be running.
    """

    pid: int
    args: Sequence[str]
    _server: socket.socket
    returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it ended, or None if it is running."""
        if self.returncode is None and select.select([self._server], [], [], 0)[0]:
            self.returncode = os.waitstatus_to_exitcode(_heard(self._server))
            self._server.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends; return how.

        Raises:
            subprocess.TimeoutExpired: it did not within that many seconds.
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
    """Run a program to its end; return its exit code and output.

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
    said = server.recv(_INT, socket.MSG_WAITALL)
    assert said, "the process that forks has ended"
    return int.from_bytes(said, "big")


@cache
def shared() -> dict[str, str]:
    """Return the variable by which other processes find the one that forks, and start that.

    It ends with this process.
    """
    if _VARIABLE in os.environ:
        return {_VARIABLE: os.environ[_VARIABLE]}
    folder = tempfile.TemporaryDirectory(prefix="preloaded-")
    path = f"{folder.name}/socket"
    # No thread may exist when the process forks, and OpenBLAS would start some.
    environment = os.environ | {"PYTHONPATH": "", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, path]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == _READY
    process.stdout.close()

    def end() -> None:
        process.communicate()
        folder.cleanup()

    atexit.register(end)
    return {_VARIABLE: path}


# ---- the process that forks


class _Hidden(MetaPathFinder, Loader):
    """Holds the modules of Prefect until a program imports `prefect` or one of them."""

    def __init__(self) -> None:
        self._modules = {
            name: module for name, module in sys.modules.items() if name.startswith("prefect")
        }
        for name in self._modules:
            del sys.modules[name]
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Return the spec of `prefect`, which precedes all of its modules."""
        return ModuleSpec(name, self, is_package=True) if name == "prefect" else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return `prefect` itself."""
        self._spec = self._modules["prefect"].__spec__
        return self._modules["prefect"]

    def exec_module(self, module: ModuleType) -> None:
        """Restore the modules, and let Prefect read its settings again."""
        sys.meta_path.remove(self)
        sys.modules.update(self._modules)
        module.__spec__ = self._spec
        from prefect.logging import configuration

        context: Any = import_module("prefect.context")
        context.GLOBAL_SETTINGS_CONTEXT = None
        context.GLOBAL_SETTINGS_CONTEXT = context.root_settings_context()
        configuration.PROCESS_LOGGING_CONFIG = None
        configuration.setup_logging()


def _serve(listening: socket.socket) -> list[str]:
    """Fork for each program, and report how it ended; return a fork's words in that fork."""
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        ready = select.select([0, listening.fileno(), *running], [], [])[0]
        if 0 in ready:  # nobody has the other end any more
            os._exit(0)
        for ended in running.keys() & set(ready):
            _report(*running.pop(ended))
            os.close(ended)
        if listening.fileno() in ready:
            client, _ = listening.accept()
            files = socket.recv_fds(client, 1, 3)[1]
            job = json.loads(client.makefile().readline())
            if (pid := os.fork()) == 0:
                return _become(job, files)
            for file in files:
                os.close(file)
            running[os.pidfd_open(pid)] = pid, client
            client.sendall(pid.to_bytes(_INT, "big"))


def _report(pid: int, client: socket.socket) -> None:
    """Tell a client, unless it has ended itself, how its program ended."""
    code = os.waitpid(pid, 0)[1]
    with client, suppress(BrokenPipeError):
        client.sendall(code.to_bytes(_INT, "big"))


def _become(job: Mapping[str, Any], files: Sequence[int]) -> list[str]:
    """Take the output, folder and environment of a program in a fork; return its words."""
    for place, file in enumerate(files):
        os.dup2(file, place)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if job["session"]:
        os.setsid()
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    if "KUBECONFIG" in os.environ:  # which the clients read as they are imported
        for name in _CLIENTS & sys.modules.keys():
            vars(sys.modules[name])["KUBE_CONFIG_DEFAULT_LOCATION"] = os.environ["KUBECONFIG"]
    if os.environ.get("PYTHONWARNINGS") != "ignore":
        warnings.resetwarnings()
    words: list[str] = job["words"]
    return words


def _run(words: list[str]) -> None:
    """Run a file or a module as Python does."""
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path[:0] = [str(Path.cwd()), *paths]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    sys.argv = words
    sys.path[:0] = [str(Path(words[0]).resolve().parent), *paths]
    main = ModuleType("__main__")
    main.__file__ = words[0]
    sys.modules["__main__"] = main
    exec(compile(Path(words[0]).read_bytes(), words[0], "exec"), main.__dict__)


def _main() -> None:
    sys.path.pop(0)  # this folder, which has a package named google
    gc.disable()
    for name in _MODULES:
        import_module(name)
    import_module("prefect.plugins").load_prefect_collections()
    gc.freeze()
    _Hidden()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(sys.argv[1])
    listening.listen()
    os.write(1, _READY)
    words = _serve(listening)
    gc.enable()
    gc.set_threshold(50_000)  # as dev/share_home.py has it for Prefect's processes
    _run(words)


if __name__ == "__main__":
    _main()
