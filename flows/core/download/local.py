"""Files on this machine as a source of published files."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from os import fstat
from pathlib import Path
from typing import Any

from core.download.partial import PartFile, Progress, Validators
from core.download.remote_file import Download, RemoteFile, What, path_of
from core.errors import NotPublished, SourceError, Unreachable, UsageError

_CHUNK_BYTES = 1 << 18
#: Number of similar names to show for a missing one.
NEAR_NAMES = 3


class File:
    """A file on this machine, which is copied."""

    def look(self, wanted: RemoteFile[What]) -> RemoteFile[What]:
        """Query the size and modification time on disk."""
        size, modified = self._seen(wanted)
        return replace(wanted, size=size, etag=None, last_modified=modified)

    def fetch(self, wanted: RemoteFile[What], part: PartFile, progress: Progress) -> Download[What]:
        """Copy the file."""
        (size, modified), path = self._seen(wanted), path_of(wanted.url)
        if path.parent.samefile(part.path.parent):
            raise UsageError(f"{wanted} is in the scratch folder itself; choose another folder")
        validators = Validators(wanted.url, None, modified)
        part.begin(validators)
        counted = part.receive(_chunks(wanted, path), size, progress)
        return part.download(wanted, counted, validators)

    def _seen(self, wanted: RemoteFile[Any]) -> tuple[int, str]:
        """Return the size and the modification time."""
        try:
            with path_of(wanted.url).open("rb") as file:
                found = fstat(file.fileno())
        except (FileNotFoundError, NotADirectoryError) as error:
            near = _nearby(path_of(wanted.url))
            raise NotPublished(f"{wanted}: there is no such file; {near}") from error
        except OSError as error:
            message = f"{wanted} cannot be read: {error}; choose a readable file"
            raise SourceError(message) from error
        return found.st_size, _date(found.st_mtime_ns)


def _chunks(wanted: RemoteFile[Any], path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file; a read error is not one of the disk that takes the copy.

    Raises:
        Unreachable: the file cannot be read, such as one of a network share that went away.
    """
    try:
        with path.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK_BYTES), b"")
    except OSError as error:
        raise Unreachable(f"{wanted} cannot be read: {error}; try again later") from error


def _date(nanoseconds: int) -> str:
    """Return a time as an HTTP date, with its fraction of a second.

    A file that is corrected within the second in which it was loaded has another time.
    """
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    date = formatdate(seconds, usegmt=True)
    return date.replace(" GMT", f".{fraction:09} GMT") if fraction else date


def _nearby(path: Path) -> str:
    """Return a hint for a path that does not exist: the most similar names."""
    folder = next(above for above in path.parents if above.is_dir())
    missing = path.relative_to(folder).parts[0]
    try:
        names = sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))
    except PermissionError:
        return f"{folder} has no {missing}, and this user may not list what it has"
    close = difflib.get_close_matches(missing, names, NEAR_NAMES, cutoff=0.6)
    if close:
        return f"{folder} has no {missing}, but {', '.join(close)}"
    return f"{folder} has no {missing}, and nothing of a similar name ({len(names)} names)"
