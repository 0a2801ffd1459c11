"""A stand-in for Google on 127.0.0.1: tokens, Cloud Storage and BigQuery, as the flows use them.

The unmodified clients find it through environment variables (`Google.environment`). It is strict:
it answers 501 to what it does not know, and checks preconditions, checksums, types and partitions
as Google does.
"""

from __future__ import annotations

import json
import tempfile
import threading
import urllib.parse
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from fakes.google.answers import Answer, Fault, Refused, Request, unsupported
from fakes.google.bigquery import BigQuery
from fakes.google.storage import Storage
from fakes.google.tokens import Tokens

PROJECT = "taxi-project"


class Google:
    """The server, which runs inside `with Google() as google:`.

    Attributes:
        requests: all requests so far, in order, without their bodies.
        storage: buckets and objects.
        bigquery: datasets, tables and jobs.
        tokens: issues the tokens of a test's credentials.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="google-")
        self._lock = threading.RLock()
        self._faults: list[Fault] = []
        self._broken: list[Exception] = []
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.storage = Storage(Path(self._folder.name), self.url)
        self.bigquery = BigQuery(self.storage, self.url)
        self.tokens = Tokens()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Google:
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
        self.bigquery.close()
        self._folder.cleanup()
        if self._broken and error is None:
            raise self._broken[0]

    def environment(self, url: str = "") -> dict[str, str]:
        """Return the variables that direct Google's clients here, or to a proxy in front of it."""
        url = url or self.url
        account = {
            "type": "external_account_authorized_user",
            "client_id": "somebody",
            "client_secret": "nothing",
            "refresh_token": "nothing",
            "token_url": f"{url}/token",
            "quota_project_id": PROJECT,
        }
        path = Path(self._folder.name, "account.json")
        path.write_text(json.dumps(account))
        return {
            "GOOGLE_APPLICATION_CREDENTIALS": str(path),
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "STORAGE_EMULATOR_HOST": url,
            "BIGQUERY_EMULATOR_HOST": url,
        }

    def fail(self, fault: Fault) -> Fault:
        """Make one later request fail."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def fault_of(self, request: Request) -> Fault | None:
        """Record a request; return its fault, if any."""
        with self._lock:
            self.requests.append(
                Request(request.method, request.path, request.args, request.headers, b"")
            )
            met = next((fault for fault in self._faults if fault.is_met_by(request)), None)
            if met:
                self._faults.remove(met)
            return met

    def answer(self, request: Request) -> Answer:
        """Process a request, one at a time."""
        with self._lock:
            try:
                return self._route(request)
            except Refused as refused:
                return refused.answer()
            except Exception as error:
                self._broken.append(error)
                return Refused(501, f"the stand-in broke: {error!r}").answer()

    def _route(self, request: Request) -> Answer:
        if self.tokens.issues(request):
            return self.tokens.answer(request)
        self.tokens.refuse_invalid(request)
        if "/bigquery/v2/" in request.path:
            return self.bigquery.answer(request)
        if "/storage/v1/" in request.path:
            return self.storage.answer(request)
        raise unsupported(request)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for the threads, so that no socket stays open
    request_queue_size = 64  # a client that finds it full tries again only after a second

    def __init__(self, google: Google) -> None:
        self.google = google
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 5  # seconds without a byte before it hangs up on a client

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        self.close_connection = True
        google, request = self.server.google, self._request()
        fault = google.fault_of(request)
        answer: Answer | None = None
        if fault is None or fault.carried_out:
            answer = google.answer(request)
        if fault:
            answer = Refused(fault.status, "a fault").answer() if fault.status else None
            fault.reached.set()
            if fault.hold:
                google.closing.wait()
        if answer:
            # A client that was killed or gave up is not an error of the server.
            with suppress(ConnectionError):
                self._send(answer)

    def _request(self) -> Request:
        url = urllib.parse.urlsplit(self.path)
        args = dict(urllib.parse.parse_qsl(url.query))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return Request(self.command, url.path, args, headers, body)

    def _send(self, answer: Answer) -> None:
        body = answer.body()
        own = {"Content-Type": "application/json", "Connection": "close"}
        self.send_response_only(answer.status)
        for name, value in {**own, **answer.headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
