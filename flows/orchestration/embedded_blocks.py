"""The embedded default blocks: a folder as bucket and a DuckDB file as warehouse."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from prefect.blocks.abstract import DatabaseBlock, ObjectStorageBlock
from prefect.client.schemas.objects import BlockDocument
from prefect.utilities.asyncutils import sync_compatible
from pydantic.v1 import Field, validator

from core.disk import files_under
from core.errors import UsageError
from core.storage.bucket import FolderBucket

if TYPE_CHECKING:
    from monthly.warehouses.duckdb import DuckDBFile


def _refuse_relative(saved: BlockDocument, field: str) -> None:
    """Raise if a path is relative, as only the UI saves one: runs have different current folders.

    Raises:
        UsageError: names the block and the field.
    """
    path = str(saved.data[field])
    if os.path.isabs(os.path.expanduser(path)):  # noqa: PTH111, PTH117 - as ~nobody raises there
        return
    slug = saved.block_type.slug if saved.block_type else "block"
    script = ", or save it with python blocks/make_embedded_blocks.py"
    raise UsageError(
        f"{slug}/{saved.name}: its {field} {path!r} is relative, and a run with fetched code would "
        "put it below a folder that is removed; write an absolute one on the block's page in the "
        f"UI{script if saved.name == 'zoom' else ''}"
    )


class LocalBucket(ObjectStorageBlock):
    """A local folder used as a bucket, with atomic writes."""

    _block_type_name = "Local Bucket"
    _block_type_slug = "local-bucket"
    _description = "A local folder used like a bucket; the default that needs no account."

    folder: str = Field(..., description="The folder, as an absolute path.")

    @validator("folder")
    def _absolute(cls, folder: str) -> str:  # noqa: N805 - pydantic 1 calls it on the class
        # An agent runs a deployment in a temporary copy of the project, and a relative folder
        # would be deleted with it.
        return str(Path(folder).expanduser().absolute())

    @classmethod
    def _from_block_document(cls, block_document: BlockDocument) -> Any:
        _refuse_relative(block_document, "folder")
        return super()._from_block_document(block_document)

    def bucket(self) -> FolderBucket:
        """Return the folder as the bucket that flows use."""
        return FolderBucket(Path(self.folder))

    @sync_compatible
    async def download_object_to_path(self, from_path: str, to_path: str | Path, **_: Any) -> Path:
        """Copy an object to a file, and return its path."""
        await asyncio.to_thread(self.bucket().download, from_path, Path(to_path))
        return Path(to_path)

    @sync_compatible
    async def download_object_to_file_object(
        self, from_path: str, to_file_object: BinaryIO, **_: Any
    ) -> BinaryIO:
        """Copy an object into an open file, and return the file."""
        with Path(self.bucket().uri(from_path)).open("rb") as file:
            await asyncio.to_thread(shutil.copyfileobj, file, to_file_object)
        return to_file_object

    @sync_compatible
    async def download_folder_to_path(
        self, from_folder: str, to_folder: str | Path, **_: Any
    ) -> Path:
        """Copy all objects under a prefix into a folder, and return the folder."""
        for key in self.bucket().keys(from_folder):
            target = Path(to_folder, Path(key).relative_to(from_folder))
            target.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(self.bucket().download, key, target)
        return Path(to_folder)

    @sync_compatible
    async def upload_from_path(self, from_path: str | Path, to_path: str, **_: Any) -> str:
        """Copy a file to an object, and return the key."""
        await asyncio.to_thread(self.bucket().upload, Path(from_path), to_path)
        return to_path

    @sync_compatible
    async def upload_from_file_object(
        self, from_file_object: BinaryIO, to_path: str, **_: Any
    ) -> str:
        """Copy an open file to an object, and return the key."""
        await asyncio.to_thread(self.bucket().upload_stream, from_file_object, to_path)
        return to_path

    @sync_compatible
    async def upload_from_folder(self, from_folder: str | Path, to_folder: str, **_: Any) -> str:
        """Copy all files under a folder to objects under a prefix, and return the prefix.

        Raises:
            OSError: the folder does not exist, or part of it cannot be read; nothing is copied.
        """
        for path in files_under(Path(from_folder)):
            key = Path(to_folder, path.relative_to(from_folder)).as_posix()
            await asyncio.to_thread(self.bucket().upload, path, key)
        return to_folder


class DuckDBWarehouse(DatabaseBlock):
    """A DuckDB file used as a warehouse: SQL on all months without a server or an account."""

    _block_type_name = "DuckDB Warehouse"
    _block_type_slug = "duckdb-warehouse"
    _description = "A DuckDB file used as warehouse; the default that needs no account."

    path: str = Field(..., description="The file, as an absolute path.")
    memory_limit: str = Field("1GB", description="What DuckDB may use for a load or a query.")

    @validator("path")
    def _absolute(cls, path: str) -> str:  # noqa: N805 - pydantic 1 calls it on the class
        return str(Path(path).expanduser().absolute())

    @classmethod
    def _from_block_document(cls, block_document: BlockDocument) -> Any:
        _refuse_relative(block_document, "path")
        return super()._from_block_document(block_document)

    def warehouse(self) -> DuckDBFile:
        """Return the file as the warehouse that flows use."""
        # Imported late: DuckDB takes a quarter of a second to import, and a run that has nothing
        # to load does not need it.
        from monthly.warehouses.duckdb import DuckDBFile

        return DuckDBFile(Path(self.path), self.memory_limit)

    @sync_compatible
    async def fetch_one(self, operation: str, parameters: Any = None, **_: Any) -> Any:
        """Return the first row of a query, or None."""
        rows = await self._query(operation, parameters)
        return rows[0] if rows else None

    @sync_compatible
    async def fetch_many(
        self, operation: str, parameters: Any = None, size: int | None = None, **_: Any
    ) -> list[tuple[Any, ...]]:
        """Return the first `size` rows of a query, or one row without a size."""
        return (await self._query(operation, parameters))[: size or 1]

    @sync_compatible
    async def fetch_all(
        self, operation: str, parameters: Any = None, **_: Any
    ) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return await self._query(operation, parameters)

    @sync_compatible
    async def execute(self, operation: str, parameters: Any = None, **_: Any) -> None:
        """Run a statement and discard its rows."""
        await self._query(operation, parameters)

    @sync_compatible
    async def execute_many(self, operation: str, seq_of_parameters: Any, **_: Any) -> None:
        """Run a statement once for each set of parameters."""
        for parameters in seq_of_parameters:
            await self._query(operation, parameters)

    async def _query(self, operation: str, parameters: Any) -> list[tuple[Any, ...]]:
        return await asyncio.to_thread(self.warehouse().query, operation, parameters)
