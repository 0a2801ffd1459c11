"""Requests as they arrive, answers, Google's errors, and faults."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_REASONS = {
    400: "invalid",
    401: "authError",
    403: "accessDenied",
    404: "notFound",
    409: "duplicate",
    412: "conditionNotMet",
    501: "notImplemented",
}


@dataclass(frozen=True)
class Request:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    args: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object."""
        content: dict[str, Any] = json.loads(self.body or b"{}")
        return content


@dataclass(frozen=True)
class Answer:
    """A response: JSON, bytes or a file."""

    content: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """Return the bytes to send."""
        if isinstance(self.content, Path):
            return self.content.read_bytes()
        if isinstance(self.content, bytes):
            return self.content
        return b"" if self.content is None else json.dumps(self.content).encode()


class Refused(Exception):
    """An error in Google's format."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.reason = reason or _REASONS.get(status, "backendError")

    def answer(self) -> Answer:
        """Return the response that reports it."""
        errors = [{"message": self.message, "domain": "global", "reason": self.reason}]
        error = {"code": self.status, "message": self.message, "errors": errors}
        return Answer({"error": error}, self.status)


@dataclass
class Fault:
    """A failure of a request.

    Attributes:
        method: method of the request.
        path: pattern found in its path.
        skip: how many such requests still succeed.
        status: status of the response, with nothing done; None drops the connection instead.
        carried_out: whether the request takes effect although its response is lost.
        hold: whether the connection stays open and silent until the server is closed.
        reached: set once the fault has occurred.
    """

    method: str
    path: str
    skip: int = 0
    status: int | None = None
    carried_out: bool = False
    hold: bool = False
    reached: threading.Event = field(default_factory=threading.Event)

    def is_met_by(self, request: Request) -> bool:
        """Return whether this request is the one that fails."""
        if request.method != self.method or not re.search(self.path, request.path):
            return False
        self.skip -= 1
        return self.skip < 0


def unsupported(request: Request) -> Refused:
    """Refuse anything that the flows do not use."""
    asked = f"{request.method} {request.path} {dict(request.args)}"
    return Refused(501, f"{asked} is not part of this stand-in")
