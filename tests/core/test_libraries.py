"""Arrow, numpy and glibc take the settings that `core` chooses before others are imported."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

import core

ALLOCATOR = "import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
THREADS = "import os, numpy; print(len(os.listdir('/proc/self/task')))"
#: Prints what glibc says about its heaps while four threads live that have allocated.
HEAPS = """
import core, ctypes, threading
allocated, printed = threading.Barrier(5), threading.Barrier(5)

def allocate():
    kept = bytes(4096)
    allocated.wait()
    printed.wait()

for _ in range(4):
    threading.Thread(target=allocate).start()
allocated.wait()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
printed.wait()
"""
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
WITH_GLIBC = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="needs glibc")


def printed(code: str, **variables: str) -> str:
    chosen = ("ARROW_DEFAULT_MEMORY_POOL", "MALLOC_ARENA_MAX", "OPENBLAS_NUM_THREADS")
    unset = {name: value for name, value in os.environ.items() if name not in chosen}
    command = [sys.executable, "-c", code]
    environment = unset | {"PYTHONPATH": str(Path(core.__file__).parents[1])} | variables
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()


@ON_LINUX
@pytest.mark.parametrize("module", ["monthly.convert.to_parquet", "row_groups.rewrite"])
def test_arrow_allocates_with_jemalloc(module: str) -> None:
    assert printed(f"import {module}; {ALLOCATOR}") == "jemalloc"


def test_the_variable_of_arrow_takes_precedence() -> None:
    code = f"import monthly.convert.to_parquet; {ALLOCATOR}"
    assert printed(code, ARROW_DEFAULT_MEMORY_POOL="system") == "system"


@ON_LINUX
def test_numpy_starts_no_threads_for_matrices() -> None:
    assert printed(f"import core; {THREADS}") == "1"
    assert printed(f"import core; {THREADS}", OPENBLAS_NUM_THREADS="2") == "2"


@WITH_GLIBC
def test_threads_share_one_heap() -> None:
    assert printed(HEAPS).count("<heap nr=") == 1
    assert printed(HEAPS, MALLOC_ARENA_MAX="3").count("<heap nr=") == 3
