"""Compare row groups of ten million for-hire trips with pandas, dask.dataframe and a plain read."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from figure import Figure
from monthly.month import Month
from monthly.sample import write_sample

WAYS = Path(__file__).with_name("row_groups_ways.py")
ROWS = 10_000_000
#: Rows that are generated; they are written repeatedly until the file is full.
GENERATED = 2_000_000
#: Rows of each published row group, uneven as in real files.
UNEVEN = (700_001, 1_200_000, 50_000, 400_000, 1_048_576, 7, 300_000)
MONTH = Month("fhvhv", 2021, 1)
#: Most rounds of each way: the others are slow, and far enough from this project's time.
ROUNDS = {"read": 3, "pandas": 2, "dask": 2, "ours": 3}


def figures(folder: Path, rounds: int) -> Iterable[Figure]:
    """Yield all figures of row groups.

    Args:
        folder: where the files are written; takes 1 GB.
        rounds: how often each way is measured; the ways are interleaved.
    """
    source = _published(folder)
    found: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    for turn in range(rounds):
        for way in (way for way, most in ROUNDS.items() if turn < most):
            found[way].append(_way(way, source, folder))
    seconds = {way: statistics.median(r["seconds"] for r in runs) for way, runs in found.items()}
    memory = {way: statistics.median(r["peak_mb"] for r in runs) for way, runs in found.items()}
    for way in found:
        yield Figure(f"row groups: {way}", seconds[way], "s", "", ok=True)
        yield Figure(f"row groups: {way}, peak memory", memory[way], "MB", "", ok=True)
    yield from _ratios(seconds, memory)


def _ratios(seconds: dict[str, float], memory: dict[str, float]) -> Iterator[Figure]:
    for other, name in (("pandas", "pandas"), ("dask", "dask.dataframe")):
        faster = seconds[other] / seconds["ours"]
        share = 100 * memory["ours"] / memory[other]
        yield Figure(f"row groups: times as fast as {name}", faster, "x", ">= 1.5", faster >= 1.5)
        yield Figure(f"row groups: of the memory of {name}", share, "%", "<= 15", share <= 15)
    slower = seconds["ours"] / seconds["read"]
    yield Figure("row groups: times a plain read", slower, "x", "<= 2", slower <= 2)
    peak = memory["ours"]
    yield Figure("row groups: peak memory of ours", peak, "MB", "<= 400", peak <= 400)


def _published(folder: Path) -> Path:
    """Write a file of 24 columns with uneven row groups."""
    plain, path = folder / "plain.parquet", folder / f"{MONTH.stem}.parquet"
    write_sample(MONTH, plain, GENERATED)
    table = pq.read_table(plain)
    with pq.ParquetWriter(path, table.schema) as out:
        left, start, sizes = ROWS, 0, cycle(UNEVEN)
        while left:
            size = min(next(sizes), left)
            group = pa.concat_tables([table.slice(start, size), table]).slice(0, size)
            out.write_table(group, row_group_size=size)
            left, start = left - size, (start + size) % GENERATED
    plain.unlink()
    return path


def _way(way: str, source: Path, folder: Path) -> dict[str, float]:
    target = folder / "row-groups"
    target.mkdir(exist_ok=True)
    command = [sys.executable, str(WAYS), way, str(source), str(target)]
    os.sync()  # no way pays for what the one before has left to write
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    if found["rows"] != ROWS:
        sys.exit(f"{way} counted {found['rows']} rows, not {ROWS}")
    return found
