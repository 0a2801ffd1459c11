"""Inputs and outputs of an image job, as text that can be sent to another machine."""

from __future__ import annotations

import os
import posixpath
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

        Raises:
            UsageError: the path is empty, or no file can have it.
        """
        if not path.strip("/. ") or "\0" in path:
            raise UsageError(f"{path!r} is not a file name; write it like clip.gif")
        return cls(bucket, path if bucket else str(Path(path).absolute()))

    def same(self, other: Location) -> bool:
        """Return whether two paths name one file, or keys that a folder would take for one."""
        return self._compared() == other._compared()

    def _compared(self) -> tuple[str, str]:
        if self.bucket:
            return self.bucket, posixpath.normpath(self.path)
        folder, name = os.path.split(self.path)
        return "", os.path.join(os.path.realpath(folder), name)  # noqa: PTH118

    @property
    def name(self) -> str:
        """Return the file name, the last part of the path."""
        return PurePosixPath(self.path).name

    def beside(self, name: str) -> Location:
        """Return another location in the same folder."""
        return Location(self.bucket, str(PurePosixPath(self.path).with_name(name)))
