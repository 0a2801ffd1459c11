"""Where a flow takes months from and puts them, by name: the source, bucket and warehouse.

The defaults come from the environment (TRIPS_SOURCE, TRIPS_BUCKET, TRIPS_WAREHOUSE), then from
.env, and where both are silent they are the ones that need no account.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from dotenv import dotenv_values
from prefect.blocks.core import Block
from prefect.utilities.importtools import import_object

from embedded_blocks import DuckDBWarehouse, LocalBucket
from rowgroups.places import Place
from trips.buckets import Bucket, FolderBucket
from trips.errors import UsageError
from trips.warehouses import Warehouse

if TYPE_CHECKING:
    from prefect_gcp.bigquery import BigQueryWarehouse
    from prefect_gcp.cloud_storage import GcsBucket

    from trips.warehouses.postgres import Postgres

T = TypeVar("T")


PROJECT = Path(__file__).absolute().parents[1]
#: As it is written: a password may have a dollar sign in it.
_FILE = dotenv_values(os.environ.get("TRIPS_ENV_FILE") or PROJECT / ".env", interpolate=False)


def _given(variable: str, default: str) -> str:
    """What the environment says, or .env; empty is unset, as `.env.example` leaves it."""
    return os.environ.get(variable) or _FILE.get(variable) or default


#: The embedded default, which works before any block is saved.
EMBEDDED_BUCKET, EMBEDDED_WAREHOUSE = "local-bucket/zoom", "duckdb-warehouse/zoom"
SOURCE = _given("TRIPS_SOURCE", "dtc")
BUCKET = _given("TRIPS_BUCKET", EMBEDDED_BUCKET)
WAREHOUSE = _given("TRIPS_WAREHOUSE", EMBEDDED_WAREHOUSE)
#: The dataset of BigQuery, and where it is made if it is not there (EU, US, europe-west1).
BQ_DATASET = _given("TRIPS_BQ_DATASET", "trips_data_all")
BQ_LOCATION = _given("TRIPS_BQ_LOCATION", "") or None
#: What `make postgres` saves, and where the zoomcamp's first week puts its months.
POSTGRES = "sqlalchemy-connector/zoom-postgres"
DATA = Path(_given("TRIPS_DATA", str(PROJECT / "data")))
#: Not saved by the way: a second clone of the project would then find the folders of the first.
EMBEDDED: dict[str, Block] = {
    EMBEDDED_BUCKET: LocalBucket(folder=str(DATA / "bucket")),
    EMBEDDED_WAREHOUSE: DuckDBWarehouse(path=str(DATA / "trips.duckdb"), memory_limit="1GB"),
}


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A type of block that flows can use.

    Attributes:
        block: import path of its class, imported when it is used: the cloud ones take seconds.
        opened: turns a loaded block into a bucket or a warehouse.
        saved_by: the command that saves one.
    """

    block: str
    opened: Callable[[Any], T]
    saved_by: str


def _s3(block: Any) -> Bucket:
    # Not at the top: boto3 takes half a second, which other buckets need not pay.
    from trips.stores.s3 import S3Store

    return S3Store.of(block)


def _gcs(block: GcsBucket) -> Bucket:
    # Not at the top: Google's client takes a second, which only who uses it should pay.
    from trips.stores.gcs import GcsStore

    # Not the block's get_bucket: it asks for the bucket itself, which takes a role more.
    client = block.gcp_credentials.get_cloud_storage_client()
    return GcsStore(client.bucket(block.bucket), block.bucket_folder)


def _bigquery(block: BigQueryWarehouse) -> Warehouse:
    # Not at the top, for the same reason.
    from trips.warehouses.bigquery import BigQuery

    client = block.gcp_credentials.get_bigquery_client()
    return BigQuery(client, BQ_DATASET, BQ_LOCATION)


def postgres_of(block: Any) -> Postgres:
    """The PostgreSQL database of a SqlAlchemyConnector block, whatever driver the block names.

    Raises:
        UsageError: the block speaks of another database.
    """
    # Not at the top: a run without Postgres need not import its driver.
    from sqlalchemy.engine import make_url

    from trips.warehouses.postgres_connection import postgres_at

    info = block.connection_info  # components, or text
    url = info.create_url() if hasattr(info, "create_url") else make_url(str(info))
    return postgres_at(url, block.connect_args or {})


