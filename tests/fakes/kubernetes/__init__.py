"""A Kubernetes API on 127.0.0.1 with one node: jobs, pods and logs, as far as Prefect uses them.

The unmodified clients find it through a kubeconfig (`Kubernetes.environment`). It is strict: it
answers 501 to requests that the clients do not need, 403 to those that their role does not allow,
and 422 to an object that does not match Kubernetes' published schema.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from fakes.kubernetes.cluster import Cluster, Refused
from fakes.kubernetes.node import Command

TOKEN = "token-of-the-agent"
_NAMESPACED = r"/{api}/namespaces/(?P<namespace>[^/]+)/"
_JOBS = _NAMESPACED.format(api="apis/batch/v1") + "jobs"
_PODS = _NAMESPACED.format(api="api/v1") + "pods"


@dataclass(frozen=True)
class Route:
    """A request that is answered.

    Attributes:
        method: of the request.
        path: pattern of its path.
        group: API group, as in the rules of a role.
        resource: likewise.
        verb: likewise.
        arguments: names of the supported query parameters.
    """

    method: str
    path: str
    group: str
    resource: str
    verb: str
    arguments: frozenset[str] = frozenset()


_LISTS = frozenset({"labelSelector", "fieldSelector"})
_WATCHES = _LISTS | {"watch", "timeoutSeconds", "resourceVersion"}
ROUTES = (
    Route("GET", "/api/v1/namespaces/kube-system", "", "namespaces", "get"),
    Route("POST", _JOBS, "batch", "jobs", "create"),
    Route("GET", f"{_JOBS}/(?P<name>[^/]+)", "batch", "jobs", "get"),
    Route("GET", _JOBS, "batch", "jobs", "list", frozenset({"limit"})),
    Route("GET", _JOBS, "batch", "jobs", "watch", _WATCHES),
    Route(
        "DELETE",
        f"{_JOBS}/(?P<name>[^/]+)",
        "batch",
        "jobs",
        "delete",
        frozenset({"gracePeriodSeconds", "propagationPolicy"}),
    ),
    Route("GET", _PODS, "", "pods", "list", _LISTS),
    Route("GET", _PODS, "", "pods", "watch", _WATCHES),
    Route(
        "GET",
        f"{_PODS}/(?P<name>[^/]+)/log",
        "",
        "pods/log",
        "get",
        frozenset({"container", "follow"}),
    ),
)


class Kubernetes:
    """The server, which runs inside `with Kubernetes(...) as kubernetes:`.

    Attributes:
        cluster: its objects, and what a test does to them.
        calls: verb and resource of each request that was answered.
        refused: requests that were not answered, with the reason.
    """

    def __init__(self, folder: Path, rules: Sequence[Mapping[str, Any]], command: Command) -> None:
        self.cluster = Cluster(folder, command)
        self.calls: list[str] = []
        self.refused: list[str] = []
        self._folder, self._rules = folder, rules
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Kubernetes:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cluster.close()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    def environment(self) -> dict[str, str]:
        """Return the variable that directs clients here."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "zoom",
            "clusters": [{"name": "zoom", "cluster": {"server": self.url}}],
            "contexts": [{"name": "zoom", "context": {"cluster": "zoom", "user": "agent"}}],
            "users": [{"name": "agent", "user": {"token": TOKEN}}],
        }
        path = self._folder / "kubeconfig"
        path.write_text(json.dumps(config))
        return {"KUBECONFIG": str(path)}

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> Any:
        """Return an object, or an iterator over a stream.

        Raises:
            Refused: the request is not answered; it is noted.
        """
        try:
            return self._answer(request, body)
        except Refused as refused:
            self.refused.append(f"{request.command} {request.path}: {refused}")
            raise

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> Any:
        path, _, query = request.path.partition("?")
        arguments = dict(urllib.parse.parse_qsl(query))
        route, match = _route(request.command, path, arguments)
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            raise Refused(401, "Unauthorized")
        if not any(_allows(rule, route) for rule in self._rules):
            raise Refused(403, f"agent cannot {route.verb} {route.group}/{route.resource}")
        self.calls.append(f"{route.verb} {route.resource}")
        return self._carried_out(route, match, arguments, body)

    def _carried_out(
        self, route: Route, named: Mapping[str, str], arguments: Mapping[str, str], body: bytes
    ) -> Any:
        cluster = self.cluster
        if route.resource == "namespaces":
            return cluster.system()
        if route.verb == "create":
            return cluster.create(named["namespace"], json.loads(body))
        if route.verb == "delete":
            return cluster.delete(named["name"], int(arguments["gracePeriodSeconds"]))
        if route.resource == "pods/log":
            return cluster.log(named["name"])
        if route.verb == "get":
            return cluster.job(named["name"])
        if (route.resource, route.verb) == ("jobs", "list"):
            return cluster.jobs()
        selected = _selected(arguments)
        if route.verb == "watch":
            return _lines(cluster.watch(route.resource, selected, arguments))
        return cluster.pods(selected)


def _route(method: str, path: str, arguments: Mapping[str, str]) -> tuple[Route, dict[str, str]]:
    for route in ROUTES:
        match = re.fullmatch(route.path, path)
        watches = ("watch" in arguments) == (route.verb == "watch")
        if match and route.method == method and watches and arguments.keys() <= route.arguments:
            return route, match.groupdict()
    raise Refused(501, f"{method} {path} {dict(arguments)} is not part of this stand-in")


def _allows(rule: Mapping[str, Any], route: Route) -> bool:
    return (
        route.group in rule["apiGroups"]
        and route.resource in rule["resources"]
        and route.verb in rule["verbs"]
        and ("resourceNames" not in rule or rule["resourceNames"] == ["kube-system"])
    )


def _selected(arguments: Mapping[str, str]) -> str:
    """Return the job that a selector names."""
    text = arguments.get("labelSelector") or arguments.get("fieldSelector") or ""
    kind, _, name = text.partition("=")
    if kind not in ("job-name", "metadata.name") or not name:
        raise Refused(501, f"selector {text!r} is not part of this stand-in")
    return name


def _lines(events: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    return (json.dumps(event).encode() + b"\n" for event in events)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them, so that no socket is left open

    def __init__(self, kubernetes: Kubernetes) -> None:
        self.kubernetes = kubernetes
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread, and note that it is open."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open for another request."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # it has just ended on its own
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 5  # seconds without a byte before it hangs up on a client

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._send(200, self.server.kubernetes.answer(self, body))
        except Refused as refused:
            self._send(refused.status, refused.answer())
        except (BrokenPipeError, ConnectionResetError):
            return  # a client hangs up once it has seen enough of a stream

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = _any  # noqa: N815 - its names

    def _send(self, status: int, answer: Any) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if isinstance(answer, Iterator):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in answer:
                self._write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self._write(b"0\r\n\r\n")
        else:
            data = json.dumps(answer).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self._write(data)

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing to stderr."""
