"""Sources and sinks of files: folders of buckets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from core.storage.bucket import Bucket, Listed


@dataclass(frozen=True)
class Place:
    """A folder of a bucket; the bucket may itself be a local folder.

    Attributes:
        bucket: a local folder, S3 or Cloud Storage.
        folder: key prefix without leading or trailing slash; empty for the whole bucket.
    """

    bucket: Bucket
    folder: str = ""

    def __str__(self) -> str:
        """Return the location for display."""
        return self.uri("_").removesuffix("_")

    def key(self, name: str) -> str:
        """Return the key of a file in this place."""
        return f"{self.folder}/{name}" if self.folder else name

    def uri(self, name: str) -> str:
        """Return the URI of a file in this place, for display."""
        return self.bucket.uri(self.key(name))

    def files(self, pattern: str) -> Sequence[Listed]:
        """Return the files directly in this place whose names match a glob of `*`, `?`, `[…]`."""
        return [f for f in self.bucket.files(self.folder) if fnmatchcase(f.name, pattern)]
