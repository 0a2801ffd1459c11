"""The connection to S3 or to an S3-compatible service."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from botocore.client import Config

from core.errors import StorageError

if TYPE_CHECKING:
    from boto3 import Session
    from mypy_boto3_s3 import S3Client

#: Timeouts in seconds, for connecting and for silence after that. The client retries once;
#: further retries are left to the flow, where they are visible.
_PATIENCE = Config(
    connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 2, "mode": "standard"}
)


class Credentials(Protocol):
    """The part of a prefect-aws S3Bucket's credentials in use, the same for AWS and MinIO."""

    #: With `get_params_override()`: endpoint, certificates and botocore's settings.
    aws_client_parameters: Any

    def get_boto3_session(self) -> Session:
        """Return a session that signs with these credentials."""


class Connection:
    """A client that is created on first use, and again in each process it is sent to."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lock = Lock()
        self._client: S3Client | None = None

    def __reduce__(self) -> tuple[type[Connection], tuple[Credentials]]:
        return Connection, (self._credentials,)

    def client(self) -> S3Client:
        """Return the one client, which threads may share.

        Raises:
            BotoCoreError: the credentials are invalid.
            StorageError: the endpoint is invalid.
        """
        with self._lock:  # creating a client is not thread-safe, using it is
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> S3Client:
        parameters = dict(self._credentials.aws_client_parameters.get_params_override())
        # The block's own settings take precedence.
        config = _PATIENCE.merge(parameters.pop("config", Config()))
        if parameters.get("verify") is True:
            # The block's default. Passed on, it would hide the certificates of AWS_CA_BUNDLE.
            del parameters["verify"]
        session = self._credentials.get_boto3_session()
        try:
            client: S3Client = session.client("s3", config=config, **parameters)
        except ValueError as error:  # botocore's error for an invalid endpoint
            raise StorageError(f"S3: {error}; correct the credentials block's endpoint") from error
        return client
