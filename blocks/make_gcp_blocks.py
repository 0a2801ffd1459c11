"""Save the blocks of Google Cloud: credentials, bucket and BigQuery."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from settings import Settings

from google.auth.credentials import with_scopes_if_required
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from prefect_gcp import GcpCredentials
from prefect_gcp.bigquery import BigQueryWarehouse
from prefect_gcp.cloud_storage import GcsBucket

from block_specs import Blocks, BlockSpec, main

#: Scope of the tokens that the clients request.
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: Timeout of a check, in seconds.
PATIENCE = 10


def blocks(settings: Settings) -> Blocks:
    """Yield the credentials, and the bucket and BigQuery blocks that refer to them."""
    credentials = _credentials(settings)
    yield "zoom-gcp-creds", credentials
    bucket, folder = settings.bucket("GCS_BUCKET"), settings.get("GCS_FOLDER")
    yield "zoom-gcs", GcsBucket(bucket=bucket, bucket_folder=folder, gcp_credentials=credentials)
    yield "zoom-bq", _warehouse(credentials)


def _warehouse(credentials: GcpCredentials) -> BigQueryWarehouse:
    # The block connects at once, and warns of a missing package that only downloads need.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Cannot create BigQuery Storage client")
        return BigQueryWarehouse(gcp_credentials=credentials)


def _credentials(settings: Settings) -> GcpCredentials:
    """Return credentials without a key, from a key's JSON, or from the path of its file.

    Without a key each machine uses its own: application default credentials.
    """
    key, project = settings.get("GCP_SERVICE_ACCOUNT"), settings.get("GCP_PROJECT") or None
    if not key:
        return _default(settings, project)
    if key.lstrip().startswith("{"):
        return _with_key(settings, key, project)
    path = Path(key).expanduser().absolute()
    if not path.is_file():
        raise settings.wrong(
            "GCP_SERVICE_ACCOUNT",
            "is neither a file on this machine nor the JSON of a key (docker compose finds a file "
            "in the project's folder alone, by its path from there)",
        )
    return GcpCredentials(service_account_file=path, project=project)


def _with_key(settings: Settings, key: str, project: str | None) -> GcpCredentials:
    try:
        return GcpCredentials(service_account_info=key, project=project)
    except ValueError as error:  # raised by pydantic and by Google's parser
        raise settings.wrong("GCP_SERVICE_ACCOUNT", f"cannot be used: {error}") from error


def _default(settings: Settings, project: str | None) -> GcpCredentials:
    try:
        return GcpCredentials(project=project)
    except GoogleAuthError as error:
        raise settings.wrong(
            "GCP_SERVICE_ACCOUNT",
            "is not set, and this machine has no application default credentials "
            f"(gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS): {error}",
        ) from error


def check_credentials(block: GcpCredentials) -> str:
    """Request a token from Google."""
    found = block.get_credentials_from_service_account()
    credentials = with_scopes_if_required(found, [_SCOPE])  # type: ignore[no-untyped-call] # Google's
    credentials.refresh(Request())
    return f"a token for project {block.project}"


def check_bucket(block: GcsBucket) -> str:
    """List one object."""
    client = block.gcp_credentials.get_cloud_storage_client()
    list(client.list_blobs(block.bucket, max_results=1, timeout=PATIENCE, retry=None))
    return f"gs://{block.bucket} can be listed"


def check_warehouse(block: BigQueryWarehouse) -> str:
    """List one dataset."""
    client = block.gcp_credentials.get_bigquery_client()
    list(client.list_datasets(max_results=1, timeout=PATIENCE, retry=None))
    return f"project {client.project} can be listed"


SPEC = BlockSpec(
    ("GCS_BUCKET",),
    blocks,
    {
        "gcp-credentials/zoom-gcp-creds": check_credentials,
        "gcs-bucket/zoom-gcs": check_bucket,
        "bigquery-warehouse/zoom-bq": check_warehouse,
    },
)

if __name__ == "__main__":
    sys.exit(main([SPEC]))
