"""A partial download: what has arrived, and how to resume it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

from core.checksums import with_file
from core.disk import refusal
from core.download.remote_file import Download, RemoteFile, What
from core.errors import BadFile

#: Called with the bytes so far and in total, None if unknown.
Progress: TypeAlias = Callable[[int, int | None], None]

#: Bytes between two progress calls.
PROGRESS_BYTES = 1 << 18


@dataclass(frozen=True)
class Validators:
    """The identity of one state of a published file, so that a later request can resume it.

    Attributes:
        url: its address, before any redirect; in a note its checksum, as it may have a secret.
        etag: as the publisher sends it, quotes included.
        last_modified: HTTP date.
    """

    url: str
    etag: str | None
    last_modified: str | None

    @property
    def validator(self) -> str | None:
        """Return the value for `If-Range`: a strong ETag, else the date (RFC 9110, 13.1.5)."""
        # An ETag that is not ASCII cannot be sent back.
        weak = self.etag is None or self.etag.startswith("W/") or not self.etag.isascii()
        return self.last_modified if weak else self.etag


@dataclass(frozen=True)
class PartFile:
    """The part of a file that has arrived, and a note next to it that names its state.

    Attributes:
        path: the partial file; the note is `<path>.json`.
    """

    path: Path

    @property
    def size(self) -> int:
        """Return the number of bytes that have arrived."""
        return self.path.stat().st_size

    def begun(self, url: str) -> Validators | None:
        """Return the state of `url` that can be resumed; None if there is none."""
        try:
            found = Validators(**json.loads(self._note.read_text("utf-8")))
            continuable = found.url == _sum(url) and found.validator and self.size
        except (OSError, ValueError, TypeError):
            return None
        return replace(found, url=url) if continuable else None

    def rest_of(self, validators: Validators) -> Mapping[str, str]:
        """Return the request headers for the bytes that have not arrived yet."""
        return {"Range": f"bytes={self.size}-", "If-Range": validators.validator or ""}

    def begin(self, validators: Validators) -> None:
        """Start over with an empty file."""
        # Empty the file before the note: a kill in between must not give old bytes a new state.
        self.path.write_bytes(b"")
        noted = replace(validators, url=_sum(validators.url))
        self._note.write_text(json.dumps(asdict(noted)), "utf-8")

    def receive(
        self, chunks: Iterable[bytes], total: int | None, progress: Progress
    ) -> tuple[int, str]:
        """Append chunks, and return the size and the SHA-256 (hexadecimal) of the whole file."""
        done = told = self.size
        digest = with_file(hashlib.sha256(), self.path) if done else hashlib.sha256()
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
        """Return the record of the download, with the counts from `receive`."""
        state = (validators.etag, validators.last_modified)
        return Download(remote.what, self.path, remote.url, *counted, *state)

    def forget(self) -> None:
        """Remove the file and its note, ignoring disk errors."""
        for path in (self.path, self._note):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    @contextmanager
    def good_or_gone(self, what: object) -> Iterator[None]:
        """Remove the file if it is bad, or if the disk refuses a write.

        Args:
            what: what the file is about.

        Raises:
            StorageError: in place of an OSError.
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


def _sum(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
