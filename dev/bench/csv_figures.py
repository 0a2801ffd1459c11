"""Compare the conversion of CSV files with DuckDB's, Polars' and PyArrow's own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from figure import Figure

BENCH = Path(__file__).parent
#: Python of the environment that `make bench` creates from peers-requirements.txt.
PEERS = Path(sys.prefix, "peers", "bin", "python")
_PLAIN_ROWS = 1_000_000


def figures(month: Path, folder: Path, rounds: int) -> Iterator[Figure]:
    """Yield ratios for a published month and for a plain file of ten columns.

    Args:
        month: a published csv.gz.
        folder: where the files are written.
        rounds: how often each way is measured; the ways are interleaved.
    """
    measured = _measured(month, folder, rounds, ("ours", "duckdb", "polars", "pyarrow"))
    yield from _against(measured, "csv.gz", "ours", "seconds", 0.85)
    yield from _against(measured, "csv.gz", "ours", "cpu", 0.85)
    yield from _against(measured, "csv.gz", "ours", "whole", 1.0)
    plain = _measured(_plain(folder), folder, rounds, ("ours_plain", "duckdb", "polars", "pyarrow"))
    yield from _against(plain, "plain csv", "ours_plain", "seconds", 1.1)
    yield from _on_cores(month, folder, rounds)


def _on_cores(month: Path, folder: Path, rounds: int, many: int = 8) -> Iterator[Figure]:
    """Yield the idle time of one of two cores, and what many cores gain or can gain at most.

    The serial part, in which only one core works, takes at most the idle time. If there are too few
    cores, the CPU time of the busiest of many threads is the least time that a month can take.
    """
    enough = len(os.sched_getaffinity(0)) >= many
    runs = [("ours", "2"), ("ours", str(many)), ("duckdb", str(many))]
    runs = runs if enough else [("ours", "2"), ("ours", "busiest")]
    found: defaultdict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        for way, how in runs:
            threads = {"TRIPS_THREADS": str(many)} if how == "busiest" else {}
            found[way, how].append(_run(way, month, folder, "warm", how, more=threads))
    idle = statistics.median(2 * run["seconds"] - run["cpu"] for run in found["ours", "2"])
    yield Figure("csv.gz, on two cores: a core idle", idle, "s", "<= 0.25", idle <= 0.25)
    median = {run: statistics.median(r["seconds"] for r in found[run]) for run in runs}
    if enough:
        gain = median["ours", str(many)] / median["ours", "2"]
        peer = median["ours", str(many)] / median["duckdb", str(many)]
        yield Figure(f"csv.gz, on {many} cores: of two", gain, "x", "<= 0.5", gain <= 0.5)
        yield Figure(f"csv.gz, on {many} cores: of DuckDB's", peer, "x", "<= 0.6", peer <= 0.6)
    else:
        busiest = statistics.median(run["cpu"] for run in found["ours", "busiest"])
        least = busiest / median["ours", "2"]
        yield Figure(f"csv.gz, the busiest of {many} threads", busiest, "s", "", ok=True)
        yield Figure("csv.gz, the least on many cores: of two", least, "x", "<= 0.5", least <= 0.5)


def _against(
    measured: Mapping[str, Mapping[str, float]], file: str, ours: str, what: str, most: float
) -> Iterator[Figure]:
    named = {"seconds": "warm", "cpu": "CPU", "whole": "whole process"}[what]
    for way, found in measured.items():
        label = "ours" if way == ours else way
        yield Figure(f"{file} -> Parquet, {named}: {label}", found[what], "s", "", ok=True)
    ratio = measured[ours][what] / measured["duckdb"][what]
    yield Figure(f"{file}, {named}: of DuckDB's", ratio, "x", f"<= {most}", ratio <= most)


def _measured(
    source: Path, folder: Path, rounds: int, ways: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return the medians of each way, warm in one process and as a whole process."""
    found: dict[str, dict[str, list[float]]] = {way: defaultdict(list) for way in ways}
    for _ in range(rounds):
        for way in ways:
            warm = _run(way, source, folder, "warm")
            found[way]["seconds"].append(warm["seconds"])
            found[way]["cpu"].append(warm["cpu"])
            started = time.perf_counter()
            _run(way, source, folder)
            found[way]["whole"].append(time.perf_counter() - started)
    return {
        way: {what: statistics.median(values) for what, values in each.items()}
        for way, each in found.items()
    }


def _run(
    way: str, source: Path, folder: Path, *how: str, more: Mapping[str, str] = MappingProxyType({})
) -> dict[str, float]:
    python = str(PEERS) if way == "polars" else sys.executable
    command = [python, str(BENCH / "ways.py"), way, str(source), str(folder), *how]
    environment = {**os.environ, "TRIPS_DATASETS": str(BENCH / "plain"), **more}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _plain(folder: Path) -> Path:
    """Write a plain CSV file of times, numbers and texts, some of them repeated."""
    path = folder / "plain.csv"
    with path.open("w") as file:
        file.write("at,a,b,c,d,e,f,g,h,i\n")
        for n in range(_PLAIN_ROWS):
            second = n * 2678399 // _PLAIN_ROWS
            day, rest = divmod(second, 86400)
            at = f"2020-03-{day + 1:02} {rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
            numbers = f"{n % 10000 * 0.13:.2f},{n % 100000 * 0.17:.2f},{n % 333 * 0.3:.1f}"
            file.write(
                f"{at},{n},{n * 7 % 1000},{numbers},Name {n % 50},Place {n % 300},{n % 7},"
                f"X{n % 11}\n"
            )
    return path
