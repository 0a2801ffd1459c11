"""Lines of waiting threads, in one process or several, served in the order of arrival."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from filelock import FileLock

#: Seconds between looks at who is ahead.
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Line:
    """The line for a file that one thread at a time may have.

    A place is a numbered file beside it, locked as long as its thread waits: the place of a killed
    process is free.

    Attributes:
        path: the file that the line is for.
    """

    path: Path

    def is_empty(self) -> bool:
        """Return whether nobody waits."""
        return not self._places()

    @contextmanager
    def first(self) -> Iterator[None]:
        """Wait until everybody who came earlier has left; stay first until the block ends."""
        place, ahead = self._joined()
        try:
            for earlier in ahead:
                self._wait_for(earlier)
            yield
        finally:
            # In this order: once it is free, its number may be that of somebody who comes next.
            Path(place.lock_file).unlink(missing_ok=True)
            place.release()

    def _joined(self) -> tuple[FileLock, list[Path]]:
        """Take the last place; return it and those ahead, the first one first."""
        with FileLock(self.path.with_name(f".{self.path.name}.lock"), poll_interval=_POLL_SECONDS):
            ahead = self._places()
            number = int(ahead[-1].suffix[1:]) + 1 if ahead else 1
            place = FileLock(self.path.with_name(f".{self.path.name}.waits.{number:09}"))
            place.acquire(timeout=0)
        return place, ahead

    def _wait_for(self, earlier: Path) -> None:
        if earlier.exists():
            with FileLock(earlier, poll_interval=_POLL_SECONDS):
                earlier.unlink(missing_ok=True)  # left by a killed process

    def _places(self) -> list[Path]:
        return sorted(self.path.parent.glob(f".{escape(self.path.name)}.waits.*"))
