"""The blocks of the embedded default, used as Prefect's own interfaces promise."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def bucket(tmp_path: Path) -> Any:
    from orchestration.embedded_blocks import LocalBucket

    return LocalBucket(folder=str(tmp_path / "bucket"))


@pytest.fixture
def warehouse(tmp_path: Path) -> Any:
    from orchestration.embedded_blocks import DuckDBWarehouse

    return DuckDBWarehouse(path=str(tmp_path / "trips.duckdb"), memory_limit="256MB")


def test_a_saved_bucket_remembers_an_absolute_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent runs in another folder, where a relative path would differ."""
    from orchestration.embedded_blocks import LocalBucket

    monkeypatch.chdir(tmp_path)
    saved: Any = LocalBucket(folder="archive")
    saved.save("archive", overwrite=True)
    monkeypatch.chdir("/")
    loaded: Any = LocalBucket.load("archive")
    assert loaded.folder == str(tmp_path / "archive")


@pytest.mark.parametrize(
    ("name", "field", "path"),
    [
        ("local-bucket/of-the-ui", "folder", "archive"),
        ("local-bucket/of-the-ui", "folder", ""),
        ("duckdb-warehouse/of-the-ui", "path", "trips.duckdb"),
        ("local-bucket/zoom", "folder", "archive"),
        ("local-bucket/of-the-ui", "folder", "~nobody-here/archive"),
    ],
    ids=["folder", "empty", "file", "default", "unknown-user"],
)
def test_a_relative_path_saved_in_the_ui_is_refused(name: str, field: str, path: str) -> None:
    """The server does not make it absolute, and fetched code runs in a folder that is removed."""
    import asyncio

    from prefect import get_client
    from prefect.client.schemas.actions import BlockDocumentUpdate

    from core.errors import UsageError
    from orchestration.block_registry import opened_bucket, opened_warehouse
    from orchestration.embedded_blocks import DuckDBWarehouse, LocalBucket

    slug, _, document = name.partition("/")
    kept: Any = LocalBucket if slug == "local-bucket" else DuckDBWarehouse
    saved = kept(**{field: "/srv/taxi"}).save(document, overwrite=True)

    async def edit() -> None:
        async with get_client() as client:
            await client.update_block_document(saved, BlockDocumentUpdate(data={field: path}))

    asyncio.run(edit())
    opened: Any = opened_bucket if slug == "local-bucket" else opened_warehouse
    try:
        with pytest.raises(UsageError, match=f"{name}: its {field} '{path}' is relative") as said:
            opened(name)
    finally:
        kept.delete(document)  # other tests use the default
    # The script saves no other.
    assert ("make_embedded_blocks.py" in str(said.value)) is (document == "zoom")


def test_a_file_goes_into_the_bucket_and_back(bucket: Any, tmp_path: Path) -> None:
    """By path, by open file, and by folder, the bytes are the same."""
    (tmp_path / "a").write_bytes(b"one")
    assert bucket.upload_from_path(tmp_path / "a", "data/a") == "data/a"
    assert bucket.upload_from_file_object(io.BytesIO(b"two"), "data/deep/b") == "data/deep/b"
    assert bucket.download_object_to_path("data/a", tmp_path / "back").read_bytes() == b"one"
    assert bucket.download_object_to_file_object("data/deep/b", io.BytesIO()).getvalue() == b"two"
    folder = bucket.download_folder_to_path("data", tmp_path / "all")
    assert {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    } == {"a": b"one", "deep/b": b"two"}


def test_a_folder_goes_into_the_bucket(bucket: Any, tmp_path: Path) -> None:
    """Each file is stored under its own path below the prefix."""
    (tmp_path / "from/deep").mkdir(parents=True)
    (tmp_path / "from/deep/x").write_bytes(b"x")
    assert bucket.upload_from_folder(tmp_path / "from", "copy") == "copy"
    assert bucket.bucket().keys("copy") == ["copy/deep/x"]


