"""Report the settings in use, where each comes from, and whether it answers.

python dev/doctor.py
"""

from __future__ import annotations

import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "flows"))

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect.settings import PREFECT_API_URL, PREFECT_HOME

from core.disk import free_space, nearest
from core.download.http import user_agent
from core.download.remote_file import without_secrets
from core.errors import TripsError, UsageError
from core.redaction import redacted
from core.scratch import refuse_foreign, scratch_root
from monthly.datasets import DATASETS
from orchestration import prefect_home, variables
from orchestration.block_registry import (
    BUCKET,
    BUCKET_SETTING,
    DATA,
    DATA_SETTING,
    SOURCE_SETTING,
    WAREHOUSE,
    WAREHOUSE_SETTING,
    folder_of,
    opened_bucket,
    opened_warehouse,
)
from orchestration.prefect_server import place_of_blocks, refuse_silent_server
from orchestration.variables import CONTACT, SCRATCH, setting

_PACKAGES = ("prefect", "pandas", "pyarrow", "duckdb", "sqlalchemy", "psycopg2-binary")
#: A key that no month uses.
_NO_KEY = "ledger/doctor.json"


def main() -> int:
    """Print a line for each part; return 1 if any does not answer, else 0."""
    warnings.simplefilter("ignore")  # Prefect's own, as it creates its database
    answers = True
    for name, what, ask in _parts():
        said, well = _asked(ask)
        answers &= well
        line = f"{'ok' if well else 'NO':3} {name:<10} {what}{f': {said}' if said else ''}"
        print(redacted(line))
    return 0 if answers else 1


def _parts() -> Iterator[tuple[str, str, Callable[[], str]]]:
    """Yield name, setting and check of each part; a check raises if nothing answers."""
    yield "python", f"{platform.python_version()} ({sys.executable})", str
    yield "versions", ", ".join(f"{name} {version(name)}" for name in _PACKAGES), str
    yield "home", f"{PREFECT_HOME.value()} ({_home_origin()})", str
    yield "server", f"{PREFECT_API_URL.value() or 'none, each run has its own'}", _server
    yield "blocks", place_of_blocks(), str
    yield "data", str(DATA_SETTING), lambda: _writable(DATA)
    yield "scratch", str(setting(replace(SCRATCH, default=str(scratch_root())))), _scratch
    own = setting(variables.DATASETS)
    yield "datasets", str(own) if own.value else "those of the project", _datasets
    source = without_secrets(SOURCE_SETTING.value) or "the first that a dataset declares"
    yield "source", f"{source} ({SOURCE_SETTING.why})", str
    yield "requests", f"as {user_agent()}", _requests
    yield "bucket", str(BUCKET_SETTING), _bucket
    yield "warehouse", str(WAREHOUSE_SETTING), _warehouse


def _asked(ask: Callable[[], str]) -> tuple[str, bool]:
    try:
        return ask(), True
    except Exception as error:  # any error of a client is shown as the answer
        name = "" if isinstance(error, TripsError) else type(error).__name__
        return " ".join(": ".join(filter(None, [name, str(error)])).split()), False


def _home_origin() -> str:
    if PREFECT_HOME.value() == prefect_home.HOME:
        return "the project's own"
    return "PREFECT_HOME" if "PREFECT_HOME" in os.environ else "your profile of Prefect"


def _server() -> str:
    refuse_silent_server()
    return "answers" if PREFECT_API_URL.value() else ""


def _scratch() -> str:
    refuse_foreign(scratch_root())
    return _writable(scratch_root())


def _writable(folder: Path) -> str:
    """Return the free space of a folder, which need not exist yet."""
    there = nearest(folder)
    if not there.is_dir():
        raise UsageError(f"{there} is a file, so there can be no folder {folder}; name another one")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"this user may not write into {there}; name another folder")
    return free_space(folder)


def _datasets() -> str:
    """Return the number of declared datasets; reading an invalid declaration raises."""
    return f"{len([*DATASETS.values()])} are declared"


def _requests() -> str:
    if setting(CONTACT).value:
        return ""
    return f"publishers cannot reach you; set {CONTACT.name} to a web or e-mail address"


def _bucket() -> str:
    refuse_silent_server()  # the database from which blocks are loaded
    opened = opened_bucket(BUCKET)
    opened.used.read(_NO_KEY)
    return f"{folder_of(opened.used)} answers ({opened.origin})"


def _warehouse() -> str:
    refuse_silent_server()
    opened = opened_warehouse(WAREHOUSE)
    months = [opened.used.loaded(dataset) for dataset in DATASETS]
    return f"{opened.used.name()} answers ({opened.origin}), {sum(map(len, months))} months"


if __name__ == "__main__":
    sys.exit(main())
