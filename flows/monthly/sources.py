"""What is known of a published file before downloading it, and the download itself."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from os import fstat
from pathlib import Path
from urllib.parse import urlsplit

from core.download.http import Http
from core.download.partial import Edition, PartFile, Progress, check_file, received
from core.errors import NotPublished, SourceError, UsageError
from monthly.month import Month
from monthly.published import (
    SOURCES,
    Download,
    Published,
    Received,
    Wanted,
    WebFile,
    address,
    addresses,
    file_name,
    path_of,
    sample_module,
    sample_rows,
)

__all__ = [
    "SOURCES",
    "Download",
    "Published",
    "WebFile",
    "address",
    "addresses",
    "download",
    "fetch",
    "look",
]

_CHUNK_BYTES = 1 << 18
#: Names that are shown in place of one that is missing.
NEAR_NAMES = 3


def look(source: str, month: Month) -> Published:
    """Ask what is published, without downloading it.

    Raises:
        UsageError: the source is none that `address` knows, or the month has not begun.
        NotPublished: there is no such file (yet).
        Unreachable: the publisher could not be asked, or asks to come back later.
        SourceError: the publisher refuses.
    """
    wanted = Published(month, address(source, month))
    if month.first_day > dt.date.today():
        raise UsageError(f"{month} has not begun; choose a month until now")
    return _transport(wanted.url).look(wanted)


def download(
    published: Published, folder: Path, progress: Progress = lambda done, total: None
) -> Download:
    """Fetch a file into `folder`, complete and checked or not at all, in one attempt.

    What a broken connection leaves, `<name>.part`, is continued by the next attempt if the
    publisher still has the same edition. A Content-Encoding of gzip is not undone: what was
    sent is kept, measured and hashed, and its kind is known by its content. Two downloads
    of the same name must not share a folder at the same time.

    Args:
        published: from `look`; a file that changed since is taken as it is now.
        folder: made if it is not there.
        progress: called with the bytes so far and in all (None: unknown), four times a MB.

    Raises:
        NotPublished, Unreachable, SourceError: as from `look`.
        BadFile: the file is not what its name says; nothing of it is kept.
        StorageError: the folder took no more; nothing is kept.
    """
    path = folder / file_name(published.url)
    month, transport = published.month, _transport(published.url)
    found = _whole(
        month,
        path,
        lambda part: transport.fetch(published, part, progress),
        partial(check_file, month),
    )
    return Download(month, path, published.url, *found)


def fetch(
    wanted: WebFile,
    path: Path,
    check: Callable[[Path, str], object],
    progress: Progress = lambda done, total: None,
) -> Received:
    """Fetch a file that is no month of trips, complete and checked or not at all; see `download`.

    Args:
        wanted: what and where.
        path: where to; its folder is made if it is not there.
        check: refuses what has arrived with a BadFile; gets the file and the name of `path`.
        progress: as for `download`.

    Raises:
        NotPublished, Unreachable, SourceError: as from `look`.
        BadFile: from `check`; nothing is kept.
        StorageError: the folder took no more; nothing is kept.
    """
    transport = File() if urlsplit(wanted.url).scheme == "file" else Http()
    return _whole(wanted.what, path, lambda part: transport.fetch(wanted, part, progress), check)


def _whole(
    what: object,
    path: Path,
    receive: Callable[[PartFile], Received],
    check: Callable[[Path, str], object],
) -> Received:
    part = PartFile(path.with_name(f"{path.name}.part"))
    with part.good_or_gone(what):
        path.parent.mkdir(parents=True, exist_ok=True)
        found = receive(part)
        check(part.path, path.name)
        part.path.replace(path)
    part.forget()
    return found


class File:
    """A file of this machine, which is copied."""

    def look(self, wanted: Published) -> Published:
        """Ask the disk."""
        size, modified = self._seen(wanted)
        return replace(wanted, size=size, etag=None, last_modified=modified)

    def fetch(self, wanted: Wanted, part: PartFile, progress: Progress) -> Received:
        """Copy it."""
        (size, modified), path = self._seen(wanted), path_of(wanted.url)
        if path.parent.samefile(part.path.parent):
            raise UsageError(f"{wanted} is in the scratch folder itself; choose another folder")
        edition = Edition(wanted.url, None, modified)
        part.begin(edition)
        with path.open("rb") as file:
            chunks = iter(lambda: file.read(_CHUNK_BYTES), b"")
            return received(part.receive(chunks, size, progress), edition)

    def _seen(self, wanted: Wanted) -> tuple[int, str]:
        """Size, and the modification time as HTTP date."""
        try:
            with path_of(wanted.url).open("rb") as file:
                found = fstat(file.fileno())
        except (FileNotFoundError, NotADirectoryError) as error:
            near = _nearby(path_of(wanted.url))
            raise NotPublished(f"{wanted}: there is no such file; {near}") from error
        except OSError as error:
            message = f"{wanted} cannot be read: {error}; choose a file that can"
            raise SourceError(message) from error
        return found.st_size, formatdate(found.st_mtime, usegmt=True)


def _nearby(path: Path) -> str:
    """Return what stands where a path leads nowhere: the names that come closest."""
    folder = next(above for above in path.parents if above.is_dir())
    missing = path.relative_to(folder).parts[0]
    names = sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))
    close = difflib.get_close_matches(missing, names, NEAR_NAMES, cutoff=0.6)
    if close:
        return f"{folder} has no {missing}, but {', '.join(close)}"
    return f"{folder} has no {missing}, and nothing of a similar name ({len(names)} names)"


class Sample:
    """A month that is generated here; nothing is written before `fetch`."""

    def look(self, wanted: Published) -> Published:
        """What decides the content stands for an ETag."""
        return replace(
            wanted, etag=f"sample-{sample_module().SAMPLE_VERSION}-{sample_rows(wanted.url)}"
        )

    def fetch(self, wanted: Published, part: PartFile, progress: Progress) -> Received:
        """Generate it."""
        new = part.path.with_name(f"new-{file_name(wanted.url)}")  # the ending is the format
        sample_module().write_sample(wanted.month, new, sample_rows(wanted.url))
        new.replace(part.path)
        edition = Edition(wanted.url, self.look(wanted).etag, None)
        return received(part.receive((), part.size, progress), edition)


def _transport(url: str) -> Http | File | Sample:
    local: Mapping[str, File | Sample] = {"file": File(), "sample": Sample()}
    return local.get(urlsplit(url).scheme) or Http()
