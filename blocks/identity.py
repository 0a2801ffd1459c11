"""Passes the identity of this machine at Google and AWS on to containers."""

from __future__ import annotations

import json
from pathlib import Path

from settings import Settings

#: Variables that Google's and AWS's clients read wherever they run.
_VARIABLES = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AWS_CONFIG_FILE",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_FILES = ("GOOGLE_APPLICATION_CREDENTIALS", "AWS_CONFIG_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE")


def variables(settings: Settings) -> dict[str, str | None]:
    """Return the variables by which a container's clients find the identity."""
    return {name: settings.get(name) for name in _VARIABLES if settings.get(name)}


def volumes(settings: Settings) -> list[str]:
    """Return the volumes with the files that these variables name, at the same paths.

    Raises:
        SettingError: a variable is not the absolute path of a file.
    """
    found = [path for name in _FILES if settings.get(name) for path in _read(settings, name)]
    return [f"{path}:{path}:ro" for path in dict.fromkeys(found)]


def _read(settings: Settings, name: str) -> list[Path]:
    """Return what a container needs for a variable: its file, or the folder of its token."""
    path = Path(settings.get(name))
    if not path.is_absolute() or not path.is_file():
        raise settings.wrong(name, f"is {str(path)!r}, which is not the absolute path of a file")
    if name == "AWS_WEB_IDENTITY_TOKEN_FILE":
        return [path.parent]  # a new token replaces the file, which a mount of it would not show
    if name == "GOOGLE_APPLICATION_CREDENTIALS":
        return [path, *_token_folder(settings, name, path)]
    return [path]


def _token_folder(settings: Settings, name: str, path: Path) -> list[Path]:
    """Return the folder of the token that a file of workload identity federation names."""
    try:
        source = json.loads(path.read_text("utf-8")).get("credential_source", {})
    except (ValueError, AttributeError) as error:
        raise settings.wrong(name, f"is {path}, which is not a file of credentials") from error
    return [Path(source["file"]).parent] if "file" in source else []
