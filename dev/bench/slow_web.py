"""A web server on 127.0.0.1 that sends a folder's files at the speed of an internet connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

_CHUNK = 1 << 18


class _Slow(SimpleHTTPRequestHandler):
    """Sends each file at a fixed rate, as a publisher does that serves many clients."""

    bytes_a_second = 0.0

    def copyfile(self, source: IO[bytes], outputfile: Any) -> None:  # type: ignore[override]
        """Send the file in pieces, each no earlier than the rate allows."""
        started, sent = time.monotonic(), 0
        while chunk := source.read(_CHUNK):
            outputfile.write(chunk)
            sent += len(chunk)
            time.sleep(max(0.0, started + sent / self.bytes_a_second - time.monotonic()))

    def log_message(self, *_: Any) -> None:
        """Log nothing, so that the benchmark prints only its figures."""


@contextmanager
def slow_web(folder: Path, bytes_a_second: float) -> Iterator[str]:
    """Serve a folder; yield its address.

    Args:
        folder: what is published.
        bytes_a_second: rate of each connection.
    """
    slow = type("Slow", (_Slow,), {"bytes_a_second": bytes_a_second})
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: slow(*args, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
