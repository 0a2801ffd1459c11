"""A download on its way: what of it has arrived, and how it can be continued."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from core.disk import refusal
from core.download.remote_file import Download, RemoteFile, What
from core.errors import BadFile

#: Called with the bytes so far and those in all, None where that is unknown.
Progress: TypeAlias = Callable[[int, int | None], None]

#: How often progress is told, bytes.
PROGRESS_BYTES = 1 << 18
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Validators:
    """What names one state of a published file, so that a later request can ask for its rest.

    Attributes:
        url: its address, before any redirect.
        etag: as the publisher writes it, quotes included.
        last_modified: HTTP date.
    """

    url: str
    etag: str | None
    last_modified: str | None

    @property
    def validator(self) -> str | None:
        """What `If-Range` may hold: a strong ETag, else the date (RFC 9110, 13.1.5)."""
        weak = self.etag is None or self.etag.startswith("W/")
        return self.last_modified if weak else self.etag


@dataclass(frozen=True)
class PartFile:
    """What has arrived of a file, and a note beside it that says of which state.

    Attributes:
        path: where; the note is `<path>.json`.
    """

    path: Path

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size

    def begun(self, url: str) -> Validators | None:
        """The state of `url` that can be continued; None without one."""
        try:
            found = Validators(**json.loads(self._note.read_text("utf-8")))
            continuable = found.url == url and found.validator and self.size
        except (OSError, ValueError, TypeError):
            return None
        return found if continuable else None

    def rest_of(self, validators: Validators) -> Mapping[str, str]:
        """The headers of a request for what has not arrived yet."""
        return {"Range": f"bytes={self.size}-", "If-Range": validators.validator or ""}

    def begin(self, validators: Validators) -> None:
        """Start over with nothing."""
        # Emptied before it is noted: a kill in between must not give old bytes a new name.
        self.path.write_bytes(b"")
        self._note.write_text(json.dumps(asdict(validators)), "utf-8")

    def receive(
        self, chunks: Iterable[bytes], total: int | None, progress: Progress
    ) -> tuple[int, str]:
        """Append, and return the size and the SHA-256 (hexadecimal) of all there is then."""
        done = told = self.size
        digest = self._digest() if done else hashlib.sha256()
        with self.path.open("ab") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                if done - told >= PROGRESS_BYTES:
                    progress(done, total)
                    told = done
        progress(done, total)
        return done, digest.hexdigest()

    def download(
        self, remote: RemoteFile[What], counted: tuple[int, str], validators: Validators
    ) -> Download[What]:
        """Return the record of what has arrived, from what `receive` counted."""
        state = (validators.etag, validators.last_modified)
        return Download(remote.what, self.path, remote.url, *counted, *state)

    def forget(self) -> None:
        """Remove it and its note, as far as the disk lets us."""
        for path in (self.path, self._note):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    @contextmanager
    def good_or_gone(self, what: object) -> Iterator[None]:
        """Keep no bad file, and nothing on a disk that took no more.

        Args:
            what: whose file it is.

        Raises:
            StorageError: for an OSError.
        """
        try:
            yield
        except BadFile:
            self.forget()
            raise
        except OSError as error:
            self.forget()
            raise refusal(f"{self.path.name} of {what}", self.path.parent, error) from error

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def _digest(self) -> hashlib._Hash:
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
        return digest
