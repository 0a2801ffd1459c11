"""The minimum speed of a download: a server that only trickles counts as silent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import httpx

#: Fewer than this many bytes in this many seconds count as a broken connection.
LEAST_BYTES, SECONDS = 1 << 10, 300.0


def steady(chunks: Iterable[bytes], clock: Callable[[], float] = time.monotonic) -> Iterator[bytes]:
    """Yield chunks as they arrive.

    Raises:
        ReadTimeout: they arrive too slowly.
    """
    begun, size, late = clock(), 0, ""
    for chunk in chunks:
        if late:  # only now: if the slow chunk had been the last, the file would be complete
            raise httpx.ReadTimeout(late)
        yield chunk
        size += len(chunk)
        if (now := clock()) - begun >= SECONDS:
            late = f"{size} bytes in {now - begun:.0f} seconds" if size < LEAST_BYTES else ""
            begun, size = now, 0
