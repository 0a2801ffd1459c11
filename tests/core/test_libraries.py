"""Arrow and numpy read the settings that `core` chooses before they are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import core

ALLOCATOR = "import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
THREADS = "import os, numpy; print(len(os.listdir('/proc/self/task')))"
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def printed(code: str, **variables: str) -> str:
    chosen = ("ARROW_DEFAULT_MEMORY_POOL", "OPENBLAS_NUM_THREADS")
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
