"""Save the block of an S3 bucket, `s3-bucket/zoom-s3`, and its credentials."""

from __future__ import annotations

import sys

from settings import Settings

from prefect_aws import AwsCredentials
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.s3 import S3Bucket

from block_specs import Blocks, BlockSpec, main

from core.storage.s3 import S3Store  # isort: skip - settings puts flows/ on the path


def blocks(settings: Settings) -> Blocks:
    """Yield the credentials, and the bucket that refers to them."""
    credentials = _credentials(settings)
    yield "zoom-aws-creds", credentials
    bucket, folder = settings.bucket("S3_BUCKET"), settings.get("S3_FOLDER")
    yield (
        "zoom-s3",
        S3Bucket(bucket_name=bucket, bucket_folder=folder, credentials=credentials),
    )


def _credentials(settings: Settings) -> AwsCredentials:
    key, secret = settings.get("AWS_ACCESS_KEY_ID"), settings.get("AWS_SECRET_ACCESS_KEY")
    if bool(key) != bool(secret):  # with neither, boto3 looks for a profile or role
        absent = "AWS_SECRET_ACCESS_KEY" if key else "AWS_ACCESS_KEY_ID"
        raise settings.wrong(absent, "is not set, but the other one is")
    profile = settings.get("AWS_PROFILE")
    if key and profile:
        raise settings.wrong("AWS_PROFILE", "is set, and so is AWS_ACCESS_KEY_ID; use one of them")
    return AwsCredentials(
        aws_access_key_id=key or None,
        aws_secret_access_key=secret or None,
        aws_session_token=settings.get("AWS_SESSION_TOKEN") or None,
        profile_name=profile or None,
        region_name=settings.get("AWS_REGION") or None,
        aws_client_parameters=AwsClientParameters(
            endpoint_url=settings.address("S3_ENDPOINT_URL") or None
        ),
    )


def check_credentials(block: AwsCredentials) -> str:
    """Check that credentials exist; only a request to a bucket shows whether they are valid."""
    found = block.get_boto3_session().get_credentials()
    if found is None:
        raise LookupError("neither AWS_ACCESS_KEY_ID nor a profile nor a role")
    return f"found ({found.method})"


def check_bucket(block: S3Bucket) -> str:
    """Request an object, as a flow does first."""
    store = S3Store.of(block)
    store.read("ledger/check")
    return f"{store.uri('')} can be read"


SPEC = BlockSpec(
    ("S3_BUCKET",),
    blocks,
    {"aws-credentials/zoom-aws-creds": check_credentials, "s3-bucket/zoom-s3": check_bucket},
)

if __name__ == "__main__":
    sys.exit(main([SPEC]))
