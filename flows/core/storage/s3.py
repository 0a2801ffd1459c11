"""S3, or what speaks like it, as the bucket of the months."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from core.checksums import sha256_of
from core.disk import room_for
from core.errors import Conflict, StorageError
from core.storage.bucket import Listed, ObjectInfo, Stored, whole_part
from core.storage.s3_errors import is_absent, is_changed, refused

if TYPE_CHECKING:
    from boto3 import Session
    from mypy_boto3_s3 import S3Client

#: Seconds to reach the service, and seconds that it may then say nothing. What fails once is
#: asked again at once, the rest is for the flow's own retries, which can be seen.
_PATIENCE = Config(
    connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 2, "mode": "standard"}
)
_CHUNK_BYTES = 1 << 20
_WRITER = "written-by"


class Credentials(Protocol):
    """What is used of the credentials of a prefect-aws S3Bucket, AWS's and MinIO's alike."""

    #: With `get_params_override()`: endpoint, certificates and botocore's settings.
    aws_client_parameters: Any

    def get_boto3_session(self) -> Session:
        """A session that signs with these credentials."""


class Block(Protocol):
    """What is used of a prefect-aws S3Bucket."""

    bucket_name: str
    bucket_folder: str
    credentials: Any


class Connection:
    """A client that is made when it is first used, and made anew where it is sent to."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lock = Lock()
        self._client: S3Client | None = None

    def __reduce__(self) -> tuple[type[Connection], tuple[Credentials]]:
        return Connection, (self._credentials,)

    def client(self) -> S3Client:
        """The one client, which threads may share.

        Raises:
            BotoCoreError: the credentials cannot be meant.
            StorageError: the address cannot be meant.
        """
        with self._lock:  # making one is not safe for threads, using it is
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> S3Client:
        parameters = dict(self._credentials.aws_client_parameters.get_params_override())
        # What the block sets itself wins.
        config = _PATIENCE.merge(parameters.pop("config", Config()))
        session = self._credentials.get_boto3_session()
        try:
            client: S3Client = session.client("s3", config=config, **parameters)
        except ValueError as error:  # how botocore calls an address that is none
            raise StorageError(f"S3: {error}; correct the credentials block's endpoint") from error
        return client


