"""Open the blocks as the flows do."""

from __future__ import annotations

from prefect_gcp import GcpCredentials
from prefect_gcp.bigquery import BigQueryWarehouse
from prefect_gcp.cloud_storage import GcsBucket

from core.storage.gcs import GcsStore
from monthly.warehouses.bigquery import BigQuery
from orchestration import block_kinds


def open_store(bucket: str = "taxi", folder: str = "zoom") -> GcsStore:
    """Return the bucket of an unmodified block."""
    store = block_kinds._gcs(GcsBucket(bucket=bucket, bucket_folder=folder))
    assert isinstance(store, GcsStore)
    return store


def open_bigquery() -> BigQuery:
    """Return the warehouse of an unmodified block."""
    block = BigQueryWarehouse(gcp_credentials=GcpCredentials())
    warehouse = block_kinds._bigquery(block)
    assert isinstance(warehouse, BigQuery)
    return warehouse
