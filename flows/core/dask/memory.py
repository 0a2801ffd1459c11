"""Settings that let Dask workers keep freed memory between the blocks of a month."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

#: Bytes. Dask sets the trim threshold to 64 KiB, so glibc returns freed memory to the system and
#: each block of a month has to request its pages again. 32 MiB is the largest mmap threshold that
#: glibc accepts.
_KEPT = 32 << 20
#: Read by glibc when a worker starts; https://man7.org/linux/man-pages/man3/mallopt.3.html
WORKER_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(_KEPT), "MALLOC_MMAP_THRESHOLD_": str(_KEPT)}


def keeping_memory() -> AbstractContextManager[Any]:
    """Put WORKER_MEMORY into the environment of workers started while the context is open."""
    # Imported here because Dask takes a second to import, which only its users should pay.
    import dask
    import distributed  # noqa: F401 # its defaults are what is to be changed

    place = "distributed.nanny.pre-spawn-environ"
    return dask.config.set({f"{place}.{name}": kept for name, kept in WORKER_MEMORY.items()})
