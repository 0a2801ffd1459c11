"""Inputs and outputs of an image job, as text that can be sent to another machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.errors import UsageError


@dataclass(frozen=True)
class Location:
    """An object in a bucket, or a file on this machine.

    Attributes:
        bucket: bucket block, as TYPE/NAME; empty for a file.
        path: key of the object, or absolute path of the file.
    """

    bucket: str
    path: str

    @classmethod
    def of(cls, bucket: str, path: str) -> Location:
        """Return the location that a user named; a local path is relative to the current folder.

        Two spellings of one location are equal.

        Raises:
            UsageError: the path is empty.
        """
        if not path.strip("/. "):
            raise UsageError(f"{path!r} is not a file name; write it like clip.gif")
        if bucket:
            return cls(bucket, str(PurePosixPath(path)))
        return cls(bucket, str(Path(path).parent.resolve() / Path(path).name))

    @property
    def name(self) -> str:
        """Return the file name, the last part of the path."""
        return PurePosixPath(self.path).name

    def beside(self, name: str) -> Location:
        """Return another location in the same folder."""
        return Location(self.bucket, str(PurePosixPath(self.path).with_name(name)))
