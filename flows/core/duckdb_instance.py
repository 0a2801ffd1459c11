"""One DuckDB instance per process: starting one takes 20 times as long as attaching a file."""

from __future__ import annotations

import atexit
import os
from functools import lru_cache

import duckdb


# Two: one for the warehouse, one for the scans of reports.
@lru_cache(maxsize=2)
def instance(**settings: str) -> duckdb.DuckDBPyConnection:
    """Return the DuckDB instance with these settings, which apply to all its connections.

    Open a cursor for each use: a connection must not be shared between threads.
    """
    # DuckDB before 2.0 may answer from its cache although the file has been rewritten.
    return duckdb.connect(config={**settings, "enable_external_file_cache": "false"})


# DuckDB starts threads; a forked child does not inherit them, and hangs trying to join them.
os.register_at_fork(before=instance.cache_clear)
# DuckDB reports any of its objects that are alive at interpreter exit as leaks.
atexit.register(instance.cache_clear)
