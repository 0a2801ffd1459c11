"""Lookup by name of the source, bucket and warehouse of a flow.

A bucket or a warehouse is a block or a local path. The defaults come from variables (see
`variables`); those of unset variables need no account.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from prefect import get_run_logger
from prefect.blocks.core import Block
from prefect.context import FlowRunContext
from prefect.utilities.importtools import import_object

from core.download.remote_file import without_secrets
from core.errors import Advice, UsageError
from core.storage.bucket import Bucket, FolderBucket
from monthly.sources import published_at
from monthly.warehouses import Warehouse
from orchestration import variables
from orchestration.block_kinds import BUCKETS, DATABASES, WAREHOUSES, Kind
from orchestration.embedded_blocks import DuckDBWarehouse, LocalBucket
from orchestration.handed_down import kept_open
from orchestration.paths import (
    is_path,
    lasting,
    passing_folder,
    refuse_unusable,
    refuse_unusable_file,
)
from orchestration.prefect_server import place_of_blocks
from orchestration.secret_values import check_source, remember_block
from orchestration.variables import Setting, parameter, setting
from row_groups.places import Place

if TYPE_CHECKING:
    from monthly.warehouses.postgres import Postgres

T = TypeVar("T")

#: The embedded defaults, which work before any block is saved.
EMBEDDED_BUCKET, EMBEDDED_WAREHOUSE = variables.BUCKET.default, variables.WAREHOUSE.default
SOURCE_SETTING = setting(variables.SOURCE)
BUCKET_SETTING = setting(variables.BUCKET)
WAREHOUSE_SETTING = setting(variables.WAREHOUSE)
SOURCE, BUCKET = SOURCE_SETTING.value, BUCKET_SETTING.value
WAREHOUSE = WAREHOUSE_SETTING.value
#: The block that `make postgres` saves; the zoomcamp's first week loads its months there.
POSTGRES = "sqlalchemy-connector/zoom-postgres"
DATA_SETTING = setting(variables.DATA)
DATA = Path(DATA_SETTING.value)
#: Never saved implicitly: a second clone of the project would then find the first one's folders.
EMBEDDED: dict[str, Block] = {
    EMBEDDED_BUCKET: LocalBucket(folder=str(DATA / "bucket")),
    EMBEDDED_WAREHOUSE: DuckDBWarehouse(path=str(DATA / "trips.duckdb"), memory_limit="1GB"),
}


@dataclass(frozen=True)
class Opened(Generic[T]):
    """A bucket or a warehouse, ready to use.

    Attributes:
        used: the bucket or the warehouse.
        name: block or path, and the setting it comes from.
        origin: source of its location: a variable, a saved block, a path, the default.
    """

    used: T
    name: Setting
    origin: str


def open_bucket(name: str) -> Bucket:
    """Return the bucket of a block or of a local folder.

    Args:
        name: block type and name, `local-bucket/zoom`; or a path, `./folder`.

    Raises:
        UsageError: the block does not exist or is not a bucket.
    """
    return opened_bucket(name).used


def opened_bucket(name: str) -> Opened[Bucket]:
    """Return the bucket with its origin; see `open_bucket`."""
    if is_path(name):
        path = lasting(name)
        refuse_unusable(path, f"bucket {name}")
        return Opened(FolderBucket(path), parameter(name, BUCKET_SETTING), "path")
    return _open(name, BUCKETS, BUCKET_SETTING, "bucket")


def open_place(name: str, there: bool = False) -> Place:
    """Return a folder of a bucket, or a local folder.

    Args:
        name: a block with a folder, `s3-bucket/zoom-s3/trip-data`, or a path, `./folder`.
        there: whether a local folder must already exist.

    Raises:
        UsageError: the name is neither, the block or folder does not exist, or a file is in
            the way.
    """
    if is_path(name):
        path = lasting(name)
        if there and not path.is_dir():
            raise UsageError(f"{path} is not a folder on this machine; correct its name")
        refuse_unusable(path, f"folder {name}")
        return Place(FolderBucket(path))
    slug, _, rest = name.partition("/")
    document, _, folder = rest.partition("/")
    if slug not in BUCKETS or not document:
        known = " or ".join(f"{slug}/NAME/FOLDER" for slug in BUCKETS)
        raise UsageError(f"{name!r} is not a place for files; write {known}, or a path as ./folder")
    return Place(open_bucket(f"{slug}/{document}"), folder.strip("/"))


def opened_warehouse(name: str) -> Opened[Warehouse]:
    """Return the warehouse of a block or of a DuckDB file, with its origin.

    Args:
        name: block type and name, `duckdb-warehouse/zoom`; or a path, `my.duckdb`.

    Raises:
        UsageError: the block does not exist or is not a warehouse.
    """
    if is_path(name):
        path = lasting(name)
        refuse_unusable_file(path, f"warehouse {name}")
        found = DuckDBWarehouse(path=str(path), memory_limit="1GB").warehouse()
        return Opened(found, parameter(name, WAREHOUSE_SETTING), "path")
    return _open(name, WAREHOUSES, WAREHOUSE_SETTING, "warehouse")


def opened_postgres(name: str, *others: Advice) -> Opened[Postgres]:
    """Return the PostgreSQL database of a block with its origin.

    Args:
        name: block type and name, `sqlalchemy-connector/zoom`.
        others: further remedies if the name is not that of such a block.

    Raises:
        UsageError: the block does not exist or is not a PostgreSQL block.
    """
    slug, _, document = name.partition("/")
    if slug not in DATABASES or not document:
        types = " or ".join(f"{slug}/NAME" for slug in DATABASES)
        raise UsageError(
            f"warehouse {name!r} is not a block of Postgres", f"write {types}", *others
        )
    return _open(name, DATABASES, Setting(POSTGRES), "Postgres")


def _open(name: str, kinds: dict[str, Kind[T]], known: Setting, what: str) -> Opened[T]:
    opened: Opened[T] = kept_open(name, lambda: _open_block(name, kinds, known, what))
    return opened


def _open_block(name: str, kinds: dict[str, Kind[T]], known: Setting, what: str) -> Opened[T]:
    slug, _, document = name.partition("/")
    if slug not in kinds or not document:
        types = " or ".join(f"{slug}/NAME" for slug in kinds)
        raise UsageError(
            f"{what} {name!r} is neither a block that this project loads ({types}) nor a path; "
            f"write a path as {'./folder' if what == 'bucket' else './file.duckdb'}"
        )
    kind = kinds[slug]
    with kind.converting(f"{what} block {name}"):
        block, origin = _load(name, kind, document, what)
        if isinstance(block, LocalBucket):
            refuse_unusable(Path(block.folder), f"bucket {name}")
        if isinstance(block, DuckDBWarehouse):
            refuse_unusable_file(Path(block.path), f"warehouse {name}")
        return Opened(kind.opened(block), parameter(name, known), origin)


def _load(name: str, kind: Kind[T], document: str, what: str) -> tuple[Block, str]:
    if name in EMBEDDED and not DATA_SETTING.is_default:  # a variable overrides a block
        return _embedded(name), DATA_SETTING.why
    block_class: type[Block] = import_object(kind.block)
    try:
        # Returns a coroutine only in async flows.
        block = cast(Block, block_class.load(document))
    except ValueError as error:
        if name in EMBEDDED:
            return _embedded(name), "default"
        raise UsageError(
            f"{what} block {name} cannot be loaded from {place_of_blocks()} ({error}); "
            f"save it with {kind.saved_by}, or correct its name"
        ) from error
    remember_block(block)
    return block, "saved block"


def _embedded(name: str) -> Block:
    if copy := passing_folder(DATA.absolute()):
        raise UsageError(
            f"{name} would be lost with {copy}, the copy of the project that this "
            "deployment runs in; save the block with blocks/make_embedded_blocks.py, set "
            "TRIPS_DATA, or run the deployment on process/zoom-local"
        )
    return EMBEDDED[name]


def folder_of(bucket: Bucket) -> str:
    """Return where a bucket's keys begin: a folder, or `s3://bucket/folder`."""
    return bucket.uri("data").removesuffix("data").rstrip("/\\")


