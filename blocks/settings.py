"""Settings of the scripts in this folder, from the environment or else from .env.

Importing this module puts flows/ on the path, for the project's own block classes.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PROJECT = Path(__file__).absolute().parents[1]
#: Variables whose values are never printed, not even in part.
SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GCP_SERVICE_ACCOUNT",
    "GITHUB_STORAGE_TOKEN",
    "NOTIFY_WEBHOOK_URL",
    "POSTGRES_PASSWORD",
)
#: Prefix of the variables of secrets that sources refer to.
_OF_SOURCES = "TRIPS_SECRET_"

if (_FLOWS := str(PROJECT / "flows")) not in sys.path:
    sys.path.append(_FLOWS)


def _take_env_file() -> None:
    """Set TRIPS_ENV_FILE to the file that `--env` names, before the imports below read it.

    They export some variables of the .env they read, which would override those of the named file.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--env", nargs="?")
    if named := parser.parse_known_args()[0].env:
        os.environ["TRIPS_ENV_FILE"] = named


_take_env_file()

# flows/ is on the path only now.
from orchestration import prefect_home, variables  # noqa: E402, F401
from orchestration.variables import FILE as ENV_FILE  # noqa: E402


def add_env_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the .env file."""
    about = "the .env file; %(default)s"
    parser.add_argument("--env", type=_named, default=ENV_FILE, help=about)


def _named(text: str) -> Path:
    if not text:  # Path("") would be a folder
        raise argparse.ArgumentTypeError("names no file")
    return Path(text)


class SettingError(Exception):
    """A variable that is missing or invalid; the message names it."""


@dataclass(frozen=True)
class Settings:
    """Variables by name.

    Attributes:
        values: the variables that have a value.
        file: the .env file, for messages.
    """

    values: Mapping[str, str]
    file: Path

    @classmethod
    def read(cls, file: Path) -> Settings:
        """Read a .env file and the environment; empty counts as unset.

        The environment takes precedence.

        Raises:
            UsageError: the file cannot be read, or a named one does not exist.
        """
        known = file == ENV_FILE
        in_file = variables.in_file() if known else variables.read_file(file, named=True)
        places = in_file, os.environ
        return cls({n: value for found in places for n, value in found.items() if value}, file)

    def get(self, name: str, default: str = "") -> str:
        """Return the value of a variable, or the default."""
        return self.values.get(name, default)

    def has(self, name: str) -> bool:
        """Return whether a variable has a value; NAME in its name stands for any name."""
        return bool(fnmatch.filter(self.values, name.replace("NAME", "?*")))

    def secrets(self) -> dict[str, str]:
        """Return the values of the secrets of sources, by variable."""
        return {n: v for n, v in self.values.items() if fnmatch.fnmatch(n, f"{_OF_SOURCES}?*")}

    def required(self, name: str) -> str:
        """Return the value of a variable.

        Raises:
            SettingError: the variable has no value.
        """
        if name not in self.values:
            raise self.wrong(name, "is not set")
        return self.values[name]

    def wrong(self, name: str, why: str) -> SettingError:
        """Return the error for a variable, which says where to set it."""
        return SettingError(
            f"{name} {why}; set it in {self.file} or in the environment (.env.example explains it)"
        )

    def bucket(self, name: str) -> str:
        """Return the name of a bucket, which is required and must not contain a slash."""
        value = self.required(name)
        if "/" in value:
            raise self.wrong(name, f"is {value!r}, but must be the bucket's name alone")
        return value

    def place(self, name: str, default: str) -> str:
        """Return the value of a variable for a bucket or a warehouse, a block or a path.

        Raises:
            SettingError: it is an address. The message omits the value, which may be secret.
        """
        value = self.get(name, default)
        if "://" in value:
            raise self.wrong(name, f"is an address, not a block such as {default} or a path")
        return value

    def image(self, name: str) -> str:
        """Return the name of an image, which is required and must have a tag other than latest."""
        value = self.required(name)
        tag = value.rpartition("/")[2].partition(":")[2]
        if not tag or tag == "latest":
            # An untagged or `latest` image is always pulled, and a local one has no registry.
            raise self.wrong(name, f"is {value!r}, which has no tag other than latest")
        return value

    def matching(self, name: str, form: re.Pattern[str], default: str = "") -> str:
        """Return the value of a variable, which must match the pattern unless it is empty."""
        value = self.get(name, default)
        if value and not form.fullmatch(value):
            raise self.wrong(name, f"is {value!r}, which is not of the form {form.pattern}")
        return value

    def parts(self, name: str, form: re.Pattern[str], default: str = "") -> list[str]:
        """Return the comma-separated parts of a value, each of which must match the pattern."""
        found = [part.strip() for part in self.get(name, default).split(",") if part.strip()]
        for part in found:
            if not form.fullmatch(part):
                raise self.wrong(name, f"has {part!r}, which is not of the form {form.pattern}")
        return found

    def address(self, name: str) -> str:
        """Return the value of a variable that must be an http or https URL, or "" if it is unset.

        Raises:
            SettingError: it is not such a URL. The message omits the value, which may be secret.
        """
        value = self.get(name)
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.netloc):
            raise self.wrong(name, "is not an address that begins with http:// or https://")
        return value

    def hidden(self, text: str) -> str:
        """Return a text with the values of secret variables masked."""
        for name in (*SECRETS, *self.secrets()):
            # A key in a variable may span several lines, each of them secret.
            for part in (self.get(name), *self.get(name).splitlines()):
                text = text.replace(part, "***") if len(part) > 3 else text
        return text
