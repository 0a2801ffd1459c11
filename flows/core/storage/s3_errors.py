"""Errors of S3 and its client, converted to errors of this project that say what to do."""

from __future__ import annotations

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from core.errors import StorageError, Unavailable

#: The policy actions that an operation needs (the service's own table of actions). Without
#: s3:ListBucket, S3 denies access to a missing object instead of reporting it as missing.
_ACTIONS = {
    "GetObject": "s3:GetObject and s3:ListBucket",
    "HeadObject": "s3:GetObject and s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "CopyObject": "s3:GetObject and s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
}
_NOT_KNOWN = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
)
_THROTTLED = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "OperationAborted"}
)
#: The checksum of the bytes received is not the one sent; the last code is MinIO's.
_MISMATCHED = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"})
_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.CredentialRetrievalError,
)
#: Transient errors, except their subclass SSLError, which is not retried.
_PASSING = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    exceptions.ResponseStreamingError,
)
_DAMAGED = (exceptions.FlexibleChecksumError, exceptions.ChecksumError)
_CREDENTIALS = "correct the credentials block of the bucket (python blocks/make_s3_block.py)"


def is_absent(error: ClientError) -> bool:
    """Return whether the object is missing; HEAD gives the same error for a missing bucket."""
    return _code(error) in ("NoSuchKey", "404") and error.operation_name != "HeadBucket"


def is_changed(error: ClientError) -> bool:
    """Return whether a conditional write lost to an earlier or a concurrent write."""
    return _code(error) in ("PreconditionFailed", "ConditionalRequestConflict")


def refused(uri: str, error: BotoCoreError | ClientError) -> StorageError:
    """Return the error for what S3 refused or its client could not do.

    Args:
        uri: of the object concerned.
        error: as the client raised it.
    """
    if isinstance(error, ClientError):
        return _answered(uri, error)
    if isinstance(error, exceptions.SSLError):
        return StorageError(
            f"{uri}: no TLS connection to S3 ({error}); correct the endpoint of the credentials "
            "block, or name the certificates to trust in TRIPS_CA_FILE"
        )
    if isinstance(error, _PASSING):
        return Unavailable(
            f"{uri}: S3 cannot be reached: {error}; check the network and the endpoint of the "
            "credentials block, then run again"
        )
    if isinstance(error, _DAMAGED):
        return Unavailable(f"{uri} was damaged in transit ({error}); run again")
    if isinstance(error, _NO_CREDENTIALS):
        return StorageError(f"{uri}: no credentials: {error}; {_CREDENTIALS}")
    if "Invalid bucket name" in str(error):  # the rest of the message is regular expressions
        return StorageError(f"{uri}: the name of the bucket is not valid; correct its block")
    return StorageError(f"{uri}: {error}; correct the block of the bucket")


def _answered(uri: str, error: ClientError) -> StorageError:
    code, status = _code(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = f"S3 says {code}: {error.response.get('Error', {}).get('Message', '')}"
    if code in _THROTTLED or status == 429 or (status >= 500 and status != 501):
        return Unavailable(f"{uri}: {said}; run again")
    if code in _MISMATCHED:
        return Unavailable(f"{uri} was damaged in transit ({said}); run again")
    if code == "NoSuchBucket" or (code == "404" and error.operation_name == "HeadBucket"):
        return StorageError(f"{uri}: there is no such bucket; create it, or correct its name")
    if code in ("NoSuchKey", "404"):
        return StorageError(f"{uri} is gone; run flows/etl_web_to_gcs.py for its month again")
    if code in _NOT_KNOWN:
        return StorageError(f"{uri}: {said}; {_CREDENTIALS}")
    if status == 403:
        action = _ACTIONS.get(error.operation_name, f"s3:{error.operation_name}")
        return StorageError(f"{uri}: access denied; allow these credentials {action}")
    return StorageError(f"{uri}: {said}; correct what it names, in the block or at S3")


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
