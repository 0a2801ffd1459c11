"""Save the embedded bucket and warehouse, `zoom`, with absolute paths in this project."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from settings import PROJECT, Settings

from block_specs import Blocks, BlockSpec, main

from orchestration.embedded_blocks import DuckDBWarehouse, LocalBucket  # isort: skip - settings: flows/ on path
from core.disk import free_space, nearest  # isort: skip


def blocks(settings: Settings) -> Blocks:
    """Yield blocks for the flows' default location, the same from every folder and clone."""
    data = Path(settings.get("TRIPS_DATA", str(PROJECT / "data"))).expanduser()
    yield "zoom", LocalBucket(folder=str(data / "bucket"))
    yield "zoom", DuckDBWarehouse(path=str(data / "trips.duckdb"), memory_limit="1GB")


def check(block: LocalBucket | DuckDBWarehouse) -> str:
    """Check that the folder is writable, or can be created."""
    path = Path(block.folder if isinstance(block, LocalBucket) else block.path)
    there = nearest(path)
    if not os.access(there, os.W_OK):
        raise PermissionError(f"{there} cannot be written to")
    return f"{path}, {free_space(path)}"


SPEC = BlockSpec((), blocks, {"local-bucket/zoom": check, "duckdb-warehouse/zoom": check})

if __name__ == "__main__":
    sys.exit(main([SPEC]))
