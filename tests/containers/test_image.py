"""The image of the flows has what they need and no more, in layers that seldom change."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from fakes.docker_engine import run
from fakes.docker_image import PROJECT, build

pytestmark = pytest.mark.docker

CHANGED = "zoom-flows:changed"
BUILT = (
    *("Dockerfile", "Makefile", ".dockerignore", ".prefectignore", "constraints.txt"),
    *("requirements.txt", "docker-requirements.txt", "blocks", "deployments", "flows"),
)


@pytest.fixture(scope="module")
def image(building: Future[str]) -> str:
    return building.result(1200)


@pytest.fixture
def changed(image: str, tmp_path: Path) -> Iterator[str]:
    """Yield the image of a copy of the project with one more line in a flow."""
    for name in BUILT:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy2
        copy(PROJECT / name, tmp_path / name)
    with (tmp_path / "flows" / "verify.py").open("a") as flow:
        flow.write("# changed\n")
    yield build(tmp_path, CHANGED)
    run("docker", "image", "rm", CHANGED)


def layers(image: str) -> list[str]:
    shown = run("docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", image)
    return list(json.loads(shown))


def printed_in(image: str, command: str) -> str:
    """Return what a shell command prints as root, who can read everything."""
    options = ("--rm", "--network=none", "--user=0", "--entrypoint=sh")
    return run("docker", "run", *options, image, "-c", command).strip()


def packages_of(image: str) -> str:
    return printed_in(image, "python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))'")


def test_a_changed_flow_changes_only_the_last_layers(image: str, changed: str) -> None:
    """Those of the flows and their bytecode; packages and Prefect's database stay."""
    before, after = layers(image), layers(changed)
    assert after[:-2] == before[:-2]
    assert after[-2] != before[-2]


@pytest.mark.parametrize(
    ("what", "command"),
    [
        ("compilers and installers", "for p in gcc cc g++ make uv; do command -v $p; done; true"),
        ("caches", "find /root/.cache /home/flows/.cache -path '*/pip/*' -o -path '*/uv/*'"),
        ("tests", "find {packages} -type d '(' -name tests -o -name test ')'"),
        ("headers", "find {packages} -type d -name include"),
        ("services of Google", "ls {packages}/googleapiclient/discovery_cache/documents"),
    ],
)
def test_the_image_lacks_what_no_flow_uses(image: str, what: str, command: str) -> None:
    """Of Google's services only Cloud Run stays, on which prefect-gcp starts containers."""
    packages = packages_of(image)
    found = printed_in(
        image, command.format(packages=packages) + " 2>/dev/null || true"
    ).splitlines()
    assert [name for name in found if not name.startswith("run.v")] == []
    assert bool(found) == (what == "services of Google")


def test_packages_and_flows_are_compiled(image: str) -> None:
    """A container does not keep bytecode, so it would compile them at every start."""
    folders = "pandas/__pycache__ prefect/__pycache__ /opt/prefect/flows/core/__pycache__"
    listed = printed_in(image, f"cd {packages_of(image)} && ls {folders}")
    for module in ("_typing", "flows", "checksums"):
        assert f"\n{module}.cpython-" in listed


def test_garbage_is_collected_rarely(image: str) -> None:
    """A start would otherwise scan a million objects that Prefect keeps."""
    assert printed_in(image, "python -c 'import gc; print(gc.get_threshold()[0])'") == "50000"
