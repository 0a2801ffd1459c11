"""Where files are taken from and put: a folder of a bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from core.storage.bucket import Bucket, Listed


@dataclass(frozen=True)
class Place:
    """A folder of a bucket; the bucket may itself be a local folder.

    Attributes:
        bucket: folder on this machine, S3, Cloud Storage.
        folder: prefix of its keys, without a slash at its ends; empty for the whole bucket.
    """

    bucket: Bucket
    folder: str = ""

    def __str__(self) -> str:
        """Where it is, for people."""
        return self.uri("_").removesuffix("_")

    def key(self, name: str) -> str:
        """The key of a file of this place."""
        return f"{self.folder}/{name}" if self.folder else name

    def uri(self, name: str) -> str:
        """Where a file of this place is, for people."""
        return self.bucket.uri(self.key(name))

    def files(self, pattern: str) -> Sequence[Listed]:
        """The files directly in this place whose names match a pattern of `*`, `?` and `[…]`."""
        return [f for f in self.bucket.files(self.folder) if fnmatchcase(f.name, pattern)]
