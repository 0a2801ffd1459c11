"""Measure speed and memory as ratios within one run: against the naive way and against the floor.

    make bench

Every way runs alone in a fresh process. Rounds are interleaved, so that a slow minute of the
machine hits all ways alike, and figures are medians. The table is also written as JSON and added
to the machine's history; the output ends with what became worse since the last run.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

BENCH = Path(__file__).parent
PROJECT = BENCH.parents[1]
sys.path[:0] = [str(PROJECT / "flows"), str(PROJECT / "dev")]

import backfill_figures  # noqa: E402 - flows/ and dev/ are on the path only now
import csv_figures  # noqa: E402
import duckdb_figures  # noqa: E402
import fan_out_figures  # noqa: E402
import past_runs  # noqa: E402
import postgres_figures  # noqa: E402
import row_group_figures  # noqa: E402
import server_figures  # noqa: E402
import verify_figures  # noqa: E402
import year_figures  # noqa: E402
from figure import Figure  # noqa: E402
from monthly.month import Month  # noqa: E402
from monthly.sample import write_sample  # noqa: E402

#: Rows of yellow 2021-01, the month that the zoomcamp loads.
ROWS = 1_369_765
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
RESULT = PROJECT / "build" / "bench.json"
#: In data/, which `make clean` keeps.
HISTORY = PROJECT / "data" / "bench-history.jsonl"
MONTH = Month("yellow", 2021, 1)


def main() -> None:
    """Generate the months, measure, print and record the figures; fail if a target is missed."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # imports are compiled on the first run only
    for name in ("ARROW_DEFAULT_MEMORY_POOL", "OPENBLAS_NUM_THREADS"):
        os.environ.pop(name, None)  # `core` sets them for our ways only
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        sources = {times: _sample(folder, times) for times in (1, 4, 10)}
        measured = (
            _conversion(sources[1], folder),
            csv_figures.figures(sources[1], folder, ROUNDS),
            _memory(sources, folder),
            _processes(sources[1], folder),
            postgres_figures.figures(sources, ROWS, ROUNDS),
            backfill_figures.figures(folder),
            server_figures.figures(folder),
            year_figures.figures(folder, ROWS),
            duckdb_figures.figures(sources[1], folder, ROUNDS),
            fan_out_figures.figures(sources[1], folder, ROUNDS),
            row_group_figures.figures(folder, ROUNDS),
            verify_figures.figures(sources[1], folder, ROUNDS),
        )
        figures = [_printed(figure) for group in measured for figure in group]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"machine": _machine(), "figures": [asdict(f) for f in figures]}))
    machine = past_runs.machine_name()
    for line in past_runs.worse(figures, past_runs.last_run(HISTORY, machine)):
        print(line)
    past_runs.append(HISTORY, time.strftime("%Y-%m-%dT%H:%M:%S%z"), machine, figures)
    if not all(figure.ok for figure in figures):
        sys.exit("a target was missed")


def _sample(folder: Path, times: int) -> Path:
    path = folder / f"{times}x" / f"{MONTH.stem}.csv.gz"
    path.parent.mkdir()
    write_sample(MONTH, path, ROWS * times)
    return path


def _conversion(source: Path, folder: Path) -> Iterable[Figure]:
    """Yield csv.gz to Parquet, against the course's way and the sum of the floors."""
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for way in ("zoomcamp", "gunzip", "parse", "write", "ours"):
            seconds[way].append(_way(way, source, folder)["seconds"])
    median = {way: statistics.median(values) for way, values in seconds.items()}
    for way, value in median.items():
        yield Figure(f"csv.gz -> Parquet: {way}", value, "s", "", ok=True)
    faster = median["zoomcamp"] / median["ours"]
    floors = median["gunzip"] + median["parse"] + median["write"]
    slower = median["ours"] / floors
    yield Figure("times as fast as the zoomcamp's way", faster, "x", ">= 8", faster >= 8)
    yield Figure("of its floors in series", slower, "x", "<= 1.2", slower <= 1.2)


def _memory(sources: dict[int, Path], folder: Path) -> Iterable[Figure]:
    """Yield the peak memory of the whole process at one, four and ten times the month.

    Conversions run on two threads, whatever the machine has, then on four, the most that parse.
    """
    peak = {times: _peak(source, folder, 2) for times, source in sources.items()}
    for times, value in peak.items():
        yield Figure(f"peak memory at {times}x", value, "MB", "<= 250", value <= 250)
    growth = peak[10] / peak[1]
    yield Figure("memory at 10x over 1x", growth, "x", "<= 1.15", growth <= 1.15)
    more = (_peak(sources[1], folder, 4) - peak[1]) / 2
    yield Figure("memory of each thread beyond two", more, "MB", "<= 40", more <= 40)


def _peak(source: Path, folder: Path, threads: int) -> float:
    """Return the median peak memory in MB of three conversions on this many threads."""
    return statistics.median(_way("ours", source, folder, threads)["peak_mb"] for _ in range(3))


def _processes(source: Path, folder: Path) -> Iterable[Figure]:
    """Yield whole commands against a flow that does nothing."""
    template = f"file://{source.parent}/{{color}}_tripdata_{{year}}-{{month:02}}.csv.gz"
    month = [str(PROJECT / "flows" / "etl_web_to_gcs.py"), "--source", template]
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    environment = os.environ | {
        "PREFECT_HOME": str(folder / "prefect"),
        "TRIPS_SCRATCH": str(folder / "scratch"),
    }
    _command([str(BENCH / "noop.py")], environment)  # creates Prefect's database
    for place in range(ROUNDS):
        place_of = environment | {"TRIPS_DATA": str(folder / f"data{place}")}
        for what, command in (("noop", [str(BENCH / "noop.py")]), ("new", month), ("same", month)):
            seconds[what].append(_command(command, place_of))
    median = {what: statistics.median(values) for what, values in seconds.items()}
    new, same = median["new"] - median["noop"], median["same"] - median["noop"]
    yield Figure("a flow that does nothing", median["noop"], "s", "", ok=True)
    yield Figure("a new month, more than that", new, "s", "<= 1.5", new <= 1.5)
    yield Figure("an unchanged month, more than that", same, "s", "<= 0.5", same <= 0.5)


def _way(way: str, source: Path, folder: Path, threads: int | None = None) -> dict[str, float]:
    target = folder / "out"
    target.mkdir(exist_ok=True)
    command = [sys.executable, str(BENCH / "ways.py"), way, str(source), str(target)]
    environment = os.environ | ({"TRIPS_THREADS": str(threads)} if threads else {})
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout)
    rows = ROWS * int(source.parent.name.removesuffix("x"))
    if way != "gunzip" and found["rows"] != rows:
        sys.exit(f"{way} counted {found['rows']} rows, not {rows}")
    return found


def _command(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        check=True,
        capture_output=True,
        env=environment,
    )
    return time.perf_counter() - started


def _printed(figure: Figure) -> Figure:
    """Print a figure at once, because the next one may fail; return it."""
    mark = "" if not figure.target else ("ok" if figure.ok else "MISSED")
    value = f"{figure.value:9.2f} {figure.unit}"
    print(f"{figure.what:<42}{value:<14}{figure.target:<9}{mark}", flush=True)
    return figure


def _machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "rounds": ROUNDS,
        "rows": ROWS,
    }


if __name__ == "__main__":
    main()
