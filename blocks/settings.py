"""What the scripts of this folder are told: by the environment, and where that is silent by .env.

Also puts flows/ on the path, where the block classes of this project's own are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

PROJECT = Path(__file__).absolute().parents[1]
ENV_FILE = Path(os.environ.get("TRIPS_ENV_FILE") or PROJECT / ".env")
#: Variables whose values, or parts of them, are never printed.
SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GCP_SERVICE_ACCOUNT",
    "GITHUB_STORAGE_TOKEN",
    "NOTIFY_WEBHOOK_URL",
    "POSTGRES_PASSWORD",
)

if (_FLOWS := str(PROJECT / "flows")) not in sys.path:
    sys.path.append(_FLOWS)

from orchestration import prefect_home  # noqa: E402, F401 - flows/ is on the path only now


class SettingError(Exception):
    """A variable that is missing or cannot be meant; the message names it."""


@dataclass(frozen=True)
class Settings:
    """The variables, by name.

    Attributes:
        values: those that have one.
        file: the .env file, for messages.
    """

    values: Mapping[str, str]
    file: Path

    @classmethod
    def read(cls, file: Path) -> Settings:
        """The environment over a .env file, which need not be there; empty counts as unset."""
        # As it is written: a password may have a dollar sign in it.
        both = dotenv_values(file, interpolate=False) | os.environ
        return cls({name: value for name, value in both.items() if value}, file)

    def get(self, name: str, default: str = "") -> str:
        """The value of a variable, or the default."""
        return self.values.get(name, default)

    def required(self, name: str) -> str:
        """The value of a variable.

        Raises:
            SettingError: it has none.
        """
        if name not in self.values:
            raise self.wrong(name, "is not set")
        return self.values[name]

    def wrong(self, name: str, why: str) -> SettingError:
        """The error for a variable, with where to set it."""
        return SettingError(
            f"{name} {why}; set it in {self.file} or in the environment (.env.example explains it)"
        )

    def bucket(self, name: str) -> str:
        """The name of a bucket, which must be given and has no slash."""
        value = self.required(name)
        if "/" in value:
            raise self.wrong(name, f"is {value!r}, but must be the bucket's name alone")
        return value

    def address(self, name: str) -> str:
        """The value of a variable that must be an http or https address; empty if it has none.

        Raises:
            SettingError: it is no address. The message does not show it: it may be secret.
        """
        value = self.get(name)
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.netloc):
            raise self.wrong(name, "is no address that begins with http:// or https://")
        return value

    def hidden(self, text: str) -> str:
        """A text without what is secret in the variables."""
        for name in SECRETS:
            # A key file in a variable has several lines: none of them may be shown.
            for part in (self.get(name), *self.get(name).splitlines()):
                text = text.replace(part, "***") if len(part) > 3 else text
        return text
