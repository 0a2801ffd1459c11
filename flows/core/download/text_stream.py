"""The bytes of a table in a file, decompressed and as UTF-8."""

from __future__ import annotations

import codecs
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from isal import igzip, isal_zlib

from core.errors import BadFile

T = TypeVar("T")

#: Byte order marks of UTF-16. Without one, the zero byte in each character of a name tells.
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_CHUNK = 1 << 16
#: Magic numbers of a zip archive, the second one of an empty archive.
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
GZIP = b"\x1f\x8b"
#: The comment of an archive of files that are published together and read one after the other.
TOGETHER = b"published together"


@contextmanager
def unpacked(what: object, path: Path, member: str = "") -> Iterator[io.BufferedIOBase]:
    """Open the table in a file, decompressing gzip and zip.

    Args:
        what: what the file is about.
        path: the file.
        member: one of `tables_in`, of an archive; empty for its only table.

    Raises:
        BadFile: a zip archive does not contain exactly one table, or cannot be read.
    """
    with ExitStack() as opened:
        raw = opened.enter_context(path.open("rb"))
        magic = raw.peek(4)
        if magic.startswith(ZIP):
            name = member or tables_in(what, path)[0]
            yield opened.enter_context(_member(what, path, name))
        elif magic.startswith(GZIP):
            yield igzip.open(raw, "rb")
        else:
            yield raw


def tables_in(what: object, path: Path, pattern: str = "") -> list[str]:
    """Return the names of the tables in an archive, in order; one empty name for another file.

    Args:
        what: what the file is about.
        path: the file.
        pattern: the tables to read, with * for any text; empty if there must be only one.

    Raises:
        BadFile: no table fits the pattern, or there are several without one.
    """
    with path.open("rb") as raw:
        if not raw.read(4).startswith(ZIP):
            return [""]
    with reading(what, path, lambda: zipfile.ZipFile(path)) as archive:
        names = [info.filename for info in archive.infolist() if is_table(info)]
        if archive.comment == TOGETHER:
            return names
    found = sorted(name for name in names if fnmatchcase(name, pattern)) if pattern else names
    if pattern:
        _refuse_same_names(what, path, found)
    if (pattern and found) or len(found) == 1:
        return found
    if "[Content_Types].xml" in names:
        raise BadFile(f"{what}: {path.name} is an Excel workbook; save its sheet as CSV")
    held = ", ".join(map(repr, names[:5])) or "nothing"
    which = f"and none of them is {pattern}" if pattern else "one table is read"
    raise BadFile(
        f"{what}: {path.name} is a zip archive of {len(names)} files ({held}); {which}: unpack "
        "it, declare a member, or choose another source"
    )


def _refuse_same_names(what: object, path: Path, names: Sequence[str]) -> None:
    """Raise for an archive with two files of one name, of which only the last could be read."""
    for name, count in Counter(names).items():
        if count > 1:
            raise BadFile(
                f"{what}: {path.name} is a zip archive with {count} files named {name!r}; unpack "
                "it and rename one, or choose another source"
            )


@contextmanager
def _member(what: object, path: Path, name: str) -> Iterator[io.BufferedIOBase]:
    with reading(what, path, lambda: zipfile.ZipFile(path)) as archive:
        try:
            member = cast(zipfile.ZipExtFile, archive.open(name))
        except (RuntimeError, NotImplementedError) as error:
            raise BadFile(
                f"{what}: {name!r} in the zip archive {path.name} cannot be unpacked "
                f"({error}); unpack it yourself, or choose another source"
            ) from error
        with member:
            magic = reading(what, path, lambda: member.peek(4))
            if magic.startswith((b"PAR1", *ZIP)):
                inner = "a Parquet file" if magic.startswith(b"PAR1") else "another archive"
                raise BadFile(f"{what}: {path.name} is a zip archive of {inner}; unpack it first")
            yield igzip.open(member, "rb") if magic.startswith(GZIP) else member


def is_table(info: zipfile.ZipInfo) -> bool:
    """Return whether a member is a table, not a folder or a file that macOS adds."""
    return not (info.is_dir() or info.filename.startswith("__MACOSX/"))


def reading(what: object, path: Path, read: Callable[[], T]) -> T:
    """Return the result of a read.

    Raises:
        BadFile: the compressed or encoded data is damaged.
    """
    try:
        return read()
    except (EOFError, igzip.BadGzipFile, isal_zlib.error) as error:
        raise BadFile(f"{what}: {path.name} is a damaged gzip ({error}); get it again") from error
    except UnicodeDecodeError as error:
        raise BadFile(
            f"{what}: {path.name} begins as {error.encoding} and is damaged ({error.reason} after "
            f"{error.start} bytes of a part); get it again, or convert it to UTF-8"
        ) from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise BadFile(
            f"{what}: {path.name} is a damaged zip archive ({error}); get it again"
        ) from error


def encoding_of(head: bytes) -> str | None:
    """Return the UTF-16 encoding that a text begins with; None if it is not UTF-16."""
    if head[:2] in _MARKS:
        return _MARKS[head[:2]]
    even, odd = head[:64:2], head[1:64:2]
    if len(odd) > 4 and not any(odd) and all(even):
        return "utf-16-le"
    return "utf-16-be" if len(even) > 4 and not any(even) and all(odd) else None


class Recoded(io.RawIOBase):
    """A stream that converts text from another encoding to UTF-8."""

    def __init__(self, stream: io.BufferedIOBase | BinaryIO, encoding: str) -> None:
        self._stream, self._left = stream, b""
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._is_first = True

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, space: object) -> int:
        """Fill the buffer, or part of it, and return the number of bytes."""
        view = memoryview(space)  # type: ignore[arg-type] # what BufferedReader gives
        while not self._left:
            chunk = self._stream.read(_CHUNK)
            text = self._decoder.decode(chunk, final=not chunk)
            if self._is_first:
                text, self._is_first = text.removeprefix("\ufeff"), False
            self._left = text.encode()
            if not chunk:
                break
        size = min(len(view), len(self._left))
        view[:size], self._left = self._left[:size], self._left[size:]
        return size
