"""A bucket of S3 or of an S3-compatible service."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from core.checksums import sha256_of, with_file
from core.disk import room_for
from core.errors import Conflict, StorageError, Unavailable
from core.storage.bucket import Listed, ObjectInfo, Stored
from core.storage.parts import whole_part
from core.storage.s3_connection import Connection
from core.storage.s3_errors import is_absent, is_changed, refused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK_BYTES = 1 << 20
_WRITER = "written-by"


class Block(Protocol):
    """The part of a prefect-aws S3Bucket in use."""

    bucket_name: str
    bucket_folder: str
    credentials: Any


@dataclass(frozen=True)
class S3Store:
    """An S3 bucket, or a folder in one; see `core.storage.bucket.Bucket`.

    Attributes:
        bucket: the name of the bucket.
        folder: prefix of all keys, without the slash; empty for the whole bucket.
        connection: the connection to the service.
    """

    is_versioned: ClassVar[bool] = True  # the ETag is a checksum that S3 keeps with the bytes
    bucket: str
    folder: str
    connection: Connection

    @classmethod
    def of(cls, block: Block) -> S3Store:
        """Return the bucket of a prefect-aws S3Bucket, without a request to the service."""
        return cls(block.bucket_name, block.bucket_folder.strip("/"), Connection(block.credentials))

    def uri(self, key: str) -> str:
        """Return `s3://bucket/folder/key`."""
        return f"s3://{self.bucket}/{self._key(key)}"

    def link(self, key: str) -> str:
        """Return the object's address at the service, which checks who reads it; see `Bucket`."""
        with self._asking(key) as client:
            return f"{client.meta.endpoint_url}/{self.bucket}/{quote(self._key(key))}"

    def info(self, key: str) -> ObjectInfo | None:
        """Return the size, and the ETag as version.

        Raises:
            StorageError: S3 refused.
            Unavailable: S3 cannot be reached.
        """
        with self._asking(key) as client:
            try:
                answer = client.head_object(Bucket=self.bucket, Key=self._key(key))
            except ClientError as error:
                if not is_absent(error):
                    raise
                # A HEAD response has no body that tells a missing object from a missing bucket.
                client.head_bucket(Bucket=self.bucket)
                return None
        return ObjectInfo(answer["ContentLength"], answer["ETag"])

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of the object; see `Bucket`.

        Raises:
            StorageError: the object does not exist, or S3 refused.
            Unavailable: S3 cannot be reached, or the response broke off.
        """
        digest = hashlib.sha256()
        self._receive(key, digest.update)
        return digest.hexdigest()

    def files(self, folder: str) -> list[Listed]:
        """List the objects from all pages of the listing; see `Bucket`.

        Raises:
            StorageError: S3 refused.
            Unavailable: S3 cannot be reached.
        """
        prefix = self._key(f"{folder}/" if folder else "")
        with self._asking(folder) as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, Delimiter="/"
            )
            found = [o for page in pages for o in page.get("Contents", []) if o["Key"] != prefix]
        # S3's console creates a folder as an empty object; the filter above leaves it out.
        return [Listed(o["Key"][len(prefix) :], o["Size"], o["LastModified"]) for o in found]

    def etag(self, key: str) -> str:
        """Return S3's ETag; see `Bucket`.

        Raises:
            StorageError: the object does not exist, or S3 refused.
            Unavailable: S3 cannot be reached.
        """
        found = self.info(key)
        if found is None:
            raise StorageError(f"{self.uri(key)} is gone; run again")
        return found.version

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Upload a file in one request, and verify the checksum in the response.

        Raises:
            StorageError: S3 refused the upload.
            Unavailable: S3 cannot be reached, or the bytes it received are not those sent.
        """
        with self._asking(key) as client, path.open("rb") as file:
            answer = client.put_object(
                Bucket=self.bucket,
                Key=self._key(key),
                Body=file,
                ChecksumAlgorithm="SHA256",
                # Without it a browser downloads a page instead of showing it.
                ContentType=guess_type(key)[0] or "application/octet-stream",
            )
        if not _is_same(path, answer.get("ChecksumSHA256"), answer["ETag"]):
            raise Unavailable(
                f"{self.uri(key)} was damaged in transit: its checksum is not that of {path.name}; "
                "run again"
            )
        return ObjectInfo(path.stat().st_size, answer["ETag"])

    def copy(self, source: str, target: str, version: str) -> ObjectInfo:
        """Have S3 copy the object in one request, which sends no bytes; see `Bucket`.

        Raises:
            Conflict: the object is gone, or another run wrote it in the meantime.
            StorageError: S3 refused.
            Unavailable: S3 cannot be reached.
        """
        there = self.info(source)  # some S3-compatible services ignore CopySourceIfMatch
        changed = Conflict(f"{self.uri(source)} was changed by another run; run again")
        if there is None or there.version != version:
            raise changed
        request: Any = {"Key": self._key(target), "CopySourceIfMatch": version}
        request["CopySource"] = {"Bucket": self.bucket, "Key": self._key(source)}
        with self._asking(target) as client:
            try:
                answer = client.copy_object(Bucket=self.bucket, **request)
            except ClientError as error:
                if not (is_changed(error) or is_absent(error)):
                    raise
                raise changed from error
        return ObjectInfo(there.size, answer["CopyObjectResult"]["ETag"])

    def download(self, key: str, path: Path) -> None:
        """Download the object into a file.

        Raises:
            StorageError: the object does not exist, the disk has no room, or S3 refused.
            Unavailable: S3 cannot be reached, or the response broke off.
        """
        with room_for(path.name, path.parent), path.open("wb") as file:
            self._receive(key, file.write)

    def read(self, key: str) -> Stored | None:
        """Return the content with the ETag as version; None if the object does not exist.

        Raises:
            StorageError: S3 refused.
            Unavailable: S3 cannot be reached.
        """
        with self._asking(key) as client:
            try:
                answer = client.get_object(Bucket=self.bucket, Key=self._key(key))
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
            return Stored(answer["Body"].read(), answer["ETag"])

    def read_part(self, key: str, start: int, size: int) -> bytes:
        """Return some bytes of the object; see `Bucket`.

        Raises:
            StorageError: S3 refused, or the object ends before them.
            Unavailable: S3 cannot be reached.
        """
        part = f"bytes={start}-{start + size - 1}"
        with self._asking(key) as client:
            answer = client.get_object(Bucket=self.bucket, Key=self._key(key), Range=part)
            return whole_part(answer["Body"].read(), size, self.uri(key))

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Write an object if its ETag is still `replacing` (None: it does not exist).

        Raises:
            Conflict: another run wrote it in the meantime.
            StorageError: S3 refused.
            Unavailable: S3 cannot be reached.
        """
        writer = uuid.uuid4().hex
        request: Any = {"Key": self._key(key), "Body": data, "Metadata": {_WRITER: writer}}
        request |= {"IfMatch": replacing} if replacing else {"IfNoneMatch": "*"}
        with self._asking(key) as client:
            try:
                client.put_object(Bucket=self.bucket, **request)
            except ClientError as error:
                # Absent: the object to replace has been deleted.
                if not (is_changed(error) or is_absent(error)):
                    raise
                # The response to a successful write may get lost; the client then retries,
                # and conflicts with its own object.
                if not self._was_written_by(client, key, writer):
                    message = f"{self.uri(key)} was changed by another run; run again"
                    raise Conflict(message) from error

    def delete(self, key: str) -> None:
        """Delete the object; do nothing if it does not exist.

        Raises:
            StorageError: S3 refused.
            Unavailable: S3 cannot be reached.
        """
        with self._asking(key) as client:
            client.delete_object(Bucket=self.bucket, Key=self._key(key))

    def _receive(self, key: str, take: Callable[[bytes], object]) -> None:
        with self._asking(key) as client:
            answer = client.get_object(Bucket=self.bucket, Key=self._key(key))
            for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                take(chunk)

    def _was_written_by(self, client: S3Client, key: str, writer: str) -> bool:
        try:
            found = client.head_object(Bucket=self.bucket, Key=self._key(key))
        except ClientError as error:
            if is_absent(error):
                return False
            raise
        return found["Metadata"].get(_WRITER) == writer

    def _key(self, key: str) -> str:
        return f"{self.folder}/{key}" if self.folder else key

    @contextmanager
    def _asking(self, key: str) -> Iterator[S3Client]:
        try:
            yield self.connection.client()
        except (BotoCoreError, ClientError) as error:
            raise refused(self.uri(key), error) from error


def _is_same(path: Path, sha256: str | None, etag: str) -> bool:
    """Return whether a response describes this file.

    Some S3-compatible services return no SHA-256; their ETag is the MD5 of the object, as is
    S3's for an object uploaded in one request.
    """
    if sha256:
        return sha256 == base64.b64encode(bytes.fromhex(sha256_of(path))).decode()
    digest = with_file(hashlib.md5(usedforsecurity=False), path)
    return etag.strip('"') == digest.hexdigest()
