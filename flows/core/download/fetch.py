"""The download of a published file, from a web server or this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from core.download.http import Http
from core.download.local import File
from core.download.partial import PartFile, Progress
from core.download.remote_file import Download, RemoteFile, What


def fetch(
    wanted: RemoteFile[What],
    path: Path,
    check: Callable[[Path, str], object],
    progress: Progress = lambda done, total: None,
) -> Download[What]:
    """Download a file, complete and checked or not at all, in one attempt.

    After a broken connection, the next attempt resumes `<name>.part` if the publisher still has
    the same state of the file. Two concurrent downloads of the same name must not share a
    folder.

    Args:
        wanted: the file and its address.
        path: target file; its folder is created if needed.
        check: raises BadFile for a bad file; gets the downloaded file and the name of `path`.
        progress: called with the bytes so far and in total (None: unknown), four times per MB.

    Raises:
        NotPublished, Unreachable, SourceError: the file is missing, or the publisher is silent
            or refuses.
        BadFile: from `check`; nothing is kept.
        StorageError: the folder's disk is full or not writable; nothing is kept.
    """
    transport = transport_of(wanted.url)
    return whole(wanted.what, path, lambda part: transport.fetch(wanted, part, progress), check)


def transport_of(url: str) -> Http | File:
    """Return the transport that queries an address and downloads from it."""
    return File() if urlsplit(url).scheme == "file" else Http()


def whole(
    what: object,
    path: Path,
    receive: Callable[[PartFile], Download[What]],
    check: Callable[[Path, str], object],
) -> Download[What]:
    """Receive a file next to its path, check it, and move it into place."""
    part = PartFile(path.with_name(f"{path.name}.part"))
    with part.good_or_gone(what):
        path.parent.mkdir(parents=True, exist_ok=True)
        is_resumed, begun = part.path.exists(), time.perf_counter()
        found = receive(part)
        seconds = 0.0 if is_resumed else time.perf_counter() - begun
        check(part.path, path.name)
        part.path.replace(path)
    part.forget()
    return replace(found, path=path, seconds=seconds)
