"""A Google Cloud Storage bucket.

The version of an object is its generation, so Google itself enforces the ledger's conditional
writes: of two writers that read the same generation, one wins.
"""

from __future__ import annotations

import hashlib
import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar
from urllib.parse import quote

from google.api_core.exceptions import BadRequest, NotFound, PreconditionFailed
from google.cloud.storage import Blob, Client
from google.cloud.storage import Bucket as GoogleBucket
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from core.disk import room_for
from core.errors import Conflict, StorageError, Unavailable
from core.storage.bucket import Listed, ObjectInfo, Stored
from core.storage.google_errors import PATIENCE, TIMEOUT, google_errors
from core.storage.parts import parts_of, whole_part

#: Bytes of an upload held in memory at a time; Google's default is twelve times that.
CHUNK = 8 * 1024 * 1024
RETRY = DEFAULT_RETRY.with_timeout(PATIENCE)
_ROLE = "roles/storage.objectUser on the bucket"
_WRITER = "written-by"
#: Part of Google's message if the checksum of the bytes received is not the one sent.
_MISMATCH = "doesn't match calculated"
# Otherwise, Google's client requests the bucket's metadata in another thread, for the attributes of
# traces. That requires a role that nothing else here needs.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")


@dataclass(frozen=True)
class GcsStore:
    """A bucket, or a folder in one.

    Attributes:
        bucket: Google's own handle; sends no request until an object is used.
        folder: prefix of all keys, with or without a trailing slash; empty for none.
    """

    is_versioned: ClassVar[bool] = True  # other bytes have another generation
    bucket: GoogleBucket
    folder: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without Google's client, which cannot be pickled; unpickling creates a new one."""
        client = self.bucket.client
        return _at, (client.project, client._credentials, self.bucket.name, self.folder)

    def uri(self, key: str) -> str:
        """Return `gs://BUCKET/KEY`, which BigQuery reads directly."""
        return f"gs://{self.bucket.name}/{self._name(key)}"

    def link(self, key: str) -> str:
        """Return Google's address for users who are logged in; see `Bucket`."""
        return f"https://storage.cloud.google.com/{self.bucket.name}/{quote(self._name(key))}"

    def info(self, key: str) -> ObjectInfo | None:
        """Return the size, and the generation as version; see `Bucket`."""
        blob = self._blob(key)
        with self._asked(key):
            try:
                blob.reload(timeout=TIMEOUT, retry=RETRY)
            except NotFound as error:
                _refuse_missing_bucket(error)
                return None
        return _info(blob)

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of the object, whose checksum is verified too; see `Bucket`."""
        digest = _Digest()
        with self._asked(key), self._there(key):
            self._blob(key).download_to_file(
                digest, checksum="crc32c", timeout=TIMEOUT, retry=RETRY
            )
        return digest.hexdigest()

    def files(self, folder: str) -> list[Listed]:
        """List the objects from all pages of the listing; see `Bucket`."""
        prefix = self._name(f"{folder}/_" if folder else "_")[:-1]
        with self._asked(folder or "*"):
            blobs = self.bucket.list_blobs(
                prefix=prefix, delimiter="/", timeout=TIMEOUT, retry=RETRY
            )
            found = [blob for blob in blobs if blob.name != prefix]
        return [Listed(b.name[len(prefix) :], int(b.size), b.updated) for b in found]

    def etag(self, key: str) -> str:
        """Return the MD5, or the CRC32C of a composite object; see `Bucket`."""
        blob = self._blob(key)
        with self._asked(key), self._there(key):
            blob.reload(timeout=TIMEOUT, retry=RETRY)
        return str(blob.md5_hash or blob.crc32c)

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Upload a file in chunks; the object appears once it is complete; see `Bucket`."""
        blob = self._blob(key)
        blob.chunk_size = CHUNK
        with self._asked(key):
            blob.upload_from_filename(str(path), checksum="crc32c", timeout=TIMEOUT, retry=RETRY)
        return _info(blob)

    def copy(self, source: str, target: str, version: str) -> ObjectInfo:
        """Have Google copy the object, in as many requests as it takes; see `Bucket`."""
        here, copied = self._blob(source), self._blob(target)
        with self._asked(target):
            try:
                token, _, _ = copied.rewrite(here, **_unchanged(version))
                while token:
                    token, _, _ = copied.rewrite(here, token, **_unchanged(version))
            except (NotFound, PreconditionFailed) as error:
                if isinstance(error, NotFound):
                    _refuse_missing_bucket(error)
                message = f"{self.uri(source)} was changed by another run; run again"
                raise Conflict(message) from error
        return _info(copied)

    def download(self, key: str, path: Path) -> None:
        """Download an object into a file and verify its checksum; see `Bucket`."""
        again = "run flows/etl_web_to_gcs.py for its month again"
        with self._asked(key), self._there(key, again), room_for(path.name, path.parent):
            self._blob(key).download_to_filename(
                str(path), checksum="crc32c", timeout=TIMEOUT, retry=RETRY
            )

    def read(self, key: str) -> Stored | None:
        """Return the content and its generation from one response; see `Bucket`."""
        blob = self._blob(key)
        with self._asked(key):
            try:
                data = blob.download_as_bytes(checksum="crc32c", timeout=TIMEOUT, retry=RETRY)
            except NotFound as error:
                _refuse_missing_bucket(error)
                return None
        return Stored(data, str(blob.generation))

    def read_part(self, key: str, start: int, size: int) -> bytes:
        """Return some bytes of an object, for which Google sends no checksum; see `Bucket`."""
        ends = {"start": start, "end": start + size - 1}
        with self._asked(key), self._there(key):
            data = self._blob(key).download_as_bytes(
                **ends, checksum=None, timeout=TIMEOUT, retry=RETRY
            )
        return whole_part(data, size, self.uri(key))

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Write a small object if its generation is still the one that was read; see `Bucket`."""
        blob, writer = self._blob(key), uuid.uuid4().hex
        blob.metadata = {_WRITER: writer}
        with self._asked(key):
            try:
                blob.upload_from_string(
                    data,
                    content_type="application/json",
                    if_generation_match=int(replacing or 0),
                    checksum="crc32c",
                    timeout=TIMEOUT,
                    retry=RETRY,
                )
            except PreconditionFailed as error:
                # The response to a successful write may get lost; Google's client then
                # retries, and conflicts with its own object.
                if not self._was_written_by(key, writer):
                    raise Conflict(f"{self.uri(key)} was changed by another run; run again") from (
                        error
                    )

    def delete(self, key: str) -> None:
        """Delete an object; see `Bucket`."""
        with self._asked(key):
            try:
                self._blob(key).delete(timeout=TIMEOUT, retry=RETRY)
            except NotFound as error:
                _refuse_missing_bucket(error)

    def _was_written_by(self, key: str, writer: str) -> bool:
        blob = self._blob(key)
        try:
            blob.reload(timeout=TIMEOUT, retry=RETRY)
        except NotFound:
            return False
        return bool((blob.metadata or {}).get(_WRITER) == writer)

    def _name(self, key: str) -> str:
        return str(PurePosixPath(self.folder, *parts_of(key)))

    def _blob(self, key: str) -> Blob:
        return self.bucket.blob(self._name(key))

    @contextmanager
    def _there(self, key: str, remedy: str = "run again") -> Iterator[None]:
        """Raise a StorageError with the remedy if the object does not exist."""
        try:
            yield
        except NotFound as error:
            _refuse_missing_bucket(error)
            raise StorageError(f"{self.uri(key)} is gone; {remedy}") from error

    @contextmanager
    def _asked(self, key: str) -> Iterator[None]:
        """Convert Google's errors to this project's; a NotFound here means a missing bucket."""
        with google_errors(self.uri(key), _ROLE):
            try:
                yield
            except NotFound as error:
                raise StorageError(
                    f"bucket {self.bucket.name!r} does not exist (for {self.uri(key)}); "
                    "create it, or correct the block's bucket"
                ) from error
            except (BadRequest, DataCorruption) as error:
                if isinstance(error, BadRequest) and _MISMATCH not in error.message:
                    raise
                raise Unavailable(
                    f"{self.uri(key)} was damaged in transit, as its checksum shows; run again"
                ) from error


class _Digest(io.RawIOBase):
    """A file that only computes the SHA-256 of what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._sha256 = hashlib.sha256()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Add bytes."""
        self._sha256.update(data)
        return len(data)

    def hexdigest(self) -> str:
        """Return the SHA-256 of all bytes, hexadecimal."""
        return self._sha256.hexdigest()


def _at(project: str | None, credentials: Any, bucket: str, folder: str) -> GcsStore:
    return GcsStore(Client(project, credentials).bucket(bucket), folder)


def _refuse_missing_bucket(error: NotFound) -> None:
    """Re-raise the error for a missing bucket, which only its text tells from a missing object."""
    if "bucket does not exist" in error.message:
        raise error


def _unchanged(version: str) -> dict[str, Any]:
    """Return the arguments of a rewrite from one generation of an object."""
    return {"if_source_generation_match": int(version), "timeout": TIMEOUT, "retry": RETRY}


def _info(blob: Blob) -> ObjectInfo:
    return ObjectInfo(int(blob.size), str(blob.generation))
