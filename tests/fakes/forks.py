"""Run one month in each of several processes that start together and are killed at a given step.

`Forks` is a process that has imported everything and started no thread. Each job is a fork of it,
which costs milliseconds where a new interpreter costs half a second. The module that the process
runs decides what a fork does with its job; `serve` is its main loop.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

#: Audit events that change files, with the position of the directory descriptor, if any.
_CHANGES = {"os.mkdir": 2, "os.rename": 2, "os.remove": 1, "os.rmdir": 1}


@dataclass(frozen=True)
class Outcome:
    """The end of a job.

    Attributes:
        result: what it returned; None if it raised or was killed.
        error: name and text of the exception, if it raised one.
        killed: whether it reached the step at which it was to be killed.
        last_written: the file that the step before opened for writing, if it did.
        statement: the first word of the DuckDB statement that the kill prevented, if it did.
    """

    result: Any = None
    error: str = ""
    killed: bool = False
    last_written: Path | None = None
    statement: str = ""


class Forks:
    """Runs one job at a time with a module; a context manager."""

    def __init__(self, module: str = "fakes.forks") -> None:
        # No thread may exist when the process forks, and OpenBLAS would start some.
        folders = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "flows")]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(folders), "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
        )

    def __enter__(self) -> Forks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()  # an orderly end takes a fifth of a second, or until the job is done
        self._process.communicate()

    def run(self, root: Path, source: Path, kill_at: int = 0) -> Outcome:
        """Run a month to its end, or to its `kill_at`-th change of a file or the database."""
        self.prepare(root, source, kill_at=kill_at)
        self.go()
        return self.outcome()

    def prepare(
        self,
        root: Path,
        source: Path,
        scratch: Path | None = None,
        kill_at: int = 0,
        more: dict[str, str] | None = None,
    ) -> None:
        """Fork a process that is ready to run a month.

        Args:
            root: folder of bucket, warehouse and scratch.
            source: the published file.
            scratch: another scratch folder.
            kill_at: kill it before this change of a file or the database; 0 for never.
            more: what else the module's job needs.
        """
        job = {
            "root": str(root),
            "source": str(source),
            "scratch": str(scratch or root / "scratch"),
            "kill_at": kill_at,
            **(more or {}),
        }
        self._send(json.dumps(job) + "\n")
        assert self._hear() == "ready"

    def go(self) -> None:
        """Let the process run."""
        self._send("g")

    def outcome(self) -> Outcome:
        """Wait until it ends; return how."""
        said: dict[str, Any] = {}
        while "exit" not in said:
            heard = self._hear()
            said |= heard
        last = said.get("last_written")
        return Outcome(
            said.get("result"),
            said.get("error", ""),
            os.waitstatus_to_exitcode(said["exit"]) == -signal.SIGKILL,
            Path(last) if last else None,
            said.get("statement", ""),
        )

    def _send(self, text: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def _hear(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the process that forks has ended"
        return json.loads(line)


class Changes:
    """Counts a process's changes to files in a folder, and kills it before one of them.

    Attributes:
        done: changes so far.
    """

    def __init__(self, root: str, kill_at: int) -> None:
        self._root, self._kill_at = root, kill_at
        self._last_written: str | None = None
        self.done = 0

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """Count file changes as an audit hook (PEP 578)."""
        if event == "open":
            path, _, flags = args
            if flags & (os.O_WRONLY | os.O_RDWR) and self._is_inside(path, -1):
                self.count(os.fspath(path))
        elif event in _CHANGES and self._is_inside(args[0], args[_CHANGES[event]]):
            self.count()

    def count(self, written: str | None = None, statement: str = "") -> None:
        """Count a change that is about to be made; kill the process if it is the one."""
        self.done += 1
        if self.done == self._kill_at:
            _say({"last_written": self._last_written, "statement": statement})
            os.kill(os.getpid(), signal.SIGKILL)
        self._last_written = written

    def _is_inside(self, path: Any, directory: int) -> bool:
        # With a descriptor the name is relative: only shutil.rmtree does that, in the scratch.
        return directory > -1 or (isinstance(path, (str, Path)) and self._in_root(str(path)))

    def _in_root(self, path: str) -> bool:
        return path.startswith(self._root)


class Counted:
    """A DuckDB connection whose statements count as changes."""

    def __init__(self, db: Any, changes: Changes) -> None:
        self._db, self._changes = db, changes

    def __enter__(self) -> Counted:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def __getattr__(self, name: str) -> Any:
        if name in ("begin", "commit", "rollback"):
            self._changes.count(statement=name)
        return getattr(self._db, name)

    def cursor(self) -> Counted:
        """Return a cursor whose statements count, too."""
        return Counted(self._db.cursor(), self._changes)

    def execute(self, sql: str, *parameters: Any) -> Any:
        """Count a statement that changes data or files; COMMENT statements do not count."""
        reads = sql.startswith(("SELECT", "SET", "USE", "COMMENT")) or "READ_ONLY" in sql
        if not reads:
            self._changes.count(statement=sql.split()[0])
        return self._db.execute(sql, *parameters)


def serve(work: Callable[[dict[str, Any]], Any]) -> None:
    """Fork for each job that comes in, and report how it ended."""
    while line := sys.stdin.buffer.readline():
        process = os.fork()
        if process == 0:
            try:
                _child(json.loads(line), work)
            finally:
                os._exit(0)
        _say({"exit": os.waitpid(process, 0)[1]})


def _child(job: dict[str, Any], work: Callable[[dict[str, Any]], Any]) -> None:
    os.environ["TRIPS_SCRATCH"] = job["scratch"]
    if job["kill_at"]:
        _watch(Changes(job["root"], job["kill_at"]))
    _say("ready")
    if not os.read(0, 1):
        return  # the test has ended
    try:
        _say({"result": work(job)})
    except Exception as error:
        _say({"error": f"{type(error).__name__}: {error}"})


def _watch(changes: Changes) -> None:
    import duckdb

    connect: Any = duckdb.connect

    def counted(*args: Any, **options: Any) -> Counted:
        return Counted(connect(*args, **options), changes)

    duckdb.connect = counted  # type: ignore[assignment] # replaces it in this process
    sys.addaudithook(changes.hook)


def _say(what: object) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _run_month() -> None:
    from fakes.one_month import run_month

    serve(lambda job: run_month(Path(job["root"]), Path(job["source"])))


if __name__ == "__main__":
    _run_month()