_GCP, _EMBEDDED = "python blocks/make_gcp_blocks.py", "python blocks/make_embedded_blocks.py"
_SQL = "prefect_sqlalchemy.SqlAlchemyConnector"
_SQL_SAVED = "make postgres, or python blocks/make_postgres_block.py"
_BUCKETS: dict[str, Kind[Bucket]] = {
    "local-bucket": Kind("embedded_blocks.LocalBucket", LocalBucket.bucket, _EMBEDDED),
    "s3-bucket": Kind("prefect_aws.s3.S3Bucket", _s3, "python blocks/make_s3_block.py"),
    "gcs-bucket": Kind("prefect_gcp.cloud_storage.GcsBucket", _gcs, _GCP),
}
_POSTGRES: dict[str, Kind[Postgres]] = {
    "sqlalchemy-connector": Kind(_SQL, postgres_of, _SQL_SAVED),
}
_WAREHOUSES: dict[str, Kind[Warehouse]] = {
    "duckdb-warehouse": Kind(
        "embedded_blocks.DuckDBWarehouse", DuckDBWarehouse.warehouse, _EMBEDDED
    ),
    "bigquery-warehouse": Kind("prefect_gcp.bigquery.BigQueryWarehouse", _bigquery, _GCP),
    "sqlalchemy-connector": Kind(_SQL, postgres_of, _SQL_SAVED),
}


def open_bucket(name: str) -> Bucket:
    """The bucket of a block.

    Args:
        name: block type and block, `local-bucket/zoom`.

    Raises:
        UsageError: no such block, or it is no bucket.
    """
    return _open(name, _BUCKETS, "bucket")


def open_place(name: str, there: bool = False) -> Place:
    """A folder of a bucket, or of this machine.

    Args:
        name: a block with a folder, `s3-bucket/zoom-s3/trip-data`, or an absolute path: an agent
            runs a flow in a temporary folder, with which a relative one would vanish.
        there: whether a folder of this machine must be there already.

    Raises:
        UsageError: it is neither, or there is no such block or folder.
    """
    path = Path(name).expanduser()
    if path.is_absolute():
        if there and not path.is_dir():
            raise UsageError(f"{path} is no folder of this machine; correct its name")
        return Place(FolderBucket(path))
    slug, _, rest = name.partition("/")
    document, _, folder = rest.partition("/")
    if slug not in _BUCKETS or not document:
        known = " or ".join(f"{slug}/NAME/FOLDER" for slug in _BUCKETS)
        raise UsageError(f"{name!r} is no place for files; write {known}, or an absolute path")
    return Place(open_bucket(f"{slug}/{document}"), folder.strip("/"))


def open_warehouse(name: str) -> Warehouse:
    """The warehouse of a block; see `open_bucket`."""
    return _open(name, _WAREHOUSES, "warehouse")


def open_postgres(name: str) -> Postgres:
    """The PostgreSQL database of a block; see `open_bucket`."""
    return _open(name, _POSTGRES, "Postgres")


def _open(name: str, kinds: dict[str, Kind[T]], what: str) -> T:
    slug, _, document = name.partition("/")
    if slug not in kinds or not document:
        known = " or ".join(f"{slug}/NAME" for slug in kinds)
        raise UsageError(f"{what} {name!r} is no block that this project loads; write {known}")
    return kinds[slug].opened(_load(name, kinds[slug], document, what))


def _load(name: str, kind: Kind[T], document: str, what: str) -> Block:
    block_class: type[Block] = import_object(kind.block)
    try:
        return cast(Block, block_class.load(document))  # a coroutine only in async flows
    except ValueError as error:
        if name in EMBEDDED:
            _refuse_passing_folder(name)
            return EMBEDDED[name]
        raise UsageError(
            f"{what} block {name} cannot be loaded ({error}); save it with {kind.saved_by}, "
            "or in the UI under Blocks"
        ) from error


def _refuse_passing_folder(name: str) -> None:
    """A process whose block names no folder runs in a copy of the project, gone afterwards.

    Prefect makes that folder by tempfile.TemporaryDirectory(suffix="prefect")
    (prefect/infrastructure/process.py, prefect/workers/process.py).
    """
    temporary, data = Path(tempfile.gettempdir()), DATA.absolute()
    copies = [p for p in (data, *data.parents) if p.match("tmp*prefect")]
    if any(copy.parent.samefile(temporary) for copy in copies):
        raise UsageError(
            f"{name} would be lost with {copies[0]}, the copy of the project that this "
            "deployment runs in; save the block with blocks/make_embedded_blocks.py, set "
            "TRIPS_DATA, or run the deployment on process/zoom-local"
        )
