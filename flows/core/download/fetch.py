"""Fetch a published file, wherever it is."""

from __future__ import annotations

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
    """Fetch a file, complete and checked or not at all, in one attempt.

    What a broken connection leaves, `<name>.part`, is continued by the next attempt if the
    publisher still has the same state of it. Two downloads of the same name must not share a
    folder at the same time.

    Args:
        wanted: what and where.
        path: where to; its folder is made if it is not there.
        check: refuses what has arrived with a BadFile; gets the file and the name of `path`.
        progress: called with the bytes so far and in all (None: unknown), four times a MB.

    Raises:
        NotPublished, Unreachable, SourceError: the publisher has none, is silent, or refuses.
        BadFile: from `check`; nothing is kept.
        StorageError: the folder took no more; nothing is kept.
    """
    transport = transport_of(wanted.url)
    return whole(wanted.what, path, lambda part: transport.fetch(wanted, part, progress), check)


def transport_of(url: str) -> Http | File:
    """Return what looks at an address and fetches from it."""
    return File() if urlsplit(url).scheme == "file" else Http()


def whole(
    what: object,
    path: Path,
    receive: Callable[[PartFile], Download[What]],
    check: Callable[[Path, str], object],
) -> Download[What]:
    """Receive a file beside its path, check it, and put it in place."""
    part = PartFile(path.with_name(f"{path.name}.part"))
    with part.good_or_gone(what):
        path.parent.mkdir(parents=True, exist_ok=True)
        found = receive(part)
        check(part.path, path.name)
        part.path.replace(path)
    part.forget()
    return replace(found, path=path)
