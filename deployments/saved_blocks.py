"""Saved blocks by their reference, such as `prefect.infrastructure.Process/zoom-local`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import settings  # noqa: F401 - puts flows/ on the path

from prefect.blocks.core import Block
from prefect.utilities.importtools import import_object

from orchestration.prefect_server import place_of_blocks

_SCRIPTS = {
    "DockerContainer": "make_docker_block.py",
    "GcsBucket": "make_gcp_blocks.py",
    "GitHub": "make_github_block.py",
    "KubernetesJob": "make_kubernetes_block.py",
    "Process": "make_process_blocks.py",
    "S3Bucket": "make_s3_block.py",
}


def loaded(reference: str) -> Any:
    """Load a saved block by its class and name.

    Raises:
        ValueError: no block has this name; the message names the script that saves it.
    """
    path, _, name = reference.partition("/")
    try:
        with quiet():
            return cast(type[Block], import_object(path)).load(name)
    except ValueError as error:
        script = _SCRIPTS[path.rpartition(".")[2]]
        looked = f"{error} (looked for in {place_of_blocks()})"
        raise ValueError(f"{looked}. Save it first: python blocks/{script}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Prefect's deprecation of `Deployment`, `DockerContainer`, `Process` and `GitHub`.

    For calls to these alone. The README says that they are deprecated; once is enough.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def short_reference(reference: str) -> str:
    """Return the short form of `prefect.infrastructure.DockerContainer/zoom-docker`."""
    path, _, name = reference.partition("/")
    block: Any = import_object(path)
    return f"{block.get_block_type_slug()}/{name}"
