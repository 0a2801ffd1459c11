"""The object store interface that a month needs, and a local folder that implements it."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol

from filelock import FileLock, Timeout

from core.checksums import sha256_of
from core.disk import DATA_SETTING, allowed, files_under, replacing, room_for
from core.errors import Busy, Conflict, StorageError
from core.storage.parts import parts_of, whole_part
from core.waiting import acquire

#: Seconds to wait for another writer; a write takes at most one, so a longer one is stuck.
LOCK_SECONDS = 60


@dataclass(frozen=True)
class Stored:
    """A small object, and the version that a conditional write compares."""

    data: bytes
    version: str


@dataclass(frozen=True)
class ObjectInfo:
    """The size in bytes and the version of an object."""

    size: int
    version: str


@dataclass(frozen=True)
class Listed:
    """An object in a folder's listing.

    Attributes:
        name: the last part of its key.
        size: bytes.
        modified: when it was written, UTC; a new time does not imply new content.
    """

    name: str
    size: int
    modified: dt.datetime


class Bucket(Protocol):
    """An object store. Keys are POSIX paths; every write is atomic."""

    def uri(self, key: str) -> str:
        """Return the location of an object, for people and for warehouses."""

    def link(self, key: str) -> str:
        """Return the address that opens an object in the browser of a person with access."""

    def info(self, key: str) -> ObjectInfo | None:
        """Return the size and version of an object; None if it does not exist."""

    #: Whether an object's bytes cannot change unless its version does.
    is_versioned: ClassVar[bool]

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of an object; reads all of it, in flat memory.

        Raises:
            StorageError: the object does not exist.
        """

    def files(self, folder: str) -> list[Listed]:
        """List the objects directly in a folder ("" is the root) by name; empty if missing."""

    def etag(self, key: str) -> str:
        """Return a tag that changes with the content, but not when the same bytes are rewritten.

        Raises:
            StorageError: the object does not exist.
        """

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Upload a file in place of the object, and return the size and version of this file."""

    def copy(self, source: str, target: str, version: str) -> ObjectInfo:
        """Copy an object whose version is still `version`, and return the copy's size and version.

        Raises:
            Conflict: the object is gone, or another run wrote it in the meantime.
        """

    def download(self, key: str, path: Path) -> None:
        """Download an object into a file.

        Raises:
            StorageError: the object does not exist, or the disk has no room for it.
        """

    def read(self, key: str) -> Stored | None:
        """Return a small object with its version; None if it does not exist."""

    def read_part(self, key: str, start: int, size: int) -> bytes:
        """Return some bytes of an object.

        Raises:
            StorageError: the object does not exist, or ends before them.
        """

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Write a small object if its version is still `replacing` (None: it does not exist).

        Raises:
            Conflict: another run wrote it in the meantime.
        """

    def delete(self, key: str) -> None:
        """Delete an object; do nothing if it does not exist."""


