"""Checks of a file's format and completeness, by its first and last bytes."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from isal import igzip, isal_zlib

from core.download.text_stream import GZIP, ZIP, encoding_of
from core.errors import BadFile

FileKind: TypeAlias = Literal["csv", "csv.gz", "parquet", "zip"]

_PARQUET = b"PAR1"
#: Magic numbers of unsupported formats that some publishers use (from the formats' own
#: descriptions).
_NOT_READ: Mapping[bytes, str] = {
    b"\xfd7zXZ\x00": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2",
    b"\xd0\xcf\x11\xe0": "a workbook of an old Excel",
    b"%PDF": "a PDF",
}
#: The format that a file extension promises. Any other extension, even .csv, promises nothing:
#: the content decides, because some servers compress a .csv in transit.
_PROMISES: Mapping[str, FileKind] = {".gz": "csv.gz", ".parquet": "parquet", ".zip": "zip"}
#: Bytes. Parquet format: PAR1 at both ends, and the footer length (4 bytes) before the last one.
_PARQUET_FRAME = 12
_HEAD_BYTES = 4096
_CHUNK_BYTES = 1 << 20

_AFRESH = "run again to download it afresh, or choose another source"
_LOOK = "open its address to see what the publisher sends, or choose another source"


def kind_of(path: Path) -> FileKind:
    """Return the format by the first bytes, not the name; `csv` if there is no magic number."""
    return _kind(_head(path))


def check_file(what: object, path: Path, name: str | None = None) -> FileKind:
    """Return the format of a file; refuse all but a complete CSV, gzipped CSV, Parquet or zip.

    Only the first megabyte of a gzip file is decompressed; its reader detects damage in the
    rest. A truncated plain CSV cannot be told from a complete one.

    Args:
        what: what the file is about.
        path: the file.
        name: the published name, if `path` has another one.

    Raises:
        BadFile: it is empty, an error page, in another format, truncated or damaged.
    """
    name = name or path.name
    head = _head(path)
    wrong = _not_a_table(head) or _broken_promise(name, head) or _CHECKS[_kind(head)](path)
    if wrong:
        start = f", which begins with {head[:40]!r}," if head else ", of 0 bytes,"
        raise BadFile(f"{what}: {name}{start} {wrong}")
    return _kind(head)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _kind(head: bytes) -> FileKind:
    if head.startswith(_PARQUET):
        return "parquet"
    if head.startswith(ZIP):
        return "zip"
    return "csv.gz" if head.startswith(GZIP) else "csv"


def impostor(head: bytes) -> str | None:
    """Return what was sent instead of a file, by its first bytes, and what to do; else None."""
    text = _text(head)
    if not text:
        return f"is empty; {_AFRESH}"
    if text.startswith((b"<?xml", b"<error")):
        return f"is an XML document, such as a bucket's error message; {_LOOK}"
    if text.startswith(b"<"):
        return f"is a web page; {_LOOK}"
    if text.startswith(b"version https://git-lfs"):
        return "is a git-LFS pointer to a file; use the address of the file that it points to"
    return None


def _not_a_table(head: bytes) -> str | None:
    """Return what was sent instead of a table, and what to do; else None."""
    if _text(head).startswith((b"{", b"[")):
        return f"is JSON, such as a service's error message; {_LOOK}"
    return impostor(head) or _other_format(head)


def _text(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()


def _other_format(head: bytes) -> str | None:
    readable = (
        "csv, csv.gz, zip and Parquet are read: unpack or convert it, or choose another source"
    )
    for magic, what in _NOT_READ.items():
        if head.startswith(magic):
            return f"is {what}; {readable}"
    # Text has no NUL bytes, except in UTF-16.
    if _kind(head) == "csv" and b"\0" in head and not encoding_of(head):
        return f"is neither text nor a format known here; {readable}"
    return None


def _broken_promise(name: str, head: bytes) -> str | None:
    promised = _PROMISES.get(Path(name).suffix.lower())
    if promised in (None, _kind(head)):
        return None
    return f"is not a {promised} file, as its name says; {_LOOK}"


def _check_gzip(path: Path) -> str | None:
    """Decompress only the beginning: the conversion reads the rest, and reading twice is slow."""
    try:
        with igzip.open(path, "rb") as file:
            head = file.read(_CHUNK_BYTES)
    except (EOFError, gzip.BadGzipFile, isal_zlib.error) as error:
        return f"is cut short or damaged: {error}; {_AFRESH}"
    if _kind(head) != "csv":
        return f"is a {_kind(head)} file compressed once more; {_LOOK}"
    wrong = _not_a_table(head)
    return f"is gzip, and what it holds {wrong}" if wrong else None


def _check_zip(path: Path) -> str | None:
    """Read only the table of contents at the end; the reader of the file detects other damage."""
    return None if zipfile.is_zipfile(path) else f"is a zip archive that is cut short; {_AFRESH}"


def _check_parquet(path: Path) -> str | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - 8, 0))
        tail = file.read()
    if size < _PARQUET_FRAME or tail[-4:] != _PARQUET:
        return f"is cut short: a Parquet file ends in PAR1, this one in {tail[-4:]!r}; {_AFRESH}"
    footer = int.from_bytes(tail[:4], "little")
    if not 0 < footer <= size - _PARQUET_FRAME:
        return f"is damaged: its footer cannot have {footer} of {size} bytes; {_AFRESH}"
    return None


_CHECKS: Mapping[FileKind, Callable[[Path], str | None]] = {
    "csv": lambda path: None,
    "csv.gz": _check_gzip,
    "parquet": _check_parquet,
    "zip": _check_zip,
}
