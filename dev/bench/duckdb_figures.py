"""Compare loads into a DuckDB file with INSERT alone, and measure how long runs wait."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from duckdb_ways import RUNS
from figure import Figure

#: Requests less than this many seconds apart may be served in any order.
AT_ONCE = 0.05
WAYS = Path(__file__).with_name("duckdb_ways.py")


def figures(source: Path, folder: Path, rounds: int) -> Iterable[Figure]:
    """Yield all figures of DuckDB files.

    Args:
        source: the published file.
        folder: where the files are written.
        rounds: how often each way is measured; the ways are interleaved.
    """
    place = folder / "duckdb"
    place.mkdir()
    yield from _loads(source, place, rounds)
    beyond = _waits(source, place)
    yield Figure("DuckDB: wait beyond the loads ahead", beyond, "load", "<= 0.1", beyond <= 0.1)


def _loads(source: Path, folder: Path, rounds: int) -> Iterator[Figure]:
    found: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        for way in ("insert", "load", "again"):
            done = subprocess.run(
                _command(way, source, folder), check=True, capture_output=True, text=True
            )
            found[way].append(json.loads(done.stdout))
    median = {way: statistics.median(r["seconds"] for r in runs) for way, runs in found.items()}
    yield Figure("Parquet -> DuckDB: INSERT alone", median["insert"], "s", "", ok=True)
    yield Figure("Parquet -> DuckDB: ours", median["load"], "s", "", ok=True)
    slower, again = median["load"] / median["insert"], median["again"] / median["insert"]
    yield Figure("DuckDB: a month, of INSERT alone", slower, "x", "<= 1.2", slower <= 1.2)
    yield Figure("DuckDB: a month again, of INSERT alone", again, "x", "<= 1.2", again <= 1.2)


def _waits(source: Path, folder: Path) -> float:
    """Load in several processes at once; return the longest wait beyond loads ahead, in loads."""
    running = [
        subprocess.Popen(_command("beside", source, folder), stdout=subprocess.DEVNULL)
        for _ in range(RUNS)
    ]
    ended = [run.wait() for run in running]
    if any(ended):
        sys.exit("one of several concurrent loads failed")
    loads: list[list[float]] = [
        t for path in folder.glob("times-*.json") for t in json.loads(path.read_text())
    ]
    seconds: float = statistics.median(closed - start for _, start, closed in loads)
    return max(_beyond(loads)) / seconds


def _beyond(loads: Sequence[Sequence[float]]) -> list[float]:
    """Return how long each load waited once all ahead of it, which asked before or with it, ended.

    Args:
        loads: when each one asked for the file, opened it and closed it.
    """
    return [
        start - max([asked, *(c for a, s, c in loads if s < start and a < asked + AT_ONCE)])
        for asked, start, _ in loads
    ]


def _command(way: str, source: Path, folder: Path) -> list[str]:
    return [sys.executable, str(WAYS), way, str(source), str(folder)]
