"""Where a flow takes months from and puts them, by name: the source, bucket and warehouse.

The defaults come from the environment (TRIPS_SOURCE, TRIPS_BUCKET, TRIPS_WAREHOUSE), and
where that is silent they are the ones that need no account.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from prefect.blocks.core import Block

from embedded_blocks import DuckDBWarehouse, LocalBucket
from trips.buckets import Bucket
from trips.errors import UsageError
from trips.warehouses import Warehouse

PROJECT = Path(__file__).absolute().parents[1]
SOURCE = os.environ.get("TRIPS_SOURCE", "dtc")
BUCKET = os.environ.get("TRIPS_BUCKET", "local-bucket/zoom")
WAREHOUSE = os.environ.get("TRIPS_WAREHOUSE", "duckdb-warehouse/zoom")
DATA = Path(os.environ.get("TRIPS_DATA", PROJECT / "data"))
#: The embedded default, which works before any block is saved. It is not saved by the way:
#: a second clone of the project would then find the folders of the first.
EMBEDDED: dict[str, Block] = {
    "local-bucket/zoom": LocalBucket(folder=str(DATA / "bucket")),
    "duckdb-warehouse/zoom": DuckDBWarehouse(path=str(DATA / "trips.duckdb"), memory_limit="1GB"),
}
_BUCKETS: dict[str, type[Block]] = {"local-bucket": LocalBucket}
_WAREHOUSES: dict[str, type[Block]] = {"duckdb-warehouse": DuckDBWarehouse}


def open_bucket(name: str) -> Bucket:
    """The bucket of a block.

    Args:
        name: block type and block, `local-bucket/zoom`.

    Raises:
        UsageError: no such block, or it is no bucket.
    """
    block: Any = _load(name, _BUCKETS, "bucket")
    bucket: Bucket = block.bucket()
    return bucket


def open_warehouse(name: str) -> Warehouse:
    """The warehouse of a block; see `open_bucket`."""
    block: Any = _load(name, _WAREHOUSES, "warehouse")
    warehouse: Warehouse = block.warehouse()
    return warehouse


def _load(name: str, types: dict[str, type[Block]], kind: str) -> Block:
    slug, _, document = name.partition("/")
    if slug not in types or not document:
        known = " or ".join(f"{slug}/NAME" for slug in types)
        raise UsageError(f"{kind} {name!r} is no block that this project loads; write {known}")
    try:
        return cast(Block, types[slug].load(document))  # a coroutine only in async flows
    except ValueError as error:
        if name in EMBEDDED:
            return EMBEDDED[name]
        raise UsageError(
            f"{kind} block {name} cannot be loaded ({error}); create it in the UI under Blocks"
        ) from error
