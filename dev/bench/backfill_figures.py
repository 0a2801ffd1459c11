"""Measure parent runs over many small months: memory, and the cost of a month beyond its data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

BENCH = Path(__file__).parent
PARENT = BENCH.parents[1] / "flows" / "parameterized_flow.py"
NOOP = [str(BENCH / "noop.py")]
_MONTHS = {12: "2012-01:2012-12", 108: "2012-01:2020-12", 200: "2009-01:2025-08"}


def figures(folder: Path) -> Iterator[Figure]:
    """Yield seconds a month and peak memory of runs on threads, and the seconds of a plan.

    Each runs once: the long run takes minutes, which evens out other load on the machine.

    Args:
        folder: where the runs keep their files.
    """
    home = folder / "backfill"
    home.mkdir()
    timed(NOOP, home)  # creates Prefect's database
    nothing, planned = timed(NOOP, home), timed(parent(200, "--plan"), home)
    year, nine = timed(parent(12), home), timed(parent(108), home)
    month = (nine["seconds"] - year["seconds"]) / 96
    yield Figure("backfill of small months, a month", month, "s", "<= 0.7", month <= 0.7)
    yield Figure("backfill: memory at 12 months", year["peak_mb"], "MB", "", ok=True)
    growth = nine["peak_mb"] / year["peak_mb"]
    yield Figure("backfill: memory at 108 over 12", growth, "x", "<= 1.1", growth <= 1.1)
    plan = planned["seconds"] - nothing["seconds"]
    yield Figure("--plan of 200, more than a no-op", plan, "s", "<= 6", plan <= 6)


def parent(months: int, *more: str) -> list[str]:
    """Return the command of a parent run over small months."""
    small = ("--color", "yellow", "--source", "sample:500", "--months", _MONTHS[months])
    return [str(PARENT), *small, *more]


def timed(command: list[str], home: Path, **more: str) -> dict[str, float]:
    """Run a command with its own bucket and warehouse; return its time, CPU and peak memory."""
    with tempfile.TemporaryDirectory(dir=home) as place:
        environment = os.environ | {
            "PREFECT_HOME": str(home / "prefect"),
            "TRIPS_DATA": place,
            "TRIPS_SCRATCH": f"{place}/scratch",
            "PYTHONWARNINGS": "ignore",
            **more,
        }
        measured = [sys.executable, str(BENCH / "timed.py"), sys.executable, *command]
        done = subprocess.run(measured, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
