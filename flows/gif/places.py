"""Where an image job reads and writes, as text that can travel to another machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.errors import UsageError


@dataclass(frozen=True)
class Place:
    """An object of a bucket, or a file of this machine.

    Attributes:
        bucket: block of the bucket, as TYPE/NAME; empty for a file.
        path: key of the object, or absolute path of the file.
    """

    bucket: str
    path: str

    @classmethod
    def of(cls, bucket: str, path: str) -> Place:
        """Where a person means; a path without a bucket counts from the current folder.

        Raises:
            UsageError: the path is empty.
        """
        if not path.strip("/. "):
            raise UsageError(f"{path!r} is no name of a file; write it like clip.gif")
        return cls(bucket, path if bucket else str(Path(path).absolute()))

    def beside(self, name: str) -> Place:
        """Another one in the same folder."""
        return Place(self.bucket, str(PurePosixPath(self.path).with_name(name)))
