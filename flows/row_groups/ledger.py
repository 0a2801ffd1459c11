"""The ledger of rewritten files: a JSON object for each, written last.

A file without an entry does not count as rewritten, whatever else is in the sink.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from core.errors import StorageError
from core.storage.put import write_json
from row_groups.places import Place


@dataclass(frozen=True)
class Entry:
    """The ledger entry of one file.

    Attributes:
        source: URI of the source file.
        source_size: size of the source in bytes.
        source_etag: ETag of the source; see `Bucket.etag`.
        source_modified: modification time of the source, UTC, ISO 8601.
        rows: rows of the source and of the object, compared.
        row_groups: number of row groups of the object.
        rows_per_group: rows of each row group except the last.
        schema_version: version of the declared types.
        object_size: size of the object in bytes.
        object_version: the sink's version of the object, to detect outside changes.
        rewritten_at: time of the rewrite, UTC, ISO 8601.
    """

    source: str
    source_size: int
    source_etag: str
    source_modified: str
    rows: int
    row_groups: int
    rows_per_group: int
    schema_version: int
    object_size: int
    object_version: str
    rewritten_at: str


def entry_key(sink: Place, name: str) -> str:
    """Return `_ledger/fhvhv_tripdata_2021-01.json`, which readers of a Parquet folder ignore."""
    return sink.key(f"_ledger/{PurePosixPath(name).stem}.json")


def read_entry(sink: Place, name: str) -> tuple[Entry | None, str | None]:
    """Return a file's entry and its version for a conditional write; None, None without one."""
    stored = sink.bucket.read(entry_key(sink, name))
    if stored is None:
        return None, None
    try:
        return Entry(**json.loads(stored.data)), stored.version
    except (ValueError, TypeError) as error:
        raise StorageError(
            f"{name}: {sink.bucket.uri(entry_key(sink, name))} is not a ledger entry ({error}); "
            "remove that object, then run again"
        ) from error


def write_entry(sink: Place, name: str, entry: Entry, replacing: str | None) -> None:
    """Write a file's entry if its version is still `replacing`.

    Raises:
        Conflict: another run wrote the entry meanwhile.
    """
    write_json(sink.bucket, entry_key(sink, name), asdict(entry), replacing)
