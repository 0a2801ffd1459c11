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
    """The image of a copy of the project with a line more in one flow."""
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
    """What a shell command prints as root, who sees everything."""
    options = ("--rm", "--network=none", "--user=0", "--entrypoint=sh")
    return run("docker", "run", *options, image, "-c", command).strip()


def packages_of(image: str) -> str:
    return printed_in(image, "python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))'")


def test_a_changed_flow_changes_the_last_layer_alone(image: str, changed: str) -> None:
    """Packages are not installed again, nor is Prefect's database made again."""
    before, after = layers(image), layers(changed)
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


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
    """Of the services of Google, Cloud Run stays, which prefect-gcp starts containers on."""
    packages = packages_of(image)
    found = printed_in(
        image, command.format(packages=packages) + " 2>/dev/null || true"
    ).splitlines()
    assert [name for name in found if not name.startswith("run.v")] == []
    assert bool(found) == (what == "services of Google")


def test_all_packages_are_compiled(image: str) -> None:
    """A container could not keep the bytecode, and would compile them at every start."""
    listed = printed_in(
        image, f"cd {packages_of(image)} && ls pandas/__pycache__ prefect/__pycache__"
    )
    assert "flows.cpython-" in listed
    assert "_typing.cpython-" in listed


def test_garbage_is_collected_seldom(image: str) -> None:
    """A start would scan a million objects that Prefect keeps."""
    assert printed_in(image, "python -c 'import gc; print(gc.get_threshold()[0])'") == "50000"