def opened_places(
    bucket: str, warehouse: str, source: str = "", dataset: str = ""
) -> tuple[Bucket, Warehouse | None]:
    """Open a bucket, and a warehouse if one is named, and log them; see `tell_places`."""
    store, target = opened_bucket(bucket), opened_warehouse(warehouse) if warehouse else None
    tell_places(source, store, target, dataset)
    return store.used, target.used if target else None


def tell_places(
    source: str,
    bucket: Opened[Bucket] | None,
    warehouse: Opened[Any] | None = None,
    dataset: str = "",
) -> None:
    """Log the places a run uses and where each is set; child runs leave this to their parent.

    Args:
        source: the source; empty if the run reads none.
        bucket: the bucket, if any.
        warehouse: the warehouse, if any.
        dataset: the dataset whose first source is the default.

    Raises:
        UsageError: a secret that the source refers to has no value.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.parent_task_run_id:
        return
    first = next(iter(published_at(dataset)), "") if dataset else ""
    default = SOURCE_SETTING if SOURCE_SETTING.value else Setting(first)
    shown = replace(parameter(source, default), value=without_secrets(source))
    parts = [f"source {shown}"] if source else []
    if bucket:
        parts.append(f"bucket {bucket.name} at {folder_of(bucket.used)} ({bucket.origin})")
    if warehouse:
        parts.append(f"warehouse {warehouse.name} at {warehouse.used.name()} ({warehouse.origin})")
    get_run_logger().info("%s", "; ".join(parts))
    if source and dataset:
        check_source(source, dataset)
