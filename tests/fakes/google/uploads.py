"""Load jobs with data from the client: resumable uploads with the job's settings."""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes.google.answers import Answer, Request, unsupported

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass
class Upload:
    """Data that is being uploaded, with the job that it is for."""

    number: str
    meta: dict[str, Any]
    data: bytearray = field(default_factory=bytearray)


class Uploads:
    """Uploads by number.

    Attributes:
        finished: the job started by each complete upload.
    """

    def __init__(self, url: str) -> None:
        self.finished: dict[str, dict[str, Any]] = {}
        self._url = url
        self._open: dict[str, Upload] = {}
        self._numbers = itertools.count(1)

    def take(self, request: Request) -> tuple[Answer, Upload | None]:
        """Start or continue an upload; return the upload once it is complete."""
        if request.method == "POST" and request.args.get("uploadType") == "resumable":
            number = f"upload{next(self._numbers)}"
            self._open[number] = Upload(number, request.json())
            location = f"{self._url}{request.path}?uploadType=resumable&upload_id={number}"
            return Answer({}, headers={"Location": location}), None
        upload = self._open.get(request.args.get("upload_id", ""))
        match = _CONTENT_RANGE.fullmatch(request.headers.get("content-range", ""))
        if request.method != "PUT" or not upload or not match:
            raise unsupported(request)
        if match[1] and upload.number not in self.finished:
            del upload.data[int(match[1]) :]
            upload.data += request.body
        if match[3] != "*" and len(upload.data) == int(match[3]):
            return Answer(), upload
        last = {"Range": f"bytes=0-{len(upload.data) - 1}"} if upload.data else {}
        return Answer(status=308, headers=last), None

    @contextmanager
    def file(self, data: bytes | None) -> Iterator[Path | None]:
        """Yield the data as a file; None if there is none."""
        if data is None:
            yield None
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "sent")
            path.write_bytes(data)
            yield path