def test_a_folder_that_is_not_there_is_refused(bucket: Any, tmp_path: Path) -> None:
    """An empty upload would look like a success."""
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/typo"):
        bucket.upload_from_folder(tmp_path / "typo", "copy")


def test_the_warehouse_answers_sql(warehouse: Any) -> None:
    """It answers like the database block of any other warehouse."""
    warehouse.execute("CREATE TABLE t (n INTEGER)")
    warehouse.execute_many("INSERT INTO t VALUES (?)", [[1], [2], [3]])
    assert warehouse.fetch_one("SELECT sum(n) FROM t") == (6,)
    assert warehouse.fetch_one("SELECT n FROM t WHERE n > 3") is None
    assert warehouse.fetch_many("SELECT n FROM t ORDER BY n", size=2) == [(1,), (2,)]
    assert warehouse.fetch_all("SELECT n FROM t WHERE n > ? ORDER BY n", [1]) == [(2,), (3,)]


@pytest.mark.parametrize("name", ["zoom", "nowhere/zoom", "local-bucket/", "local-bucket"])
def test_a_name_that_is_not_a_block_is_refused_with_the_format(name: str) -> None:
    """The error shows TYPE/NAME, with the available types."""
    from core.errors import UsageError
    from orchestration.block_registry import open_bucket

    with pytest.raises(UsageError, match=r"\(local-bucket/NAME or .*; write a path as \./folder"):
        open_bucket(name)


def test_a_block_that_was_never_saved_is_named() -> None:
    """The two embedded defaults work without being saved."""
    from core.errors import UsageError
    from orchestration.block_registry import open_bucket, opened_warehouse

    with pytest.raises(UsageError, match="bucket block local-bucket/elsewhere cannot be loaded"):
        open_bucket("local-bucket/elsewhere")
    assert opened_warehouse("duckdb-warehouse/zoom").used.name().endswith("trips.duckdb")


def test_a_saved_block_is_taken_in_place_of_the_embedded_default(tmp_path: Path) -> None:
    """A block saved under the same name takes precedence."""
    from orchestration.block_registry import open_bucket
    from orchestration.embedded_blocks import LocalBucket

    saved: Any = LocalBucket(folder=str(tmp_path / "mine"))
    saved.save("mine", overwrite=True)
    assert open_bucket("local-bucket/mine").uri("k") == str(tmp_path / "mine" / "k")


@pytest.mark.parametrize(
    ("data", "lost"),
    [("{copy}/data", True), ("{copy}/cloned/data", True), ("data", True), ("{elsewhere}", False)],
)
def test_the_default_is_refused_where_it_would_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, lost: bool
) -> None:
    """Prefect runs a process without a folder in a temporary copy of the project."""
    from core.errors import UsageError
    from orchestration import block_registry

    with tempfile.TemporaryDirectory(suffix="prefect") as copy:
        monkeypatch.chdir(copy)
        monkeypatch.setattr(
            block_registry, "DATA", Path(data.format(copy=copy, elsewhere=tmp_path / "data"))
        )
        for open_block, name in (
            (block_registry.open_bucket, "local-bucket/zoom"),
            (block_registry.opened_warehouse, "duckdb-warehouse/zoom"),
        ):
            refused = pytest.raises(UsageError, match=f"{name} would be lost with {copy}")
            with refused if lost else nullcontext():
                open_block(name)
        monkeypatch.chdir("/")


@pytest.mark.slow
def test_a_deployment_without_its_own_folder_fails(tmp_path: Path) -> None:
    """Under a real agent, the month would exist only as long as the run."""
    from etl_web_to_gcs import etl_web_to_gcs
    from fakes.agent import run_by_agent
    from test_cli import _prefect_settings

    env = os.environ | _prefect_settings() | {"PYTHONWARNINGS": "ignore"}
    env.pop("TRIPS_DATA", None)
    ended = run_by_agent(etl_web_to_gcs, "etl_web_to_gcs.py", {"source": "sample:10"}, env)
    assert ended.state is not None
    assert ended.state.is_failed()
    assert "local-bucket/zoom would be lost with" in str(ended.state.message)