@dataclass(frozen=True)
class S3Store:
    """A bucket of S3, or a folder of it; see `core.storage.bucket.Bucket`.

    Attributes:
        bucket: its name.
        folder: what all keys begin with, without the slash; empty for the whole bucket.
        connection: to the service.
    """

    bucket: str
    folder: str
    connection: Connection

    @classmethod
    def of(cls, block: Block) -> S3Store:
        """The bucket of a prefect-aws S3Bucket; asks nothing of the service yet."""
        return cls(block.bucket_name, block.bucket_folder.strip("/"), Connection(block.credentials))

    def uri(self, key: str) -> str:
        """`s3://bucket/folder/key`."""
        return f"s3://{self.bucket}/{self._key(key)}"

    def link(self, key: str) -> str:
        """The object's own address at the service, which asks who reads it; see `Bucket`."""
        endpoint = self.connection.client().meta.endpoint_url
        return f"{endpoint}/{self.bucket}/{quote(self._key(key))}"

    def info(self, key: str) -> ObjectInfo | None:
        """Size, and the ETag as version.

        Raises:
            StorageError: S3 said no.
            Unavailable: S3 could not be asked.
        """
        with self._asking(key) as client:
            try:
                answer = client.head_object(Bucket=self.bucket, Key=self._key(key))
            except ClientError as error:
                if not is_absent(error):
                    raise
                # The answer to HEAD has no body to say which of the two is absent.
                client.head_bucket(Bucket=self.bucket)
                return None
        return ObjectInfo(answer["ContentLength"], answer["ETag"])

    def files(self, folder: str) -> list[Listed]:
        """All pages of the listing; see `Bucket`.

        Raises:
            StorageError: S3 said no.
            Unavailable: S3 could not be asked.
        """
        prefix = self._key(f"{folder}/" if folder else "")
        with self._asking(folder) as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, Delimiter="/"
            )
            found = [o for page in pages for o in page.get("Contents", []) if o["Key"] != prefix]
        # The folder itself may be an object of no bytes, as S3's own console makes one.
        return [Listed(o["Key"][len(prefix) :], o["Size"], o["LastModified"]) for o in found]

    def etag(self, key: str) -> str:
        """S3's own; see `Bucket`.

        Raises:
            StorageError: there is no such object, or S3 said no.
            Unavailable: S3 could not be asked.
        """
        found = self.info(key)
        if found is None:
            raise StorageError(f"{self.uri(key)} is gone; run again")
        return found.version

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Stream a file into the object in one request, and compare the checksum of the answer.

        Raises:
            StorageError: S3 said no, or has other bytes than were sent.
            Unavailable: S3 could not be asked.
        """
        with self._asking(key) as client, path.open("rb") as file:
            answer = client.put_object(
                Bucket=self.bucket,
                Key=self._key(key),
                Body=file,
                ChecksumAlgorithm="SHA256",
                # Without it a browser keeps a page instead of showing it.
                ContentType=guess_type(key)[0] or "application/octet-stream",
            )
        if not _is_same(path, answer.get("ChecksumSHA256"), answer["ETag"]):
            raise StorageError(
                f"{self.uri(key)} is not what was sent of {path.name}: its checksum differs; "
                "run again"
            )
        return ObjectInfo(path.stat().st_size, answer["ETag"])

    def download(self, key: str, path: Path) -> None:
        """Stream the object into a file.

        Raises:
            StorageError: there is no such object, no room for it, or S3 said no.
            Unavailable: S3 could not be asked, or stopped in the middle.
        """
        with (
            self._asking(key) as client,
            room_for(path.name, path.parent),
            path.open("wb") as file,
        ):
            answer = client.get_object(Bucket=self.bucket, Key=self._key(key))
            for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                file.write(chunk)

    def read(self, key: str) -> Stored | None:
        """The content with the ETag as version; None if there is no such object.

        Raises:
            StorageError: S3 said no.
            Unavailable: S3 could not be asked.
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
        """Some bytes of the object; see `Bucket`.

        Raises:
            StorageError: S3 said no, or the object ends before them.
            Unavailable: S3 could not be asked.
        """
        part = f"bytes={start}-{start + size - 1}"
        with self._asking(key) as client:
            answer = client.get_object(Bucket=self.bucket, Key=self._key(key), Range=part)
            return whole_part(answer["Body"].read(), size, self.uri(key))

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Put an object if its ETag still is `replacing` (None: if there is none).

        Raises:
            Conflict: another run wrote it meanwhile.
            StorageError: S3 said no.
            Unavailable: S3 could not be asked.
        """
        writer = uuid.uuid4().hex
        request: Any = {"Key": self._key(key), "Body": data, "Metadata": {_WRITER: writer}}
        request |= {"IfMatch": replacing} if replacing else {"IfNoneMatch": "*"}
        with self._asking(key) as client:
            try:
                client.put_object(Bucket=self.bucket, **request)
            except ClientError as error:
                # Absent: what was to be replaced has been deleted.
                if not (is_changed(error) or is_absent(error)):
                    raise
                # The answer to a write that was carried out may get lost; the client then
                # writes again, and meets its own object.
                if not self._was_written_by(client, key, writer):
                    message = f"{self.uri(key)} was changed by another run; run again"
                    raise Conflict(message) from error

    def delete(self, key: str) -> None:
        """Remove the object; none there is fine.

        Raises:
            StorageError: S3 said no.
            Unavailable: S3 could not be asked.
        """
        with self._asking(key) as client:
            client.delete_object(Bucket=self.bucket, Key=self._key(key))

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
    """Whether an answer speaks of this file.

    Some services that speak like S3 give no SHA-256; their ETag is the MD5 of the object,
    as S3's is of one that was sent in one request.
    """
    if sha256:
        return sha256 == base64.b64encode(bytes.fromhex(sha256_of(path))).decode()
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return etag.strip('"') == digest.hexdigest()
