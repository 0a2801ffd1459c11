"""Settings and where they come from.

One order holds everywhere: parameter, environment, .env, saved block, default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

PROJECT = Path(__file__).absolute().parents[2]
FILE = Path(os.environ.get("TRIPS_ENV_FILE") or PROJECT / ".env")
#: As it is written: a password may have a dollar sign in it.
_IN_FILE = dotenv_values(FILE, interpolate=False)


@dataclass(frozen=True)
class Setting:
    """A value that a run uses.

    Attributes:
        value: as text.
        origin: who has set it, for people.
        overrides: what has set it otherwise, with less weight; empty if nothing has.
    """

    value: str
    origin: str = "default"
    overrides: str = ""

    @property
    def is_default(self) -> bool:
        """Whether nobody has set it."""
        return self.origin == "default"

    def __str__(self) -> str:
        """Value, origin, and what it overrides."""
        return f"{self.value} ({self.why})"

    @property
    def why(self) -> str:
        """Origin, and what it overrides."""
        return f"{self.origin}, overrides {self.overrides}" if self.overrides else self.origin


def setting(variable: str, default: str) -> Setting:
    """Return what the environment says, or .env; empty is unset, as `.env.example` leaves it."""
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
    """Let the library and the processes of this run see a variable that only .env has."""
    found = setting(variable, "")
    if found.value:
        os.environ[variable] = found.value
