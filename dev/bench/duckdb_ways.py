"""Fill a table of a DuckDB file in one way, alone in its process.

python dev/bench/duckdb_ways.py WAY SOURCE FOLDER

Prints seconds of work, CPU seconds, peak memory in MB and rows as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2] / "flows"))

import duckdb

import ways
from monthly.month import Month
from monthly.warehouses import duckdb as warehouse
from monthly.warehouses.duckdb_opening import opened
from postgres_ways import converted

MONTH = Month("yellow", 2021, 1)
YEAR = [Month("yellow", 2021, number) for number in range(1, 13)]
#: Number of processes that load into one file at once, and of loads by each.
RUNS, LOADS = 3, 3
MEMORY = warehouse.DuckDBFile.memory_limit


def insert(source: Path, folder: Path) -> Callable[[], int]:
    """Insert the converted month into a table of a new file, with no check; a floor."""
    _, parquet = converted(MONTH, source, folder)
    path = folder / "insert.duckdb"
    path.unlink(missing_ok=True)

    def work() -> int:
        """Create the table, insert, and return the number of rows."""
        with duckdb.connect(str(path)) as db:
            db.execute("SET memory_limit = ?", [MEMORY])
            db.execute(f"CREATE TABLE trips AS FROM read_parquet('{parquet}') LIMIT 0")
            done = db.execute(f"INSERT INTO trips FROM read_parquet('{parquet}')").fetchall()
        return int(done[0][0])

    return work


def load(source: Path, folder: Path) -> Callable[[], int]:
    """Load as the flows do: tables, the month, its count, its ledger row."""
    path = folder / "load.duckdb"
    path.unlink(missing_ok=True)
    return _load(path, source, folder)


def again(source: Path, folder: Path) -> Callable[[], int]:
    """Replace the month that `load` has loaded."""
    return _load(folder / "load.duckdb", source, folder)


def beside(source: Path, folder: Path) -> Callable[[], int]:
    """Load repeatedly into the file of `load`, as other processes do, and note the times."""
    parts = folder / f"{os.getpid()}"
    parts.mkdir()
    work, times = _load(folder / "load.duckdb", source, parts), list[list[float]]()

    @contextmanager
    def noted(what: str, path: Path, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file as the flows do, and note when it was asked for, opened and closed."""
        asked = time.monotonic()
        with opened(what, path, read_only) as db:
            start = time.monotonic()
            yield db
        times.append([asked, start, time.monotonic()])

    def all_of_them() -> int:
        """Load once every process is ready; write the times to a file and return the rows."""
        (folder / f"ready-{os.getpid()}").touch()
        while len(list(folder.glob("ready-*"))) < RUNS:
            time.sleep(0.01)
        with patch.object(warehouse, "opened", noted):
            rows = sum(work() for _ in range(LOADS))
        (folder / f"times-{os.getpid()}.json").write_text(json.dumps(times))
        return rows

    return all_of_them


def year(source: Path, folder: Path) -> Callable[[], int]:
    """Convert and load twelve months one after another, outside a run: a floor.

    Args:
        source: the folder with the published months.
        folder: where the files are written.
    """
    target = warehouse.DuckDBFile(folder / "year.duckdb")

    def one(month: Month) -> int:
        """Convert and load a month, and return its number of rows."""
        entry, parquet = converted(month, source / f"{month.stem}.csv.gz", folder)
        rows = target.load(month, entry, parquet)
        parquet.unlink()
        return rows

    return lambda: sum(map(one, YEAR))


def _load(path: Path, source: Path, folder: Path) -> Callable[[], int]:
    entry, parquet = converted(MONTH, source, folder)
    return lambda: warehouse.DuckDBFile(path).load(MONTH, entry, parquet)


if __name__ == "__main__":
    ways.main({way.__name__: way for way in (insert, load, again, beside, year)})
