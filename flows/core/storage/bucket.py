"""What a month needs from an object store, and the folder that serves as one."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from filelock import FileLock, Timeout

from core.checksums import sha256_of
from core.disk import DATA_SETTING, room_for
from core.errors import Busy, Conflict, StorageError, UsageError
from core.waiting import acquire

#: Seconds to wait for another writer; a write takes a second at most, so it must be stuck.
LOCK_SECONDS = 60


@dataclass(frozen=True)
class Stored:
    """A small object with the version that a conditional write compares."""

    data: bytes
    version: str


@dataclass(frozen=True)
class ObjectInfo:
    """What a bucket says of an object: its size in bytes and its version."""

    size: int
    version: str


@dataclass(frozen=True)
class Listed:
    """An object of a folder's listing.

    Attributes:
        name: the last part of its key.
        size: bytes.
        modified: when it was written, UTC; a new time alone is no new content.
    """

    name: str
    size: int
    modified: dt.datetime


class Bucket(Protocol):
    """An object store. Keys are POSIX paths; every write is whole or not at all."""

    def uri(self, key: str) -> str:
        """Where an object is, for people and for warehouses."""

    def link(self, key: str) -> str:
        """The address that opens an object in the browser of a person who may read it."""

    def info(self, key: str) -> ObjectInfo | None:
        """Size and version of an object; None if there is none."""

    def files(self, folder: str) -> list[Listed]:
        """The objects directly in a folder ("" is the bucket's own), by name; none if it is not."""

    def etag(self, key: str) -> str:
        """What differs when the content does, and does not when it was only written anew.

        Raises:
            StorageError: there is no such object.
        """

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Put a file in place of the object; what is returned speaks of exactly this file."""

    def download(self, key: str, path: Path) -> None:
        """Get an object into a file.

        Raises:
            StorageError: there is none, or no room for it.
        """

    def read(self, key: str) -> Stored | None:
        """A small object with its version; None if there is none."""

    def read_part(self, key: str, start: int, size: int) -> bytes:
        """Some bytes of an object.

        Raises:
            StorageError: there is no such object, or it ends before them.
        """

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Put a small object, if its version still is `replacing` (None: there is none).

        Raises:
            Conflict: another run wrote it meanwhile.
        """

    def delete(self, key: str) -> None:
        """Remove an object; none there is fine."""


@dataclass(frozen=True)
class FolderBucket:
    """A local folder as an object store; safe for many processes of one machine.

    Attributes:
        folder: absolute path; made when the first object is written.
    """

    folder: Path

    def uri(self, key: str) -> str:
        """The path of the file."""
        return str(self._path(key))

    def link(self, key: str) -> str:
        """`file://` and the path; see `Bucket`."""
        return self._path(key).as_uri()

    def info(self, key: str) -> ObjectInfo | None:
        """Size, and the time of the last write as version; see `Bucket`."""
        try:
            return _info(self._path(key))
        except FileNotFoundError:
            return None

    def files(self, folder: str) -> list[Listed]:
        """Without what is hidden, which is no object; see `Bucket`."""
        place = self._path(folder) if folder else self.folder
        found = sorted(place.iterdir()) if place.is_dir() else []
        return [_listed(p) for p in found if p.is_file() and not p.name.startswith(".")]

    def etag(self, key: str) -> str:
        """The SHA-256 of the file; see `Bucket`."""
        try:
            return sha256_of(self._path(key))
        except FileNotFoundError as error:
            raise StorageError(f"{self.uri(key)} is gone; run again") from error

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Copy beside the target, then rename: readers see the old file or the new one."""
        with self._writing(key) as partial:
            shutil.copyfile(path, partial)
            # Of the partial file, which keeps its time when it is renamed: once the lock is
            # free, what has this key may be another run's.
            return _info(partial)

    def download(self, key: str, path: Path) -> None:
        """Copy the file; see `Bucket`."""
        try:
            with room_for(path.name, path.parent):
                shutil.copyfile(self._path(key), path)
        except FileNotFoundError as error:
            raise StorageError(
                f"{self.uri(key)} is gone; run flows/etl_web_to_gcs.py for its month again"
            ) from error

    def read(self, key: str) -> Stored | None:
        """The content, its hash being the version; see `Bucket`."""
        try:
            data = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        return Stored(data, hashlib.sha256(data).hexdigest())

    def read_part(self, key: str, start: int, size: int) -> bytes:
        """Bytes of the file; see `Bucket`."""
        try:
            with self._path(key).open("rb") as file:
                file.seek(start)
                return whole_part(file.read(size), size, self.uri(key))
        except FileNotFoundError as error:
            raise StorageError(f"{self.uri(key)} is gone; run again") from error

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Compare and replace under the lock of the object; see `Bucket`."""
        with self._writing(key) as partial:
            there = self.read(key)
            if (there.version if there else None) != replacing:
                raise Conflict(f"{self.uri(key)} was changed by another run; run again")
            partial.write_bytes(data)

    def upload_stream(self, stream: BinaryIO, key: str) -> None:
        """Copy an open file, as whole as `upload`."""
        with self._writing(key) as partial, partial.open("wb") as file:
            shutil.copyfileobj(stream, file)

    def keys(self, prefix: str) -> list[str]:
        """All keys under a prefix, sorted; what is hidden is no object."""
        files = (p for p in self._path(prefix).rglob("*") if p.is_file())
        return sorted(
            p.relative_to(self.folder).as_posix() for p in files if not p.name.startswith(".")
        )

    def delete(self, key: str) -> None:
        """Remove the file; see `Bucket`."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder.joinpath(*parts_of(key))

    @contextmanager
    def _writing(self, key: str) -> Iterator[Path]:
        """A partial file to fill, put in place at the end; one writer at a time.

        The partial file has one name for each key, so what a killed run left is
        overwritten by the next one and never taken for an object.
        """
        target = self._path(key)
        partial = target.with_name(f".{target.name}.partial")
        with room_for(target.name, target.parent, DATA_SETTING):
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._locked(target):
                try:
                    yield partial
                    _persist(partial)
                    partial.replace(target)
                finally:
                    partial.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, target: Path) -> Iterator[None]:
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


def put(bucket: Bucket, data: bytes, key: str) -> bool:
    """Put a small object unless it is there with this content; whether it was put.

    Raises:
        StorageError: the bucket or the temporary folder takes no more.
    """
    there = bucket.read(key)
    if there is not None and there.data == data:
        return False
    with tempfile.TemporaryDirectory(prefix="trips-put-") as folder:
        path = Path(folder, PurePosixPath(key).name)
        with room_for(path.name, path.parent, "TMPDIR"):
            path.write_bytes(data)
        bucket.upload(path, key)
    return True


def whole_part(data: bytes, size: int, uri: str) -> bytes:
    """The bytes that were read, if they are as many as were asked for.

    Raises:
        StorageError: the object ends before them.
    """
    if len(data) != size:
        raise StorageError(f"{uri} is shorter than it was: it was replaced; run again")
    return data


def parts_of(key: str) -> tuple[str, ...]:
    """The parts of an object key.

    Raises:
        UsageError: it leads out of the bucket.
    """
    parts = PurePosixPath(key).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise UsageError(f"object key {key!r} does not stay inside the bucket")
    return parts


def _info(path: Path) -> ObjectInfo:
    status = path.stat()
    return ObjectInfo(status.st_size, f"{status.st_mtime_ns}")


def _listed(path: Path) -> Listed:
    status = path.stat()
    modified = dt.datetime.fromtimestamp(status.st_mtime, dt.timezone.utc)
    return Listed(path.name, status.st_size, modified)


def _persist(path: Path) -> None:
    """Bytes on the disk before the name: a power cut must not leave a named empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
