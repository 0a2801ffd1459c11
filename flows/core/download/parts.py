"""Files published together: downloaded one by one and kept as one archive."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.download.checks import check_file
from core.download.fetch import fetch, transport_of
from core.download.partial import PartFile, Progress
from core.download.remote_file import AND, Download, RemoteFile, What, file_name
from core.download.text_stream import TOGETHER


class Parts:
    """The transport for an address that consists of several."""

    def look(self, wanted: RemoteFile[What]) -> RemoteFile[What]:
        """Return the metadata of all files: the sum of their sizes, a checksum of their ETags."""
        found = [transport_of(url).look(replace(wanted, url=url)) for url in wanted.url.split(AND)]
        sizes, etags = [file.size for file in found], [file.etag for file in found]
        known = [size for size in sizes if size is not None]
        return replace(
            wanted,
            size=sum(known) if len(known) == len(sizes) else None,
            etag=_joint(etags),
            last_modified=_together([file.last_modified for file in found]),
        )

    def fetch(self, wanted: RemoteFile[What], part: PartFile, progress: Progress) -> Download[What]:
        """Download the files one after the other and pack them into an archive."""
        found = [
            fetch(
                replace(wanted, url=url),
                part.path.with_name(f"{number}-{file_name(url)}"),
                partial(check_file, wanted.what),
                progress,
            )
            for number, url in enumerate(wanted.url.split(AND), 1)
        ]
        _archive(part.path, [file.path for file in found])
        return Download(
            wanted.what,
            part.path,
            wanted.url,
            size=sum(file.size for file in found),
            sha256=hashlib.sha256("".join(f.sha256 for f in found).encode()).hexdigest(),
            etag=_joint([file.etag for file in found]),
            last_modified=_together([file.last_modified for file in found]),
        )


def _archive(target: Path, files: list[Path]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = TOGETHER
        for file in files:
            archive.write(file, file.name)
            file.unlink()


def _joint(etags: list[str | None]) -> str | None:
    """Return one ETag for several; None if any is missing."""
    together = _together(etags)
    return together and f'"{hashlib.sha256(together.encode()).hexdigest()}"'


def _together(texts: list[str | None]) -> str | None:
    known = [text for text in texts if text is not None]
    return AND.join(known) if len(known) == len(texts) else None
