"""Arrow takes its memory from the allocator that `core` chooses before it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import core

PRINT = "import {module}, pyarrow; print(pyarrow.default_memory_pool().backend_name)"


def allocator_of(module: str, **variables: str) -> str:
    unset = {n: v for n, v in os.environ.items() if n != "ARROW_DEFAULT_MEMORY_POOL"}
    flows = str(Path(core.__file__).parents[1])
    command = [sys.executable, "-c", PRINT.format(module=module)]
    environment = unset | {"PYTHONPATH": flows} | variables
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep Arrow's own choice")
@pytest.mark.parametrize("module", ["monthly.convert.to_parquet", "row_groups.rewrite"])
def test_jemalloc_on_linux(module: str) -> None:
    assert allocator_of(module) == "jemalloc"


def test_the_variable_of_arrow_takes_precedence() -> None:
    found = allocator_of("monthly.convert.to_parquet", ARROW_DEFAULT_MEMORY_POOL="system")
    assert found == "system"
