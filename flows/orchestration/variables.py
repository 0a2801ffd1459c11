"""Settings and where they come from.

The precedence is the same everywhere: parameter, environment, .env, saved block, default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

PROJECT = Path(__file__).absolute().parents[2]
FILE = Path(os.environ.get("TRIPS_ENV_FILE") or PROJECT / ".env")
#: Without interpolation: a password may contain a dollar sign.
_IN_FILE = dotenv_values(FILE, interpolate=False)


@dataclass(frozen=True)
class Setting:
    """A value that a run uses.

    Attributes:
        value: the value as text.
        origin: where it is set, for display.
        overrides: the setting with another value that it takes precedence over; empty if none.
    """

    value: str
    origin: str = "default"
    overrides: str = ""

    @property
    def is_default(self) -> bool:
        """Return whether the value is the default."""
        return self.origin == "default"

    def __str__(self) -> str:
        """Return the value, its origin, and what it overrides."""
        return f"{self.value} ({self.why})"

    @property
    def why(self) -> str:
        """Return the origin, and what it overrides."""
        return f"{self.origin}, overrides {self.overrides}" if self.overrides else self.origin


def setting(variable: str, default: str) -> Setting:
    """Return the value from the environment, else .env; empty means unset, as in `.env.example`."""
    found = [
        Setting(value, f"{variable} in {where}")
        for where, value in (
            ("the environment", os.environ.get(variable)),
            (FILE.name, _IN_FILE.get(variable)),
        )
        if value
    ]
    if not found:
        return Setting(default)
    over = found[1].origin if len({each.value for each in found}) > 1 else ""
    return Setting(found[0].value, found[0].origin, over)


def parameter(value: str, known: Setting) -> Setting:
    """Return the setting of a parameter whose default is another setting."""
    if value == known.value:
        return known
    return Setting(value, "parameter", "" if known.is_default else known.origin)


def share_with_library(variable: str) -> None:
    """Export a variable that only .env sets to the library and the child processes of this run."""
    found = setting(variable, "")
    if found.value:
        os.environ[variable] = found.value
