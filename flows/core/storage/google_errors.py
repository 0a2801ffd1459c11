"""Errors of Google's clients, converted to errors of this project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from core.errors import StorageError, Unavailable

#: Seconds for one request, and for one request including its retries.
TIMEOUT, PATIENCE = 60, 120
_PASSING = (
    api.TooManyRequests,
    api.ServerError,
    api.RetryError,
    auth.TransportError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,  # a truncated response
    requests.exceptions.ContentDecodingError,  # or a damaged one
    ConnectionError,
    TimeoutError,
)


@contextmanager
def google_errors(what: str, role: str) -> Iterator[None]:
    """Convert errors of Google's clients to StorageErrors that name what was requested.

    Args:
        what: the bucket, object or table, and the month if it is known.
        role: the IAM role that the account needs for it.

    Raises:
        Unavailable: no complete response, 408, 412, 429 or 5xx, even after the client's retries.
        StorageError: any other error, such as a query over the limit of TRIPS_BQ_MAX_BYTES.
    """
    try:
        yield
    except _PASSING as error:
        if _exceeds_limit(error):
            raise _over_limit(what, error) from error
        raise Unavailable(f"{what}: Google does not answer ({_said(error)}); run again") from error
    except (api.Forbidden, api.Unauthorized) as error:
        raise StorageError(
            f"{what}: {_said(error)}; give the account of the block the role {role}"
        ) from error
    except auth.GoogleAuthError as error:
        raise StorageError(
            f"{what}: the account is not accepted ({_first(error)}); renew the key of the block, "
            "or run gcloud auth application-default login"
        ) from error
    except api.GoogleAPICallError as error:
        if _exceeds_limit(error):
            raise _over_limit(what, error) from error
        # 412: of two first loads after an upgrade, the other one has added the ledger's columns.
        kind = Unavailable if error.code in (408, 412) else StorageError
        raise kind(
            f"{what}: Google refused ({_said(error)}); correct what it names, in the block or at "
            "Google, then run again"
        ) from error


@contextmanager
def usable_account(what: str) -> Iterator[None]:
    """Convert errors about a missing or invalid account or project of a block.

    Args:
        what: the block.

    Raises:
        StorageError: the block and this machine name no account, or no project.
    """
    try:
        yield
    except auth.GoogleAuthError as error:
        raise StorageError(
            f"{what}: no Google account can be used ({_first(error)}); set GCP_SERVICE_ACCOUNT and "
            "run python blocks/make_gcp_blocks.py, or, on the machine of the run, correct "
            "GOOGLE_APPLICATION_CREDENTIALS or run gcloud auth application-default login"
        ) from error
    except OSError as error:
        if "Project was not passed" not in str(error):
            raise
        raise StorageError(
            f"{what}: neither the block nor this machine names a Google project; set GCP_PROJECT "
            "and run python blocks/make_gcp_blocks.py"
        ) from error


def _first(error: auth.GoogleAuthError) -> str:
    """Return the message of an error without the response that may follow and repeat it."""
    return " ".join(str(error.args[0] if error.args else error).split())


def _exceeds_limit(error: Exception) -> bool:
    """Return whether a query would bill more than maximum_bytes_billed.

    Google's client has no class for that reason, and raises a server error instead.
    """
    reasons = [each.get("reason") for each in getattr(error, "errors", None) or ()]
    return "bytesBilledLimitExceeded" in reasons


def _over_limit(what: str, error: Exception) -> StorageError:
    return StorageError(f"{what}: {_said(error)}", "raise TRIPS_BQ_MAX_BYTES, or name fewer months")


def _said(error: Exception) -> str:
    said = " ".join(str(getattr(error, "message", "") or error).split())
    # Anybody who knows the id of an upload can continue it.
    return re.sub(r"\bupload_id=[\w-]+", "upload_id=***", said)