@dataclass(frozen=True)
class FolderBucket:
    """A local folder as an object store, safe for concurrent processes on one machine.

    Attributes:
        folder: absolute path; created when the first object is written.
    """

    is_versioned: ClassVar[bool] = False  # a disk may lose bytes, anybody may set a file's time
    folder: Path

    def uri(self, key: str) -> str:
        """Return the path of the file."""
        return str(self._path(key))

    def link(self, key: str) -> str:
        """Return `file://` and the path; see `Bucket`."""
        return self._path(key).as_uri()

    def info(self, key: str) -> ObjectInfo | None:
        """Return the size, and the time of the last write as version; see `Bucket`."""
        with suppress(FileNotFoundError), allowed(self._path(key)) as path:
            return _info(path)
        return None

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of the file; see `Bucket`."""
        with self._there(key) as path:
            return sha256_of(path)

    def files(self, folder: str) -> list[Listed]:
        """List the files except hidden ones, which are not objects; see `Bucket`."""
        with allowed(self._path(folder) if folder else self.folder) as place:
            found = sorted(place.iterdir()) if place.is_dir() else []
        return [_listed(p) for p in found if p.is_file() and not p.name.startswith(".")]

    def etag(self, key: str) -> str:
        """Return the SHA-256 of the file; see `Bucket`."""
        return self.sha256(key)

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Copy next to the target, then rename: readers see either the old file or the new one."""
        with self._writing(key) as partial:
            shutil.copyfile(path, partial)
            # Taken from the partial file, whose time survives the rename: once the lock is
            # released, the object at this key may be another run's.
            return _info(partial)

    def copy(self, source: str, target: str, version: str) -> ObjectInfo:
        """Compare and copy under the lock of all objects; see `Bucket`."""
        with self._writing(target) as partial:
            there = self.info(source)
            if there is None or there.version != version:
                raise Conflict(f"{self.uri(source)} was changed by another run; run again")
            shutil.copyfile(self._path(source), partial)
            return _info(partial)

    def download(self, key: str, path: Path) -> None:
        """Copy the file; see `Bucket`."""
        with self._there(key, "run flows/etl_web_to_gcs.py for its month again") as there:
            there.open("rb").close()  # an error of reading is not one of writing
            with room_for(path.name, path.parent):
                shutil.copyfile(there, path)

    def read(self, key: str) -> Stored | None:
        """Return the content, with its hash as version; see `Bucket`."""
        with suppress(FileNotFoundError), allowed(self._path(key)) as path:
            data = path.read_bytes()
            return Stored(data, hashlib.sha256(data).hexdigest())
        return None

    def read_part(self, key: str, start: int, size: int) -> bytes:
        """Return some bytes of the file; see `Bucket`."""
        with self._there(key) as path, path.open("rb") as file:
            file.seek(start)
            return whole_part(file.read(size), size, self.uri(key))

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Compare and replace under the lock of all objects; see `Bucket`."""
        with self._writing(key) as partial:
            there = self.read(key)
            if (there.version if there else None) != replacing:
                raise Conflict(f"{self.uri(key)} was changed by another run; run again")
            partial.write_bytes(data)

    def upload_stream(self, stream: BinaryIO, key: str) -> None:
        """Copy an open file, atomically like `upload`."""
        with self._writing(key) as partial, partial.open("wb") as file:
            shutil.copyfileobj(stream, file)

    def keys(self, prefix: str) -> list[str]:
        """Return all keys under a prefix, sorted; hidden files are not objects."""
        found: list[Path] = []
        with allowed(self._path(prefix)) as place, suppress(FileNotFoundError, NotADirectoryError):
            found = files_under(place)
        objects = (path for path in found if not path.name.startswith("."))
        return sorted(path.relative_to(self.folder).as_posix() for path in objects)

    def delete(self, key: str) -> None:
        """Delete the file under the lock of all objects; see `Bucket`.

        A conditional write that has just compared the version would bring it back.
        """
        with allowed(self._path(key)) as path:
            if path.exists():
                with self._locked(path):
                    path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder.joinpath(*parts_of(key))

    @contextmanager
    def _there(self, key: str, remedy: str = "run again") -> Iterator[Path]:
        """Yield the path of an object that must exist."""
        try:
            with allowed(self._path(key)) as path:
                yield path
        except FileNotFoundError as error:
            raise StorageError(f"{self.uri(key)} is gone; {remedy}") from error

    @contextmanager
    def _writing(self, key: str) -> Iterator[Path]:
        """Yield a partial file to fill, and move it into place at the end; one writer at a time.

        The partial file has a fixed name per key, so the next run overwrites what a killed
        run left, and it is never taken for an object.
        """
        target = self._path(key)
        partial = target.with_name(f".{target.name}.partial")
        with room_for(target.name, target.parent, DATA_SETTING):
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._locked(target), replacing(target, partial):
                yield partial
                _persist(partial)

    @contextmanager
    def _locked(self, target: Path) -> Iterator[None]:
        """Hold the lock of all objects; an error names the target."""
        lock = FileLock(self.folder / ".lock")
        try:
            acquire(lock, f"{target} is locked by another run", LOCK_SECONDS)
        except Timeout as error:
            raise Busy(
                f"{target} has been locked by another run for {LOCK_SECONDS} s; "
                "end that run, then run again"
            ) from error
        try:
            yield
        finally:
            lock.release()


def _info(path: Path) -> ObjectInfo:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return ObjectInfo(status.st_size, f"{status.st_mtime_ns}")


def _listed(path: Path) -> Listed:
    status = path.stat()
    modified = dt.datetime.fromtimestamp(status.st_mtime, dt.timezone.utc)
    return Listed(path.name, status.st_size, modified)


def _persist(path: Path) -> None:
    """Flush the bytes to disk before the rename: a power cut must not leave an empty object."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
