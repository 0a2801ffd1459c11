"""A new user with a copy of the project, an empty home, and an environment that make installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fakes.humble import humble

PROJECT = Path(__file__).absolute().parents[2]
_FOLDERS = ("flows", "blocks", "deployments", "dev")


@dataclass(frozen=True)
class Newcomer:
    """A user's copy of the project, and the commands that they type.

    Attributes:
        folder: has the project, the home and the temporary folder.
    """

    folder: Path

    @property
    def project(self) -> Path:
        """Return the copy of the project."""
        return self.folder / "project"

    @property
    def home(self) -> Path:
        """Return the Prefect home that is used if nobody chooses one."""
        return self.folder / "home"

    @property
    def python(self) -> str:
        """Return the interpreter of the environment."""
        return str(self.folder / "env" / "bin" / "python")

    @property
    def prefect(self) -> str:
        """Return the environment's `prefect` command, as a script of its interpreter."""
        return str(self.folder / "env" / "bin" / "prefect")

    def install(self, database: Callable[[Path], None]) -> None:
        """Install as `make run` does first, from the packages on this machine.

        Args:
            database: copies Prefect's, whose migrations the upgrade then finds done.
        """
        for name in _FOLDERS:
            ignored = shutil.ignore_patterns("__pycache__")  # other processes write there
            shutil.copytree(PROJECT / name, self.project / name, ignore=ignored)
        for folder in (self.home, self.folder / "tmp"):
            folder.mkdir()
        venv.create(self.folder / "env", symlinks=True)
        (packages,) = (self.folder / "env" / "lib").glob("python*/site-packages")
        (packages / "installed.pth").write_text(sysconfig.get_path("purelib"))
        database(self.project / "data" / "prefect" / "prefect.db")
        Path(self.prefect).write_text("from prefect.cli import app\n\napp()\n")
        upgrade = (self.prefect, "server", "database", "upgrade", "-y")
        for command in (("dev/share_home.py",), upgrade):
            done = self.types(*command, PYTHONWARNINGS="ignore")
            assert done.returncode == 0, done.stderr
        shutil.copytree(self.project / "data", self.folder / "first")

    def start_over(self) -> None:
        """Delete all data, runs and settings."""
        for left in (self.project / "data", self.home, self.folder / "tmp"):
            shutil.rmtree(left)
        for folder in (self.home, self.folder / "tmp"):
            folder.mkdir()
        (self.project / ".env").unlink(missing_ok=True)
        shutil.copytree(self.folder / "first", self.project / "data")

    def command(self, *words: str) -> list[str]:
        """Return what `.venv/bin/python WORDS` runs."""
        return [self.python, *words]

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the environment of a fresh login, with these variables added."""
        login = {"HOME": str(self.home), "PATH": os.defpath, "TMPDIR": str(self.folder / "tmp")}
        return login | variables

    def types(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end in the project's folder."""
        return self._run(self.command(*words), variables)

    def types_as_no_root(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a user to whom file permissions apply."""
        return self._run(humble(*self.command(*words)), variables)

    def _run(
        self, command: Sequence[str], variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.project,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
