"""The types of blocks that flows use as bucket, warehouse or PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from core.errors import UsageError
from core.storage.bucket import Bucket
from monthly.warehouses import Warehouse
from orchestration import variables
from orchestration.embedded_blocks import DuckDBWarehouse, LocalBucket
from orchestration.variables import setting

if TYPE_CHECKING:
    from prefect_gcp.bigquery import BigQueryWarehouse
    from prefect_gcp.cloud_storage import GcsBucket

    from monthly.warehouses.postgres import Postgres

T = TypeVar("T")

#: The BigQuery dataset, and the location (EU, US, europe-west1) to create it in if missing.
BQ_DATASET = setting(variables.BQ_DATASET).value
BQ_LOCATION = setting(variables.BQ_LOCATION).value or None


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A type of block that flows can use.

    Attributes:
        block: import path of its class, imported on first use: cloud ones take seconds.
        opened: function that turns a loaded block into a bucket or a warehouse.
        saved_by: the command that saves such a block.
        converting: context that converts errors of its library while the named block is opened.
    """

    block: str
    opened: Callable[[Any], T]
    saved_by: str
    converting: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()


def _s3(block: Any) -> Bucket:
    # Imported late: boto3 takes half a second to import, and other buckets do not need it.
    from core.storage.s3 import S3Store

    _refuse_address(block.bucket_name)
    return S3Store.of(block)


def _gcs(block: GcsBucket) -> Bucket:
    # Imported late: Google's client takes a second to import, and other buckets do not need it.
    from core.storage.gcs import GcsStore

    _refuse_address(block.bucket)
    # The block's get_bucket also reads the bucket's metadata, which requires another role.
    client = block.gcp_credentials.get_cloud_storage_client()
    return GcsStore(client.bucket(block.bucket), block.bucket_folder)


def _refuse_address(bucket: str) -> None:
    """Refuse a URL as a bucket name: Google would answer that each object is missing."""
    scheme, colon, name = bucket.partition("://")
    if colon:
        raise UsageError(
            f"the block's bucket is {bucket!r}, with {scheme}://; write only its name, "
            f"{name.partition('/')[0]}, and name a folder separately"
        )


def _of_google(name: str) -> AbstractContextManager[None]:
    # Imported late, for the same reason.
    from core.storage.google_errors import usable_account

    return usable_account(name)


def _bigquery(block: BigQueryWarehouse) -> Warehouse:
    # Imported late, for the same reason.
    from monthly.warehouses.bigquery import BigQuery
    from monthly.warehouses.bigquery_limit import limit_queries

    client = block.gcp_credentials.get_bigquery_client()
    limit_queries(client, setting(variables.BQ_MAX_BYTES).value)
    return BigQuery(client, BQ_DATASET, BQ_LOCATION)


def postgres_of(block: Any) -> Postgres:
    """Return the PostgreSQL database of a SqlAlchemyConnector block, whatever its driver.

    Raises:
        UsageError: the block connects to a database other than PostgreSQL.
    """
    # Imported late: a run without Postgres does not need its driver.
    from sqlalchemy.engine import make_url

    from monthly.warehouses.postgres_connection import postgres_at

    info = block.connection_info  # components, or a URL as text
    url = info.create_url() if hasattr(info, "create_url") else make_url(str(info))
    return postgres_at(url, block.connect_args or {})


_GCP, _EMBEDDED = "python blocks/make_gcp_blocks.py", "python blocks/make_embedded_blocks.py"
_SQL = "prefect_sqlalchemy.SqlAlchemyConnector"
_SQL_SAVED = "make postgres, or python blocks/make_postgres_block.py"
BUCKETS: dict[str, Kind[Bucket]] = {
    "local-bucket": Kind(
        "orchestration.embedded_blocks.LocalBucket", LocalBucket.bucket, _EMBEDDED
    ),
    "s3-bucket": Kind("prefect_aws.s3.S3Bucket", _s3, "python blocks/make_s3_block.py"),
    "gcs-bucket": Kind("prefect_gcp.cloud_storage.GcsBucket", _gcs, _GCP, _of_google),
}
DATABASES: dict[str, Kind[Postgres]] = {
    "sqlalchemy-connector": Kind(_SQL, postgres_of, _SQL_SAVED),
}
WAREHOUSES: dict[str, Kind[Warehouse]] = {
    "duckdb-warehouse": Kind(
        "orchestration.embedded_blocks.DuckDBWarehouse", DuckDBWarehouse.warehouse, _EMBEDDED
    ),
    "bigquery-warehouse": Kind(
        "prefect_gcp.bigquery.BigQueryWarehouse", _bigquery, _GCP, _of_google
    ),
    "sqlalchemy-connector": Kind(_SQL, postgres_of, _SQL_SAVED),
}
