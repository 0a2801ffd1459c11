"""Make Prefect's API cheap in tests: one migrated database, few certificates and connections.

Prefect runs more than a hundred migrations on an empty database, and each API client reads all
the certificates of this machine; no test talks to an API over TLS. Each request opens SQLite's
file in a new thread, and SQLite reads the whole schema.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import certifi
import pytest

_CREATE = """
import asyncio
from prefect.server.database.dependencies import provide_database_interface
asyncio.run(provide_database_interface().create_db())
"""
_END = "-----END CERTIFICATE-----\n"


def one_certificate(folder: Path) -> Path:
    """Write the first of the 150 or so certificates in certifi's bundle to a file."""
    bundle = Path(certifi.where()).read_text(encoding="utf-8")
    start = bundle.index("-----BEGIN CERTIFICATE-----")
    path = folder / "certificate.pem"
    path.write_text(bundle[start : bundle.index(_END) + len(_END)], encoding="utf-8")
    return path


@contextmanager
def connections_kept() -> Iterator[None]:
    """Let the API keep its connections to SQLite, as many as it uses at once."""
    from prefect.server.database import configurations
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import AsyncAdaptedQueuePool

    with pytest.MonkeyPatch.context() as patch:
        kept = partial(
            create_async_engine,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=0,
            pool_use_lifo=True,
        )
        patch.setattr(configurations, "create_async_engine", kept)
        yield


def copy_database(cache: Path, target: Path) -> None:
    """Copy an empty, migrated database to a path; the first caller creates it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers wait for the file until it is closed
        made = cache / "prefect.db"
        if not made.exists():
            _migrate(cache / "unfinished.db").rename(made)
        shutil.copyfile(made, target)


def _migrate(path: Path) -> Path:
    path.unlink(missing_ok=True)
    url = {"PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{path}"}
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CREATE], env=os.environ | url, check=True
    )
    return path
