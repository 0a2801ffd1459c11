"""First-in, first-out queues of threads, in one process or several, that wait for a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from filelock import FileLock

#: Seconds between two checks of whether those ahead are done.
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class FileQueue:
    """A queue for a file that one thread at a time may use.

    A waiting thread holds a lock on a numbered ticket next to the file; the operating system
    releases the ticket of a killed process.

    Attributes:
        path: the file.
    """

    path: Path

    def is_empty(self) -> bool:
        """Return whether no thread waits."""
        return not self._tickets()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for all earlier threads to leave; keep the turn until the block ends."""
        ticket, ahead = self._joined()
        try:
            for earlier in ahead:
                self._wait_for(earlier)
            yield
        finally:
            # In this order: once released, its number may be that of the next ticket.
            Path(ticket.lock_file).unlink(missing_ok=True)
            ticket.release()

    def _joined(self) -> tuple[FileLock, list[Path]]:
        """Take the next ticket; return it and the tickets ahead, oldest first."""
        with FileLock(self.path.with_name(f".{self.path.name}.lock"), poll_interval=_POLL_SECONDS):
            ahead = self._tickets()
            number = int(ahead[-1].suffix[1:]) + 1 if ahead else 1
            ticket = FileLock(self.path.with_name(f".{self.path.name}.waits.{number:09}"))
            ticket.acquire(timeout=0)
        return ticket, ahead

    def _wait_for(self, earlier: Path) -> None:
        if earlier.exists():
            with FileLock(earlier, poll_interval=_POLL_SECONDS):
                earlier.unlink(missing_ok=True)  # left by a killed process

    def _tickets(self) -> list[Path]:
        return sorted(self.path.parent.glob(f".{escape(self.path.name)}.waits.*"))
