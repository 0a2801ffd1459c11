"""Make Prefect's API cheap in tests: one migrated database and few certificates.

Prefect runs more than a hundred migrations on an empty database, and each API client reads all
the certificates of this machine; no test talks to an API over TLS.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import certifi

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
