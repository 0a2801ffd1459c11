"""An image with the user's own declaration, built as the documentation says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import duckdb
import pytest

from fakes import own_dataset
from fakes.docker_engine import run
from fakes.docker_image import PROJECT, build
from fakes.web import Page, Web

pytestmark = pytest.mark.docker

IMAGE = "zoom-flows:own"
#: What `docker build` reads, as .dockerignore allows.
_CONTEXT = ("Dockerfile", ".dockerignore", "Makefile", ".prefectignore")
_FOLDERS = ("flows", "blocks", "deployments")


@pytest.fixture
def image(building: Future[str], web: Web, tmp_path: Path) -> Iterator[str]:
    """Copy the project, drop a declaration into flows/datasets, and build an image of it."""
    building.result()
    project = tmp_path / "project"
    project.mkdir()
    for name in (*_CONTEXT, *(file.name for file in PROJECT.glob("*.txt"))):
        shutil.copy2(PROJECT / name, project / name)
    for name in _FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / name, project / name, ignore=ignored)
    source = web.url("/own-tram-{year}-{month:02}.csv")
    own_dataset.declare(project / "flows" / "datasets", source)
    yield build(project, IMAGE)
    run("docker", "image", "rm", "--force", IMAGE)


def test_an_image_has_the_declaration_that_was_copied_into_flows(
    image: str, web: Web, volume: Path
) -> None:
    """Only the data is mounted; the dataset's months are in the container's DuckDB file."""
    for month, minutes in (("2020-10", ["4.5", "10"]), ("2020-11", ["7", "8", "9.2"])):
        page = Page(own_dataset.rides(month, minutes).encode(), etag=f'"{month}"')
        web.serve(f"/own-tram-{month}.csv", page)
    command = ["docker", "run", "--rm", "--network=host", f"--volume={volume}:/opt/prefect/data"]
    command += ["--env=TRIPS_WAREHOUSE=/opt/prefect/data/own.duckdb", image, "python"]
    command += ["flows/parameterized_flow.py", "--dataset", own_dataset.NAME]
    said = run(*command, "--months", "2020-10:2020-11")
    assert "tram_rides 2020-11" in said
    with duckdb.connect(str(volume / "own.duckdb"), read_only=True) as db:
        assert db.execute(own_dataset.SUMS).fetchall() == own_dataset.TWO_MONTHS
