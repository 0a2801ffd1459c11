"""The rewrite of one file from source to sink, as a Dask worker runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.clock import utc_now
from core.errors import Conflict, StorageError
from core.scratch import scratch_folder, subfolder
from core.storage.bucket import ObjectInfo
from monthly.convert.readings import UtcTimes
from row_groups.ledger import Entry, read_entry, write_entry
from row_groups.places import Place
from row_groups.plan import Planned, is_in_sink
from row_groups.rewrite import Rewritten, dataset_of, rewrite


@dataclass(frozen=True)
class Job:
    """A planned rewrite, small enough to send to a worker.

    Attributes:
        file: the file as planned.
        source: folder with the file.
        sink: folder of the rewritten file, which keeps its name.
        rows_per_group: rows of each row group except the last.
        utc_times: how to read times marked as UTC.
    """

    file: Planned
    source: Place
    sink: Place
    rows_per_group: int
    utc_times: UtcTimes = "auto"


def rewrite_object(job: Job) -> Entry:
    """Download a file, rewrite it, count its rows, replace the object, then write its entry.

    Idempotent: a retry, for example after a worker was lost between its work and its answer,
    changes nothing.

    Raises:
        Conflict: the source changed while it was read, or another run was faster.
        TripsError: see `rewrite`, `Bucket`.
    """
    name, source = job.file.name, job.source
    dataset_of(name)  # an invalid name fails before the download
    with scratch_folder(job.file, f"{source.uri(name)} {job.sink.uri(name)}") as folder:
        entry, version = read_entry(job.sink, name)
        if entry and version != job.file.entry_version and _is_of(job, entry):
            return entry
        found = _info(source, name)
        path = subfolder(folder, "published") / name
        source.bucket.download(source.key(name), path)
        etag = source.bucket.etag(source.key(name))
        if _info(source, name) != found:
            raise Conflict(f"{source.uri(name)} changed while it was read; run again")
        target = subfolder(folder, "rewritten") / name
        done = rewrite(path, target, job.rows_per_group, job.utc_times)
        return _keep(job, found, etag, done, version)


def _is_of(job: Job, entry: Entry) -> bool:
    """Return whether this job was done after it was planned, possibly by this run."""
    source, name = job.source, job.file.name
    return (
        entry.source_size == _info(source, name).size
        and entry.source_etag == source.bucket.etag(source.key(name))
        and entry.rows_per_group == job.rows_per_group
        and is_in_sink(job.sink, name, entry)
    )


def _info(source: Place, name: str) -> ObjectInfo:
    info = source.bucket.info(source.key(name))
    if info is None:
        raise StorageError(f"{source.uri(name)} is gone since it was listed; run again")
    return info


def _keep(job: Job, found: ObjectInfo, etag: str, done: Rewritten, replacing: str | None) -> Entry:
    sink, name = job.sink, job.file.name
    kept = sink.bucket.upload(Path(done.path), sink.key(name))
    entry = Entry(
        source=job.source.uri(name),
        source_size=found.size,
        source_etag=etag,
        source_modified=job.file.modified,
        rows=done.rows,
        row_groups=done.row_groups,
        rows_per_group=job.rows_per_group,
        schema_version=dataset_of(name).schema_version,
        object_size=kept.size,
        object_version=kept.version,
        rewritten_at=utc_now(),
    )
    write_entry(sink, name, entry, replacing)
    return entry
