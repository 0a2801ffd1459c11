"""A published file on the disk: what of it has arrived, and whether it is what it should be."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from isal import igzip, isal_zlib

from core.disk import refusal
from core.errors import BadFile
from monthly.convert.text_stream import ZIP, encoding_of
from monthly.month import Month
from monthly.published import Received

FileKind: TypeAlias = Literal["csv", "csv.gz", "parquet", "zip"]
#: Called with the bytes so far and those in all, None where that is unknown.
Progress: TypeAlias = Callable[[int, int | None], None]

#: How often progress is told, bytes.
PROGRESS_BYTES = 1 << 18

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
#: Magic numbers of what some publishers wrap their files in (the formats' own descriptions).
_NOT_READ: Mapping[bytes, str] = {
    b"\xfd7zXZ\x00": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2",
}
#: What an ending promises. Any other ending, .csv too, promises nothing: the content decides,
#: as some servers compress a .csv on the way.
_PROMISES: Mapping[str, FileKind] = {".gz": "csv.gz", ".parquet": "parquet", ".zip": "zip"}
#: Parquet format: PAR1 at both ends, before the last one the length of the footer (4 bytes).
_PARQUET_FRAME = 12
_HEAD_BYTES = 4096
_CHUNK_BYTES = 1 << 20

_AFRESH = "run again to download it afresh, or choose another source"
_LOOK = "open its address to see what the publisher sends, or choose another source"


@dataclass(frozen=True)
class Edition:
    """One state of a published file, which a later request can ask for again.

    Attributes:
        url: its address, before any redirect.
        etag: as the publisher writes it, quotes included.
        last_modified: HTTP date.
    """

    url: str
    etag: str | None
    last_modified: str | None

    @property
    def validator(self) -> str | None:
        """What `If-Range` may hold: a strong ETag, else the date (RFC 9110, 13.1.5)."""
        weak = self.etag is None or self.etag.startswith("W/")
        return self.last_modified if weak else self.etag


def received(counted: tuple[int, str], edition: Edition) -> Received:
    """Size and SHA-256 of what has arrived, and of which edition it is."""
    return Received(*counted, edition.etag, edition.last_modified)


@dataclass(frozen=True)
class PartFile:
    """What has arrived of a file, and a note beside it that says of which edition.

    Attributes:
        path: where; the note is `<path>.json`.
    """

    path: Path

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size

    def begun(self, url: str) -> Edition | None:
        """The edition of `url` that can be continued; None without one."""
        try:
            edition = Edition(**json.loads(self._note.read_text("utf-8")))
            continuable = edition.url == url and edition.validator and self.size
        except (OSError, ValueError, TypeError):
            return None
        return edition if continuable else None

    def rest_of(self, edition: Edition) -> Mapping[str, str]:
        """The headers of a request for what has not arrived yet."""
        return {"Range": f"bytes={self.size}-", "If-Range": edition.validator or ""}

    def begin(self, edition: Edition) -> None:
        """Start over with nothing."""
        # Emptied before it is noted: a kill in between must not give old bytes a new name.
        self.path.write_bytes(b"")
        self._note.write_text(json.dumps(asdict(edition)), "utf-8")

    def receive(
        self, chunks: Iterable[bytes], total: int | None, progress: Progress
    ) -> tuple[int, str]:
        """Append, and return the size and the SHA-256 (hexadecimal) of all there is then."""
        done = told = self.size
        digest = self._digest() if done else hashlib.sha256()
        with self.path.open("ab") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                if done - told >= PROGRESS_BYTES:
                    progress(done, total)
                    told = done
        progress(done, total)
        return done, digest.hexdigest()

    def forget(self) -> None:
        """Remove it and its note, as far as the disk lets us."""
        for path in (self.path, self._note):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    @contextmanager
    def good_or_gone(self, what: object) -> Iterator[None]:
        """Keep no bad file, and nothing on a disk that took no more.

        Args:
            what: whose file it is.

        Raises:
            StorageError: for an OSError.
        """
        try:
            yield
        except BadFile:
            self.forget()
            raise
        except OSError as error:
            self.forget()
            raise refusal(f"{self.path.name} of {what}", self.path.parent, error) from error

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def _digest(self) -> hashlib._Hash:
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
        return digest


def kind_of(path: Path) -> FileKind:
    """What a file is by its first bytes, whatever its name; `csv` if it has no magic number."""
    return _kind(_head(path))


def check_file(month: Month, path: Path, name: str | None = None) -> FileKind:
    """Refuse a file that is not a complete CSV, gzipped CSV or Parquet file.

    Of a gzip file the first megabyte is unpacked; whether the rest holds is seen by whoever
    reads it. A plain CSV that lacks its end cannot be told from a complete one.

    Args:
        month: whose file it is.
        path: the file.
        name: the published name, where `path` has another one.

    Raises:
        BadFile: it is empty, an error page, of another format, cut short or damaged.
    """
    name = name or path.name
    head = _head(path)
    wrong = _impostor(head) or _broken_promise(name, head) or _CHECKS[_kind(head)](path)
    if wrong:
        start = f", which begins with {head[:40]!r}," if head else ", of 0 bytes,"
        raise BadFile(f"{month}: {name}{start} {wrong}")
    return _kind(head)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _kind(head: bytes) -> FileKind:
    if head.startswith(_PARQUET):
        return "parquet"
    if head.startswith(ZIP):
        return "zip"
    return "csv.gz" if head.startswith(_GZIP) else "csv"


def impostor(head: bytes) -> str | None:
    """What stands in place of any file, by how it begins, and what to do."""
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


def _impostor(head: bytes) -> str | None:
    """What stands in place of a month's file."""
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
    # Text has no NUL byte, UTF-16 apart.
    if _kind(head) == "csv" and b"\0" in head and not encoding_of(head):
        return f"is neither text nor a format known here; {readable}"
    return None


def _broken_promise(name: str, head: bytes) -> str | None:
    promised = _PROMISES.get(Path(name).suffix.lower())
    if promised in (None, _kind(head)):
        return None
    return f"is no {promised} file, as its name says; {_LOOK}"


def _check_gzip(path: Path) -> str | None:
    """Unpack its beginning: the conversion reads all of it, and to do so twice takes time."""
    try:
        with igzip.open(path, "rb") as file:
            head = file.read(_CHUNK_BYTES)
    except (EOFError, gzip.BadGzipFile, isal_zlib.error) as error:
        return f"is cut short or damaged: {error}; {_AFRESH}"
    if _kind(head) != "csv":
        return f"is a {_kind(head)} file compressed once more; {_LOOK}"
    wrong = _impostor(head)
    return f"is gzip, and what it holds {wrong}" if wrong else None


def _check_zip(path: Path) -> str | None:
    """Read its table of contents, which stands at its end; the rest is seen by whoever reads it."""
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
