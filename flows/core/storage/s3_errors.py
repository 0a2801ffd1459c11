"""What S3 and its client say, as errors of ours that say what to do."""

from __future__ import annotations

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from core.errors import StorageError, Unavailable

#: What an operation asks the policy for (the service's own table of actions). Without
#: s3:ListBucket, S3 denies an object that is not there instead of saying so.
_ACTIONS = {
    "GetObject": "s3:GetObject and s3:ListBucket",
    "HeadObject": "s3:GetObject and s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
}
_NOT_KNOWN = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
)
_THROTTLED = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "OperationAborted"}
)
_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.CredentialRetrievalError,
)
#: A certificate that nobody vouches for is an SSLError and does not pass by itself.
_PASSING = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    exceptions.ResponseStreamingError,
)
_DAMAGED = (exceptions.FlexibleChecksumError, exceptions.ChecksumError)
_CREDENTIALS = "correct the credentials block of the bucket (python blocks/make_s3_block.py)"


def is_absent(error: ClientError) -> bool:
    """Whether the object is not there; HEAD does not tell it from an absent bucket."""
    return _code(error) in ("NoSuchKey", "404") and error.operation_name != "HeadBucket"


def is_changed(error: ClientError) -> bool:
    """Whether a conditional write lost: before it began, or to one at the same time."""
    return _code(error) in ("PreconditionFailed", "ConditionalRequestConflict")


def refused(uri: str, error: BotoCoreError | ClientError) -> StorageError:
    """The error for what S3 refused or its client could not do.

    Args:
        uri: of the object that it was about.
        error: as the client raised it.
    """
    if isinstance(error, ClientError):
        return _answered(uri, error)
    if isinstance(error, _PASSING) and not isinstance(error, exceptions.SSLError):
        return Unavailable(f"{uri}: S3 cannot be reached: {error}")
    if isinstance(error, _DAMAGED):
        return Unavailable(f"{uri}: was damaged on its way ({error}); run again")
    if isinstance(error, _NO_CREDENTIALS):
        return StorageError(f"{uri}: no credentials: {error}; {_CREDENTIALS}")
    return StorageError(f"{uri}: {error}; correct the block of the bucket")


def _answered(uri: str, error: ClientError) -> StorageError:
    code, status = _code(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = f"S3 says {code}: {error.response.get('Error', {}).get('Message', '')}"
    if code in _THROTTLED or status == 429 or (status >= 500 and status != 501):
        return Unavailable(f"{uri}: {said}")
    if code == "NoSuchBucket" or (code == "404" and error.operation_name == "HeadBucket"):
        return StorageError(f"{uri}: there is no such bucket; create it, or correct its name")
    if code in ("NoSuchKey", "404"):
        return StorageError(f"{uri} is gone; run flows/etl_web_to_gcs.py for its month again")
    if code in _NOT_KNOWN:
        return StorageError(f"{uri}: {said}; {_CREDENTIALS}")
    if status == 403:
        action = _ACTIONS.get(error.operation_name, f"s3:{error.operation_name}")
        return StorageError(f"{uri}: access denied; allow these credentials {action}")
    return StorageError(f"{uri}: {said}")


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
