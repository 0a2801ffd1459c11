"""Compare a parent run over twelve full-size months with their conversions and loads alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from backfill_figures import NOOP, PARENT, timed
from duckdb_ways import YEAR
from figure import Figure
from monthly.month import Month
from monthly.sample import write_sample

BENCH = Path(__file__).parent


def figures(folder: Path, rows: int) -> Iterator[Figure]:
    """Yield the seconds of twelve months: as a parent run, and as conversions and loads alone.

    Each is measured once: a year takes half a minute, which evens out other load on the machine.

    Args:
        folder: where the files are written.
        rows: the number of rows in each month.
    """
    home, published = folder / "year", folder / "year" / "published"
    published.mkdir(parents=True)
    with ProcessPoolExecutor() as processes:
        list(processes.map(partial(_write, published, rows), YEAR))
    timed(NOOP, home)  # creates Prefect's database
    nothing = timed(NOOP, home)["seconds"]
    alone = _alone(published, home)
    lean, full = (timed(_parent(published, *more), home) for more in (["--no-report"], []))
    yield Figure("twelve months: conversions and loads", alone, "s", "", ok=True)
    yield Figure("twelve months: a run without reports", lean["seconds"], "s", "", ok=True)
    yield Figure("twelve months: a run", full["seconds"], "s", "", ok=True)
    yield Figure("twelve months: memory of a run", full["peak_mb"], "MB", "", ok=True)
    beyond = (full["seconds"] - nothing) / alone
    yield Figure("a run beyond a no-op, of the data alone", beyond, "x", "", ok=True)
    ratio = full["seconds"] / alone
    yield Figure("a run, of the data alone", ratio, "x", "<= 1.15", ratio <= 1.15)


def _write(folder: Path, rows: int, month: Month) -> None:
    write_sample(month, folder / f"{month.stem}.csv.gz", rows)


def _alone(published: Path, home: Path) -> float:
    command = [sys.executable, str(BENCH / "duckdb_ways.py"), "year", str(published), str(home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["seconds"])


def _parent(published: Path, *more: str) -> list[str]:
    source = f"file://{published}/{{color}}_tripdata_{{year}}-{{month:02}}.csv.gz"
    months = f"{YEAR[0].year_month}:{YEAR[-1].year_month}"
    return [str(PARENT), "--color", "yellow", "--months", months, "--source", source, *more]
