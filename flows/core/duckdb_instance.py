"""DuckDB, started once in a process: this takes 20 times as long as attaching a file to it."""

from __future__ import annotations

import atexit
import os
from functools import lru_cache

import duckdb


# Two: one for the warehouse, one for the scans of reports.
@lru_cache(maxsize=2)
def instance(**settings: str) -> duckdb.DuckDBPyConnection:
    """Return the instance of DuckDB with these settings, which hold for all its connections.

    Take a cursor of it for each use: a connection is for one thread.
    """
    return duckdb.connect(config=dict(settings))


# It has threads, which a forked process lacks and cannot end.
os.register_at_fork(before=instance.cache_clear)
# DuckDB reports what is left when the interpreter ends.
atexit.register(instance.cache_clear)
