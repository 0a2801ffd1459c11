"""A web server on 127.0.0.1 that serves what a test gives it, and fails where a test says so.

It supports HEAD, GET, one range (`bytes=N-` or `bytes=N-M`), If-Range and If-None-Match with one
ETag according to RFC 9110, and answers 501 to every other method, range and condition.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_CONDITIONS = {"If-Match", "If-Modified-Since", "If-Unmodified-Since"}


@dataclass(frozen=True)
class Page:
    """A page that is served under one path.

    Attributes:
        body: the bytes of the file.
        status: status of a response with the whole body.
        etag: with its quotes; None to send none.
        last_modified: HTTP date; None to send none.
        headers: further headers, which override the server's own.
        head: whether HEAD is supported.
        no_head: status of the response to HEAD if it is not.
        ranges: whether Range is supported (ignored if not).
        conditions: whether If-Range and If-None-Match are supported (ignored if not).
        length: whether Content-Length is sent; if not, the body ends with the connection.
    """

    body: bytes
    status: int = 200
    etag: str | None = None
    last_modified: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    head: bool = True
    no_head: int = 405
    ranges: bool = True
    conditions: bool = True
    length: bool = True


@dataclass(frozen=True)
class Fault:
    """A failure of one request.

    Attributes:
        page: sent in place of the page that is served under the path.
        after: number of bytes of the body to send before stopping; None for all of them.
        hang: whether the connection then stays open and silent. If `after` is None, nothing is
            sent at all, not even a status.
    """

    page: Page | None = None
    after: int | None = None
    hang: bool = False


@dataclass(frozen=True)
class Request:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class Web:
    """The server, which runs inside `with Web() as web:`.

    Attributes:
        requests: all requests so far, in order.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._pages: dict[str, Page] = {}
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, path: str) -> str:
        """Return the URL of a path, whether or not anything is served there."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def serve(self, path: str, page: Page | bytes) -> str:
        """Serve a page under a path, replacing any earlier one; return its URL."""
        with self._lock:
            self._pages[path] = page if isinstance(page, Page) else Page(page)
        return self.url(path)

    def redirect(self, path: str, to: str, status: int = 302) -> str:
        """Redirect a path to another address; return the path's URL."""
        return self.serve(path, Page(b"", status, headers={"Location": to}))

    def fail(self, fault: Fault, times: int = 1) -> None:
        """Make the next requests fail, after those that earlier calls made fail."""
        with self._lock:
            self._faults += [fault] * times

    def take(self, request: Request) -> tuple[Page, Fault]:
        """Record a request; return the page to send and the fault, if any."""
        with self._lock:
            self.requests.append(request)
            fault = self._faults.pop(0) if self._faults else Fault()
            page = fault.page or self._pages.get(request.path, Page(b"not found", 404))
            return page, fault


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for the threads, so that no socket stays open
    request_queue_size = 64  # a client that finds it full tries again only after a second

    def __init__(self, web: Web) -> None:
        self.web = web
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 5  # seconds without a byte before it hangs up on a client

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        self.close_connection = True
        request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
        page, fault = self.server.web.take(request)
        # A client that has what it wanted or gave up is not an error of the server.
        with suppress(ConnectionError):
            if not fault.hang or fault.after is not None:
                self._send(page, fault)
        if fault.hang:
            self.server.web.closing.wait()

    def _send(self, page: Page, fault: Fault) -> None:
        status, headers, body = self._choose(page)
        own = {"Connection": "close", "ETag": page.etag, "Last-Modified": page.last_modified}
        length = {"Content-Length": str(len(body))} if page.length else {}
        self.send_response_only(status)
        for name, value in {**own, **length, **headers, **page.headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: fault.after])

    def _choose(self, page: Page) -> tuple[int, Mapping[str, str | None], bytes]:
        """Return the status, further headers and the body."""
        if _CONDITIONS & set(self.headers):
            return 501, {}, b""
        if self.command == "HEAD" and not page.head:
            return page.no_head, {}, b""
        if page.status == 200 and page.conditions and self._is_known(page):
            return 304, {"Content-Length": None}, b""
        asked = self.headers.get("Range") if self.command == "GET" else None  # RFC 9110, 14.2
        if page.status != 200 or not page.ranges or not asked or not self._is_same(page):
            return page.status, {}, page.body
        return _part(page.body, asked)

    def _is_known(self, page: Page) -> bool:
        """Return whether the ETag of If-None-Match is the page's, by weak comparison."""
        wanted, etag = self.headers.get("If-None-Match"), page.etag
        return bool(wanted and etag) and _opaque(str(wanted)) == _opaque(str(etag))

    def _is_same(self, page: Page) -> bool:
        wanted = self.headers.get("If-Range")
        known = {page.last_modified, page.etag if (page.etag or "")[:2] != "W/" else None}
        return wanted is None or not page.conditions or wanted in known


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/")


def _part(body: bytes, asked: str) -> tuple[int, Mapping[str, str | None], bytes]:
    match = _RANGE.fullmatch(asked)
    if not match:
        return 501, {}, b""
    start, last = int(match[1]), min(int(match[2] or len(body)), len(body) - 1)
    if start >= len(body):
        return 416, {"Content-Range": f"bytes */{len(body)}"}, b""
    part = body[start : last + 1]
    return 206, {"Content-Range": f"bytes {start}-{last}/{len(body)}"}, part
