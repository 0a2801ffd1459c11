"""A company's network on 127.0.0.1: hosts with its own certificates, behind an HTTP proxy.

Names under `.test` exist only for the proxy, so a client that does not use it reaches nothing.
The proxy is proxy.py, in a separate process, and asks for a user and a password.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import TracebackType
from urllib.parse import quote

import trustme

#: User and password, with a character that an address has to percent-encode.
LOGIN = "me:pr0xy/pw"
_FOLDER = Path(__file__).parent
_START_SECONDS = 60


class Company:
    """The proxy and the hosts, which run inside `with Company(folder) as company:`.

    Attributes:
        certificates: file with the certificate of the company's authority.
    """

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.certificates = folder / "company.pem"
        self._authority.cert_pem.write_to_path(self.certificates)
        self._port, self._seen = folder / "port", folder / "seen"
        self._hosts: list[_Host] = []

    def __enter__(self) -> Company:
        self._seen.touch()
        plugin = ["--plugins", "names.Names", "--basic-auth", LOGIN]
        where = ["--hostname", "127.0.0.1", "--port", "0", "--port-file", str(self._port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proxy", *where, *plugin, "--num-workers", "1"],
            env=os.environ | {"PYTHONPATH": str(_FOLDER), "SEEN": str(self._seen)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not (self._port.exists() and self._port.read_text().strip()):
            assert self._process.poll() is None
            assert time.monotonic() < deadline, "the proxy does not start"
            time.sleep(0.005)
        self.proxy = self.proxy_for(quote(LOGIN, safe=":"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Kill its children too; an orderly shutdown takes a second.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for host in self._hosts:
            host.shutdown()
            host.server_close()

    def proxy_for(self, login: str) -> str:
        """Return the proxy's address for a user and a password."""
        return f"http://{login}@127.0.0.1:{self._port.read_text().strip()}"

    def host(self, name: str, url: str) -> str:
        """Put a host with a certificate in front of a server; return its https address."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(name).configure_cert(context)
        host = _Host(context, int(url.rpartition(":")[2]))
        self._hosts.append(host)
        Thread(target=host.serve_forever, args=(0.01,), daemon=True).start()
        return f"https://{name}:{host.server_address[1]}"

    def visited(self) -> set[str]:
        """Return the names of the hosts that the proxy was asked for."""
        return set(self._seen.read_text().split())


class _Host(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, behind: int) -> None:
        self.context, self.behind = context, behind
        super().__init__(("127.0.0.1", 0), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    server: _Host

    def handle(self) -> None:
        # A client that does not trust the certificate ends the connection.
        with suppress(OSError):
            front = self.server.context.wrap_socket(self.request, server_side=True)
            with front, socket.create_connection(("127.0.0.1", self.server.behind)) as back:
                _pass_both_ways(front, back)


def _pass_both_ways(front: ssl.SSLSocket, back: socket.socket) -> None:
    """Pass data until one side ends, on one thread: OpenSSL allows a connection only one.

    With two, a client occasionally gets a damaged record.
    """
    while True:
        # select does not see what OpenSSL has already decrypted.
        ready = [front] if front.pending() else select.select([front, back], [], [])[0]
        for source in ready:
            if not (data := source.recv(1 << 16)):
                return
            (back if source is front else front).sendall(data)
