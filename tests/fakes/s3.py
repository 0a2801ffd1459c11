"""An S3 server on 127.0.0.1, and the unmodified prefect-aws block of a bucket in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partialmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import boto3
import botocore.session
import pytest
from botocore.loaders import create_loader
from werkzeug.serving import BaseWSGIServer

from core.storage.s3 import S3Store
from core.storage.s3_connection import Connection

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from prefect_aws.s3 import S3Bucket

KEY, SECRET, REGION = "AKIAZOOM", "not-a-real-secret-of-aws", "us-east-1"


@dataclass(frozen=True)
class Objects:
    """A bucket as boto3 itself sees it, for expected values."""

    client: S3Client
    name: str

    def listing(self) -> dict[str, bytes]:
        """Return every object with its bytes."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        found = [o["Key"] for page in pages for o in page.get("Contents", [])]
        return {key: self.get(key) for key in found}

    def get(self, key: str) -> bytes:
        """Return the bytes of an object."""
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def put(self, key: str, data: bytes) -> None:
        """Change an object behind the project's back."""
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def fill(self, keys: Iterable[str]) -> None:
        """Put small objects, without a request for each."""
        from moto.core.models import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        for key in keys:
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(self.name, key, b"1")


class S3:
    """The server, which runs inside `with S3() as s3:`."""

    def __init__(self) -> None:
        # Imported here: a process that only uses the server does not need it.
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> S3:
        import moto.backends
        from moto.s3.responses import S3Response

        # Each session would read the description of all of AWS again, a megabyte of JSON.
        self._patch.setattr(botocore.session, "create_loader", cache(create_loader))
        # Each request would list the folder of moto's packages, which takes a third of its time.
        modules = tuple(moto.backends.list_of_moto_modules())
        self._patch.setattr(moto.backends, "list_of_moto_modules", lambda: modules)
        self._patch.setattr(S3Response, "copy_object", _refusing(S3Response.copy_object))
        # By default, shutdown takes up to half a second.
        at_once = partialmethod(BaseWSGIServer.serve_forever, 0.05)
        self._patch.setattr(BaseWSGIServer, "serve_forever", at_once)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()
        self._patch.undo()

    def client(self, service: str = "s3") -> Any:
        """Return a boto3 client for the test itself, separate from those under test."""
        return boto3.client(
            service,  # type: ignore[call-overload] # any service of the server
            endpoint_url=self.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name=REGION,
        )

    def new_bucket(self, name: str) -> Objects:
        """Create an empty bucket, replacing any of this name."""
        client: S3Client = self.client()
        client.create_bucket(Bucket=name)
        objects = Objects(client, name)
        for key in objects.listing():
            client.delete_object(Bucket=name, Key=key)
        return objects


def _refusing(copy: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make moto refuse to copy an object whose ETag is not the one asked for, as S3 does."""
    from moto.s3.exceptions import PreconditionFailed

    def copied(self: Any) -> Any:
        wanted = self.headers.get("x-amz-copy-source-if-match")
        bucket, _, key = unquote(self.headers["x-amz-copy-source"]).lstrip("/").partition("/")
        found = self.backend.get_object(bucket, key)
        if wanted and found and found.etag != wanted:
            raise PreconditionFailed("x-amz-copy-source-If-Match")
        return copy(self)

    return copied


def block(
    url: str, bucket: str, folder: str = "", key: str = KEY, secret: str = SECRET
) -> S3Bucket:
    """Return the block of a bucket at an address, as a person would fill it in."""
    from prefect_aws import AwsCredentials
    from prefect_aws.client_parameters import AwsClientParameters
    from prefect_aws.s3 import S3Bucket

    credentials = AwsCredentials(
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name=REGION,
        aws_client_parameters=AwsClientParameters(endpoint_url=url),
    )
    return S3Bucket(bucket_name=bucket, bucket_folder=folder, credentials=credentials)


class _Keys:
    """Credentials like those of a prefect-aws block, for a process without Prefect."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.aws_client_parameters = self

    def get_params_override(self) -> dict[str, Any]:
        return {"endpoint_url": self._url}

    def get_boto3_session(self) -> boto3.Session:
        return boto3.Session(KEY, SECRET, region_name=REGION)


def store(url: str, bucket: str) -> S3Store:
    """Return a bucket as the flows use it, without its block."""
    return S3Store(bucket, "", Connection(_Keys(url)))


def sized(path: Path, size: int) -> Path:
    """Write a file of so many bytes, no two kilobytes alike."""
    with path.open("wb") as file:
        for n in range(size // 1024):
            file.write(n.to_bytes(4, "big") * 256)
        file.write(b"." * (size % 1024))
    return path
