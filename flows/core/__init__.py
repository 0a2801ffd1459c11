"""Code independent of months and Prefect: errors, disk, scratch folders, storage, downloads."""

import ctypes
import os
import sys

#: Parameter of mallopt(3).
_M_ARENA_MAX = -8


def _share_one_heap() -> None:
    """Make glibc serve all threads from one heap, unless MALLOC_ARENA_MAX sets another number.

    By default, glibc gives threads heaps of their own, up to eight for each core, and a heap keeps
    what its threads free. Each month of a parent run starts new threads, which fill more heaps.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_M_ARENA_MAX, 1)


# Arrow reads this while it is imported. For pieces of a few megabytes jemalloc takes a seventh less
# memory than Arrow's own choice, and a tenth less time for row groups. Not every build of Arrow for
# other systems has it.
if sys.platform == "linux":
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    _share_one_heap()

# numpy reads this while it is imported. OpenBLAS would start a thread for each core, which costs a
# tenth of a second of CPU time on two cores. Nothing here multiplies matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
