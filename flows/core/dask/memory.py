"""How Dask's workers hold on to memory between the blocks of a month."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

#: Bytes. Dask has the C library give back whatever is free beyond 64 KiB, and so each block of a
#: month asks the system for its pages again. This is the most that glibc takes for the second.
_KEPT = 32 << 20
#: Read by glibc as a worker starts; https://man7.org/linux/man-pages/man3/mallopt.3.html
WORKER_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(_KEPT), "MALLOC_MMAP_THRESHOLD_": str(_KEPT)}


def keeping_memory() -> AbstractContextManager[Any]:
    """Workers that are started from here meanwhile have WORKER_MEMORY in their environment."""
    # Not at the top: Dask takes a second, which only who uses it should pay.
    import dask
    import distributed  # noqa: F401 # its defaults are what is to be changed

    place = "distributed.nanny.pre-spawn-environ"
    return dask.config.set({f"{place}.{name}": kept for name, kept in WORKER_MEMORY.items()})
