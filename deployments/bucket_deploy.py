"""Upload the code to a bucket, and deploy the flows as processes that fetch it from there.

python deployments/bucket_deploy.py --storage s3-bucket/zoom-s3 --dry-run
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "blocks"))

from settings import PROJECT, Settings

from core.errors import TripsError, UsageError
from core.storage.bucket import Bucket
from orchestration.block_registry import open_bucket
from orchestration.exit_codes import ExitCode
from project_code import ProjectCode
from saved_blocks import loaded
from targets import Target, deploy, parser

#: Folder in the bucket with a subfolder for each upload, named by its digest.
CODE = "code"
#: Folder with a list of the files of each upload. It is a separate folder, because blocks fetch
#: every key that starts with the path of the upload.
LISTS = f"{CODE}/uploads"
TARGET = Target(
    name="bucket-flow",
    queue="bucket",
    infrastructure="prefect.infrastructure.Process/zoom-fetched",
)
_CLASSES = {
    "s3-bucket": "prefect_aws.s3.S3Bucket",
    "gcs-bucket": "prefect_gcp.cloud_storage.GcsBucket",
}


def target_of(storage: str) -> Target:
    """Return the target whose code and months are in the bucket of a block.

    Raises:
        UsageError: it does not name a block of S3 or of Cloud Storage.
    """
    slug, _, name = storage.partition("/")
    if slug not in _CLASSES or not name:
        given = f"{storage} is not a bucket" if storage else "no bucket is named"
        known = " or ".join(f"{slug}/NAME" for slug in _CLASSES)
        raise UsageError(f"{given} that agents can fetch code from; name one: --storage {known}")
    return replace(TARGET, storage=f"{_CLASSES[slug]}/{name}", bucket=storage)


def uploaded(code: ProjectCode, bucket: Bucket) -> str:
    """Upload the files to a separate folder, and return its key.

    Deployments switch to it when it is complete, so no run fetches a partial upload.
    """
    folder, listing = f"{CODE}/{code.digest}", _listing(code.digest)
    now = dt.datetime.now(dt.timezone.utc).isoformat()
    # Written first, so that a later upload can remove what a killed one left.
    there = bucket.read(listing)
    text = json.dumps({"uploaded_at": now, "files": code.files})
    bucket.write(listing, text.encode(), replacing=there.version if there else None)
    for name in code.files:
        bucket.upload(code.root / name, f"{folder}/{name}")
    return folder


def remove_older(code: ProjectCode, bucket: Bucket) -> int:
    """Remove all uploads except this one and the previous one, and return how many.

    A run that is just starting may still fetch the previous one.
    """
    digests = [found.name.removesuffix(".json") for found in bucket.files(LISTS)]
    others = {d: json.loads(stored.data) for d in digests if (stored := bucket.read(_listing(d)))}
    others.pop(code.digest, None)
    older = sorted(others, key=lambda digest: str(others[digest]["uploaded_at"]))[:-1]
    for digest in older:
        for name in others[digest]["files"]:
            bucket.delete(f"{CODE}/{digest}/{name}")
        bucket.delete(_listing(digest))
    return len(older)


def _listing(digest: str) -> str:
    return f"{LISTS}/{digest}.json"


def path_of(folder: str, block: Any) -> str:
    """Return a key of the bucket in the form that the block's `get_directory` expects.

    S3Bucket expects the whole key; GcsBucket adds its folder, and drops a final slash.
    """
    whole = getattr(block, "bucket_name", None) is not None
    own = block.bucket_folder.strip("/") if whole else ""
    return f"{own}/{folder}" if own else folder


def main(arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the command: upload the code, then apply the deployments that fetch it."""
    options = _options(arguments)
    settings = Settings.read(options.env)
    try:
        target = target_of(options.storage or settings.get("TRIPS_BUCKET"))
        code = ProjectCode.read(PROJECT, settings)
        if options.dry_run:
            print(f"{_files(code)} to {target.bucket}/{CODE}/{code.digest}, not uploaded\n")
            return deploy(target, options)
        return _deployed(target, code, options)
    except UsageError as error:
        print(f"Error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except TripsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return ExitCode.FAILED


def _options(arguments: Sequence[str] | None) -> Any:
    found = parser()
    found.add_argument(
        "--storage",
        default="",
        help="block of the bucket, s3-bucket/NAME or gcs-bucket/NAME; by default TRIPS_BUCKET",
    )
    return found.parse_args(arguments)


def _deployed(target: Target, code: ProjectCode, options: Any) -> ExitCode:
    def upload(target: Target) -> Target:
        """Return the target with the path of the uploaded code."""
        bucket = open_bucket(target.bucket)
        folder = uploaded(code, bucket)
        print(f"uploaded {_files(code)} to {bucket.uri(folder)}")
        return replace(target, path=path_of(folder, loaded(str(target.storage))))

    done = deploy(target, options, prepare=upload)
    if done is ExitCode.DONE and (removed := remove_older(code, open_bucket(target.bucket))):
        print(f"older uploads removed: {removed}")
    return done


def _files(code: ProjectCode) -> str:
    return f"{len(code.files)} files, {code.size():,} bytes"


if __name__ == "__main__":
    sys.exit(main())
