"""The fork server of `fakes.preloaded`: imports Prefect once, then forks the programs.

python tests/fakes/preloading.py SOCKET
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import socket
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

#: The modules that commands, agents' runs and `prefect` itself import.
_MODULES = (
    *("prefect.cli", "prefect.engine", "prefect.task_engine", "prefect.server.api.server"),
    *("aiosqlite", "alembic.command", "anyio._backends._asyncio", "pygments.formatters"),
    *("matplotlib.backends.backend_agg", "matplotlib.figure"),
)
#: The modules of Kubernetes' clients that read KUBECONFIG as they are imported.
_CLIENTS = {"kubernetes.config.kube_config", "kubernetes_asyncio.config.kube_config"}
#: What the server prints once it listens, and the size in bytes of the numbers that it sends.
READY, INT = b"ready\n", 4


class _Hidden(MetaPathFinder, Loader):
    """Hides the modules of Prefect until a program imports `prefect` or one of them."""

    def __init__(self) -> None:
        self._modules = {
            name: module for name, module in sys.modules.items() if name.startswith("prefect")
        }
        for name in self._modules:
            del sys.modules[name]
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Return the spec of `prefect`, which is imported before its submodules."""
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
    """Fork for each program and report its exit status; in a fork, return the program's words."""
    running: dict[int, tuple[int, socket.socket]] = {}
    users: dict[int, socket.socket | None] = {0: None}  # the process that started the server
    while True:
        ready = select.select([*users, listening.fileno(), *running], [], [])[0]
        for ended in users.keys() & set(ready):
            del users[ended]
        if not users:
            os._exit(0)
        for ended in running.keys() & set(ready):
            _report(*running.pop(ended))
            os.close(ended)
        if listening.fileno() in ready:
            client, _ = listening.accept()
            files = socket.recv_fds(client, 1, 3)[1]
            if not files:
                users[client.fileno()] = client
                with suppress(OSError):  # it has ended already
                    client.sendall(READY)
                continue
            job = json.loads(client.makefile().readline())
            if (pid := os.fork()) == 0:
                return _become(job, files)
            for file in files:
                os.close(file)
            running[os.pidfd_open(pid)] = pid, client
            client.sendall(pid.to_bytes(INT, "big"))


def _report(pid: int, client: socket.socket) -> None:
    """Send a client the exit status of its program, unless the client has ended itself."""
    code = os.waitpid(pid, 0)[1]
    with client, suppress(BrokenPipeError):
        client.sendall(code.to_bytes(INT, "big"))


def _become(job: Mapping[str, Any], files: Sequence[int]) -> list[str]:
    """Give a fork the output, folder and environment of its program; return the program's words."""
    for place, file in enumerate(files):
        os.dup2(file, place)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if job["session"]:
        os.setsid()
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    if "KUBECONFIG" in os.environ:  # the clients read it before the fork
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
    os.write(1, READY)
    words = _serve(listening)
    gc.enable()
    gc.set_threshold(50_000)  # as dev/share_home.py sets it for Prefect's processes
    _run(words)


if __name__ == "__main__":
    _main()
