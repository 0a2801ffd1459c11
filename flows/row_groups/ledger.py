"""What is remembered of a rewritten file: a JSON object beside it, written last.

Without it a file does not count as rewritten, whatever else is in the sink.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from core.errors import StorageError
from row_groups.places import Place


@dataclass(frozen=True)
class Entry:
    """What the ledger says of one file.

    Attributes:
        source: where it was taken from.
        source_size: bytes.
        source_etag: see `Bucket.etag`.
        source_modified: UTC, ISO 8601.
        rows: of the source and of the object, which were compared.
        row_groups: of the object.
        rows_per_group: of each row group but the last.
        schema_version: of the declared types.
        object_size: bytes.
        object_version: the sink's own, to notice a change from outside.
        rewritten_at: UTC, ISO 8601.
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
    """`_ledger/fhvhv_tripdata_2021-01.json`, which readers of a Parquet folder pass over."""
    return sink.key(f"_ledger/{PurePosixPath(name).stem}.json")


def read_entry(sink: Place, name: str) -> tuple[Entry | None, str | None]:
    """A file's entry and its version for a conditional write; None, None without one."""
    stored = sink.bucket.read(entry_key(sink, name))
    if stored is None:
        return None, None
    try:
        return Entry(**json.loads(stored.data)), stored.version
    except (ValueError, TypeError) as error:
        raise StorageError(
            f"{name}: {sink.bucket.uri(entry_key(sink, name))} is no ledger entry ({error}); "
            "remove that object, then run again"
        ) from error


def write_entry(sink: Place, name: str, entry: Entry, replacing: str | None) -> None:
    """Write a file's entry if its version still is `replacing`.

    Raises:
        Conflict: another run wrote it meanwhile.
    """
    data = json.dumps(asdict(entry), indent=2, sort_keys=True).encode() + b"\n"
    sink.bucket.write(entry_key(sink, name), data, replacing)
