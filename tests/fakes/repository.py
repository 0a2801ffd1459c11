"""A folder that stands in for a GitHub repository: git itself fetches from it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from fakes.docker_engine import run

_GITHUB = "https://github.com/"
ADDRESS = f"{_GITHUB}you/flows"
_PROJECT = Path(__file__).absolute().parents[2]
_WHO = ("-c", "user.name=you", "-c", "user.email=you@example.org")


@dataclass(frozen=True)
class Repository:
    """The repository that ADDRESS leads to for git in this environment.

    Attributes:
        site: the folder that stands in for https://github.com.
    """

    site: Path

    @property
    def folder(self) -> Path:
        """Return the working tree; what is committed there can be fetched."""
        return self.site / "you" / "flows"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which git rewrites the address (`insteadOf` in gitconfig)."""
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{self.site}/.insteadOf",
            "GIT_CONFIG_VALUE_0": _GITHUB,
        }

    def publish_the_project(self) -> None:
        """Commit the current flows first."""
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_PROJECT / "flows", self.folder / "flows", ignore=ignored)
        run("git", "init", "--quiet", "--initial-branch=main", self.folder)
        self.commit("The flows")

    def commit(self, message: str) -> None:
        """Commit all changes."""
        run("git", "-C", self.folder, "add", "--all")
        run("git", "-C", self.folder, *_WHO, "commit", "--quiet", "--message", message)
