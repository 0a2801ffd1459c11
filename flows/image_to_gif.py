"""An animated GIF from a file of many images: download, split, map, reduce, on Dask or threads.

python flows/image_to_gif.py --engine dask --workers 4
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.runtime import deployment
from prefect.states import Completed
from prefect.task_runners import BaseTaskRunner, ConcurrentTaskRunner

from core.dask.cluster_spec import ClusterSpec
from core.download.checks import impostor
from core.download.fetch import fetch
from core.download.remote_file import RemoteFile, remote_file, without_secrets
from core.errors import BadFile, Conflict, StorageError, UsageError
from core.scratch import NamedOwner, scratch_folder
from core.storage.bucket import Bucket, FolderBucket
from core.storage.put import put
from gif.frames import URL, Frame, animate, as_gif, is_frame_name, split
from gif.locations import Location
from orchestration import cli
from orchestration.block_registry import open_bucket, opened_bucket, tell_places
from orchestration.dask_runner import dask_runner
from orchestration.flow_results import plain_failures
from orchestration.graph import mapped
from orchestration.notifications import NOTICES
from orchestration.parameter_types import AtLeastOne
from orchestration.progress import shown_progress
from orchestration.retries import RETRIES, can_pass
from orchestration.secret_values import check_url
from orchestration.stages import stage

Engine = Literal["dask", "threads"]


@dataclass(frozen=True)
class Gif:
    """The result of a run.

    Attributes:
        where: location of the GIF.
        frames: number of frames.
        size: size in bytes.
        written: whether this run wrote it.
    """

    where: str
    frames: int
    size: int
    written: bool


@task(retries=2, retry_delay_seconds=10, retry_condition_fn=can_pass)
@stage
def download(image: RemoteFile[str], source: Location) -> Location:
    """Download the image file, unless it already exists."""
    bucket, key = _opened(source)
    if bucket.info(key) is not None:
        message = f"{bucket.uri(key)} is there; remove it to fetch {without_secrets(image.url)}"
        state: Any = Completed(name="Skipped", message=message, data=source)
        return state  # type: ignore[no-any-return] # whose data Prefect hands to the next task
    logger = get_run_logger()
    with scratch_folder(NamedOwner("images"), f"{image.url} {source}") as folder:
        path = folder / "images"
        with shown_progress(str(image), logger) as tell:
            found = fetch(image, path, lambda part, _: _refuse_page(part, image), tell)
        bucket.upload(path, key)
    logger.info("%s: %s bytes", bucket.uri(key), f"{found.size:,}")
    return source


@task(name="split", **RETRIES)
@stage
def split_file(source: Location) -> list[Frame]:
    """Find the frames in the file; returns their positions, not their data."""
    bucket, key = _opened(source)
    found = bucket.read(key)
    if found is None:
        raise StorageError(f"{bucket.uri(key)} is gone; run again to download it again")
    frames = split(found.data)
    if not frames:
        raise BadFile(f"{bucket.uri(key)} has no frames; remove it to download it again")
    return frames


@task(task_run_name="write {frame.name}", **RETRIES)
@stage
def write_frame(frame: Frame, source: Location, gif: Location) -> Frame:
    """Write one frame as a separate GIF file, next to the animated one."""
    bucket, key = _opened(source)
    data = as_gif(bucket.read_part(key, frame.start, frame.size), frame, bucket.uri(key))
    out, out_key = _opened(gif.beside(frame.name))
    put(out, data, out_key)
    return replace(frame, sha256=hashlib.sha256(data).hexdigest())


@task(**RETRIES)
@stage
def combine(frames: list[Frame], gif: Location) -> Gif:
    """Combine the frames, in order, into one animated GIF."""
    out, key = _opened(gif)
    found = animate((_written(frame, gif) for frame in frames), out.uri(key))
    written = put(out, found, key)
    _warn_of_other_frames(len(frames), gif)
    return Gif(out.uri(key), len(frames), len(found), written)


@flow(name="image-to-gif", flow_run_name="{gif}", **NOTICES)
@plain_failures
def image_to_gif(
    url: str = URL,
    file: str = "image-data.img",
    gif: str = "clip.gif",
    bucket: str = "",
    engine: Engine = "dask",
    workers: AtLeastOne = 2,
    cluster: str = "",
) -> Gif | State[Gif]:
    """Make an animated GIF from a file of many images, with the frames processed in parallel.

    An existing image file is not downloaded again; remove it to force a download.

    Args:
        url: URL of the image file; a file:// URL or a path also works.
        file: Location of the image file - a path, or a key in the bucket.
        gif: Location of the GIF, with its frames next to it - a path, or a key in the bucket.
        bucket: Block of the bucket, as TYPE/NAME; empty for files on this machine.
        engine: Engine that processes the frames - dask, or threads of this process.
        workers: Processes of the local Dask cluster, which lives as long as the run.
        cluster: Address of a Dask scheduler (tcp://HOST:8786), instead of a local cluster.
    """
    _refuse_passing_folder(file, gif, bucket)
    check_url(_inputs(url, file, gif, bucket)[0].url)  # before a cluster starts
    if bucket:
        tell_places("", opened_bucket(bucket))
    runner = _runner(engine, workers, cluster)
    found = frames_to_gif.with_options(task_runner=runner)(url, file, gif, bucket)
    if found.written:
        return found
    return Completed(name="Skipped", message=f"{found.where} is up to date", data=found)


@flow(name="frames-to-gif", flow_run_name="{gif}", **NOTICES)
@plain_failures
def frames_to_gif(
    url: str = URL, file: str = "image-data.img", gif: str = "clip.gif", bucket: str = ""
) -> Gif:
    """Download the images, split them, write each frame and combine: the tasks of image_to_gif.

    Args:
        url: Same as in image_to_gif.
        file: Same as in image_to_gif.
        gif: Same as in image_to_gif.
        bucket: Same as in image_to_gif.
    """
    image, source, target = _inputs(url, file, gif, bucket)
    frames = split_file(download(image, source))
    return combine(mapped(write_frame, frames, source, target), target)


def _inputs(
    url: str, file: str, gif: str, bucket: str
) -> tuple[RemoteFile[str], Location, Location]:
    """Return the images and the locations of their file and of the GIF.

    Raises:
        UsageError: one of them is invalid, or a file would replace another.
    """
    image = remote_file("images", url)
    source, target = Location.of(bucket, file), Location.of(bucket, gif)
    if source.same(target):
        raise UsageError(f"the GIF {gif!r} would replace the file that it is made of; rename one")
    _refuse_names_of_frames(source, target)
    return image, source, target


def _refuse_names_of_frames(source: Location, target: Location) -> None:
    """Raise if a frame would replace the image file or the GIF."""
    for place in (source, target):
        if is_frame_name(place.name) and place.same(target.beside(place.name)):
            raise UsageError(f"a frame would replace {place.name!r}; give the file another name")


def _refuse_passing_folder(file: str, gif: str, bucket: str) -> None:
    """Raise for a relative path in a deployment, which runs in a temporary copy of the project."""
    passing = [path for path in (file, gif) if not Path(path).is_absolute()]
    if deployment.id and not bucket and passing:
        raise UsageError(
            f"{passing[0]!r} would be lost with the folder that a deployment runs in; "
            "name a bucket, or write an absolute path"
        )


def _runner(engine: Engine, workers: int, cluster: str) -> BaseTaskRunner:
    if engine == "threads":
        return ConcurrentTaskRunner()  # type: ignore[no-untyped-call] # Prefect's own
    if workers < 1:
        raise UsageError(f"workers {workers} is too few; write 1 or more")
    if cluster and "://" not in cluster:
        raise UsageError(f"cluster {cluster!r} is not an address; write it like tcp://HOST:8786")
    return dask_runner(ClusterSpec(cluster), workers)


def _opened(location: Location) -> tuple[Bucket, str]:
    if location.bucket:
        return open_bucket(location.bucket), location.path
    path = Path(location.path)
    return FolderBucket(path.parent), path.name


def _refuse_page(part: Path, image: RemoteFile[str]) -> None:
    with part.open("rb") as file:
        head = file.read(4096)
    if wrong := impostor(head):
        raise BadFile(f"{image}, which begins with {head[:40]!r}, {wrong}")


def _written(frame: Frame, gif: Location) -> bytes:
    """Return the frame's file as this run wrote it."""
    bucket, key = _opened(gif.beside(frame.name))
    found = bucket.read(key)
    if found is None:
        raise StorageError(f"{bucket.uri(key)} is gone; run again to write it again")
    if hashlib.sha256(found.data).hexdigest() != frame.sha256:
        raise Conflict(
            f"{bucket.uri(key)} was changed by another run; write each GIF into its own folder, "
            "then run again"
        )
    return found.data


def _warn_of_other_frames(count: int, gif: Location) -> None:
    """Warn if more frames lie next to the GIF; nothing says whose they are, so they stay."""
    bucket, key = _opened(gif.beside(Frame(count, 0, 0).name))
    if bucket.info(key) is not None:
        get_run_logger().warning(
            "%s is not of this GIF, which has %d frames; if it was left by an earlier GIF with "
            "more frames, remove it and those that follow",
            *(bucket.uri(key), count),
        )


def shown(gif: Any) -> str:
    """Return the result as one line of text."""
    status = "written" if gif.written else "unchanged"
    return f"{status}: {gif.where}, {gif.frames} frames, {gif.size:,} bytes"


def record(gif: Any) -> Mapping[str, Any]:
    """Return the result as fields of a JSON object."""
    return {"gif": gif.where, "frames": gif.frames, "bytes": gif.size, "written": gif.written}


if __name__ == "__main__":
    cli.run(image_to_gif, shown, drawn=frames_to_gif, record=record)
