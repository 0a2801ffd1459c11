"""Refuses buckets and warehouses on the disk of a container, which is removed after its run."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from settings import Settings

from prefect.blocks.core import Block
from prefect.infrastructure import KubernetesJob

from orchestration.embedded_blocks import DuckDBWarehouse, LocalBucket
from orchestration.paths import is_path

#: Where the Dockerfile puts the project, and where flows resolve relative paths.
FOLDER = "/opt/prefect"
_EMBEDDED: dict[str, type[Block]] = {
    "local-bucket": LocalBucket,
    "duckdb-warehouse": DuckDBWarehouse,
}


def refuse_lost_places(block: Any, places: Mapping[str, str], settings: Settings) -> None:
    """Raise if months would be stored on the disk of a container, and lost with it.

    Args:
        block: what the deployments run in: DockerContainer or KubernetesJob.
        places: the bucket and the warehouse, by the variable that names it.
        settings: where the variables are set.

    Raises:
        SettingError: a place is not on a volume of the container.
    """
    mounted = [*_mounted(block)]
    lost = [variable for variable, place in places.items() if _is_lost(place, mounted)]
    if lost:
        is_job = isinstance(block, KubernetesJob)
        kind, volume = ("job", "KUBERNETES_VOLUME") if is_job else ("container", "volume")
        below = " or ".join(map(str, mounted))
        way_out = f"a path below {below}" if mounted else f"a {volume}"
        raise settings.wrong(
            " and ".join(lost),
            f"would be on the disk of each {kind}, and lost with it; name a bucket and a warehouse "
            f"elsewhere, or {way_out}",
        )


def on_disk(places: Mapping[str, str]) -> dict[str, str]:
    """Return the places, with the path of each saved block of a folder or a DuckDB file.

    Not that of `zoom`: containers set TRIPS_DATA, which overrides it.
    """
    return {variable: _path_of(place) or place for variable, place in places.items()}


def _path_of(place: str) -> str:
    slug, _, rest = place.partition("/")
    name, _, folder = rest.partition("/")  # local-bucket/NAME/FOLDER
    if slug not in _EMBEDDED or name == "zoom":
        return ""
    try:
        block: Any = _EMBEDDED[slug].load(name)
    except ValueError:  # it is not saved, as each run will say
        return ""
    path = str(block.folder if isinstance(block, LocalBucket) else block.path)
    return posixpath.join(path, folder)


def _is_lost(place: str, mounted: list[PurePosixPath]) -> bool:
    if not is_path(place):
        return place.partition("/")[0] in _EMBEDDED and not mounted
    path = PurePosixPath(posixpath.normpath(posixpath.join(FOLDER, place)))
    return not any(path.is_relative_to(folder) for folder in mounted)


def _mounted(block: Any) -> Iterator[PurePosixPath]:
    """Yield the folders of a container that are on volumes and may be written to."""
    if isinstance(block, KubernetesJob):
        container = block.build_job()["spec"]["template"]["spec"]["containers"][0]
        mounts = container.get("volumeMounts") or []
        yield from (PurePosixPath(m["mountPath"]) for m in mounts if not m.get("readOnly"))
        return
    for volume in block.volumes:  # such as zoom-data:/opt/prefect/data or C:\taxi:/taxi:ro
        there = [part for part in volume.split(":") if part.startswith("/")]
        if there and not volume.endswith(":ro"):
            yield PurePosixPath(there[-1])
