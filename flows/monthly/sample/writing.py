"""Writes generated text files atomically and reproducibly."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from core.disk import replacing
from core.errors import StorageError, UsageError
from core.prefetch import prefetched
from monthly.month import Month

T = TypeVar("T")

#: Takes half the time of zlib's default 6, for files a seventh larger.
GZIP_LEVEL = 4


def sink_of(month: Month, path: Path, rows: int, sinks: Mapping[str, T]) -> T:
    """Return the sink that writes files with this extension.

    Raises:
        UsageError: another extension, or fewer than 0 rows.
    """
    for ending, sink in sinks.items():
        if path.name.endswith(ending) and rows >= 0:
            return sink
    raise UsageError(
        f"{month}: cannot write {rows} rows to {path.name}; "
        f"name 0 rows or more and a file ending in {', '.join(sinks)}"
    )


@contextmanager
def complete(month: Month, path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` atomically on success and is removed on failure.

    Raises:
        StorageError: the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with replacing(path, part):
            yield part
    except OSError as error:
        raise StorageError(
            f"{month}: cannot write {path}: {error}; choose another place"
        ) from error


def write_csv(part: Path, lines: Iterator[bytes]) -> None:
    """Write the lines, which another thread produces."""
    with part.open("wb") as out, prefetched(lines) as coming:
        out.writelines(coming)


def write_csv_gz(part: Path, lines: Iterator[bytes]) -> None:
    """Write the lines, which another thread produces, compressed."""
    # No name or time in the gzip header, so that equal rows give equal bytes. zlib releases the
    # GIL, so the next lines are produced meanwhile.
    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as out,
        prefetched(lines) as coming,
    ):
        out.writelines(coming)
