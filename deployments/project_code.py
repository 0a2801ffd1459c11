"""Collects the files of the project to upload: all that `.prefectignore` allows, but no secrets."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from settings import Settings

import pathspec

from core.errors import UsageError
from core.redaction import secrets_of

IGNORE_FILE = ".prefectignore"
#: A private key in PEM, and its field in a Google key file.
_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\"private_key\"\s*:")
#: Shorter values may be ordinary words in the code.
_SECRET_LENGTH = 16


@dataclass(frozen=True)
class ProjectCode:
    """The files of one upload.

    Attributes:
        root: the project's folder.
        files: POSIX paths from there, sorted.
        digest: changes with any name or content.
    """

    root: Path
    files: tuple[str, ...]
    digest: str

    @classmethod
    def read(cls, root: Path, settings: Settings) -> ProjectCode:
        """Read the files that `.prefectignore` does not exclude.

        Raises:
            UsageError: a file contains a secret, or there is no `.prefectignore`.
        """
        digest = hashlib.sha256()
        files = tuple(sorted(_left(root)))
        for name in files:
            data = (root / name).read_bytes()
            _refuse_secret(name, data, settings)
            digest.update(f"{name}\0{len(data)}\0".encode() + data)
        return cls(root, files, digest.hexdigest()[:16])

    def size(self) -> int:
        """Return the bytes of all files."""
        return sum((self.root / name).stat().st_size for name in self.files)


def _left(root: Path) -> Iterator[str]:
    """Yield the files that `.prefectignore` does not exclude, without listing excluded folders.

    Prefect's `filter_files` lists `.venv` first, which takes seconds.
    """
    file = root / IGNORE_FILE
    if not file.is_file():
        raise UsageError(f"{file} is missing; without it, secrets and data would be uploaded")
    ignored = pathspec.GitIgnoreSpec.from_lines(file.read_text().splitlines())
    for folder, folders, names in os.walk(root):
        place = Path(folder).relative_to(root)
        folders[:] = [f for f in folders if not ignored.match_file(f"{(place / f).as_posix()}/")]
        paths = ((place / name).as_posix() for name in names)
        yield from (p for p in paths if not ignored.match_file(p) and (root / p).is_file())


def _secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each secret of the settings, such as that of a source, with its variable."""
    for variable, text in settings.values.items():
        yield from ((variable, value) for value in secrets_of({variable: text}))


def _refuse_secret(name: str, data: bytes, settings: Settings) -> None:
    values = ((v, value) for v, value in _secrets(settings) if len(value) >= _SECRET_LENGTH)
    held = [variable for variable, value in values if value.encode() in data]
    if held or _KEY.search(data):
        what = f"the value of {held[0]}" if held else "a private key"
        raise UsageError(
            f"{name} contains {what} and would be uploaded; add it to {IGNORE_FILE}, or move it "
            "out of the project"
        )
