"""Opens DuckDB files as a user would, without the code under test."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import duckdb

_NAMES = map("file_{}".format, count())


@contextmanager
def attached(
    file: Path | str = ":memory:", read_only: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to a file, which is created, or to a database in memory."""
    name, literal = next(_NAMES), str(file).replace("'", "''")
    duck = _instance()
    with duck.cursor() as db:
        db.execute(f"ATTACH '{literal}' AS {name} {'(READ_ONLY)' if read_only else ''}")
    try:
        with duck.cursor() as db:
            db.execute(f"USE {name}")
            yield db
    finally:
        with duck.cursor() as db:
            db.execute(f"DETACH {name}")


@cache
def _instance() -> duckdb.DuckDBPyConnection:
    """Start DuckDB once: this takes 20 times as long as attaching a file."""
    return duckdb.connect()


os.register_at_fork(before=_instance.cache_clear)
atexit.register(_instance.cache_clear)
