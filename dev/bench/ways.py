"""Do a job in one way, alone in its process, which measures its time and peak memory.

    python dev/bench/ways.py WAY SOURCE TARGET_FOLDER [warm] [busiest] [CORES]

Prints seconds of work and of CPU (of a second pass if warm), peak memory in MB and rows as JSON.
With `busiest`, the seconds of CPU are those of the busiest thread. With a number of cores, the
process is bound to that many.
"""

from __future__ import annotations

import gc
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from thread_times import busiest_thread

sys.path.insert(0, str(Path(__file__).parents[2] / "flows"))


def zoomcamp(source: Path, target: Path) -> Callable[[], int]:
    """Convert as week 2 of the course does: pandas, dates parsed afterwards, gzip Parquet."""
    import pandas as pd

    def work() -> int:
        frame = pd.read_csv(source)
        for column in ("tpep_pickup_datetime", "tpep_dropoff_datetime"):
            frame[column] = pd.to_datetime(frame[column])
        frame.to_parquet(target / "zoomcamp.parquet", compression="gzip")
        return len(frame)

    return work


def ours(source: Path, target: Path) -> Callable[[], int]:
    """Convert as this project does, with checks, counts and the quality report."""
    from monthly.convert.to_parquet import convert
    from monthly.month import Month

    return lambda: convert(Month("yellow", 2021, 1), source, target).rows_written


def ours_plain(source: Path, target: Path) -> Callable[[], int]:
    """Convert the plain file of `csv_figures`, which is declared in the folder TRIPS_DATASETS."""
    from monthly.convert.to_parquet import convert
    from monthly.month import Month

    return lambda: convert(Month("plain", 2020, 3), source, target).rows_written


def duckdb(source: Path, target: Path) -> Callable[[], int]:
    """Convert as DuckDB does by default: types guessed, zstd."""
    from duckdb import connect

    database = connect()
    database.execute("SET enable_progress_bar = false")  # a progress bar would mix with the output
    copy = (
        f"COPY (FROM read_csv_auto('{source}')) TO '{target}/duckdb.parquet' "
        "(FORMAT parquet, COMPRESSION zstd)"
    )

    def work() -> int:
        written = database.execute(copy).fetchall()
        return int(written[0][0])

    return work


def pyarrow(source: Path, target: Path) -> Callable[[], int]:
    """Convert as PyArrow does by default: types guessed, the whole file in memory, zstd."""
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    def work() -> int:
        table = pa_csv.read_csv(source)
        pq.write_table(table, target / "pyarrow.parquet", compression="zstd")
        return int(table.num_rows)

    return work


def polars(source: Path, target: Path) -> Callable[[], int]:
    """Convert as Polars does by default: types and times guessed, zstd."""
    import polars as pl

    def work() -> int:
        table = pl.read_csv(source, try_parse_dates=True)
        table.write_parquet(target / "polars.parquet", compression="zstd")
        return int(table.height)

    return work


def gunzip(source: Path, target: Path) -> Callable[[], int]:
    """Decompress only, with isal; a floor."""
    from isal import igzip

    def work() -> int:
        with igzip.open(source, "rb") as file:
            return sum(len(chunk) for chunk in iter(lambda: file.read(1 << 20), b""))

    return work


def parse(source: Path, target: Path) -> Callable[[], int]:
    """Parse only, on one thread, from memory, with declared types; a floor."""
    import pyarrow.csv as pa_csv
    from isal import igzip

    with igzip.open(source, "rb") as file:
        data = file.read()
    read = pa_csv.ReadOptions(use_threads=False, block_size=1 << 20)

    def work() -> int:
        reader = pa_csv.open_csv(io.BytesIO(data), read, convert_options=_declared(data))
        return sum(batch.num_rows for batch in reader)

    return work


def write(source: Path, target: Path) -> Callable[[], int]:
    """Write only, from a canonical table in memory, as the conversion does; a floor."""
    import pyarrow.parquet as pq

    from core.parquet import write_row_groups
    from monthly.convert.to_parquet import ROW_GROUP_ROWS, convert
    from monthly.month import Month

    table = pq.read_table(convert(Month("yellow", 2021, 1), source, target).path)
    batches = table.to_batches(max_chunksize=16_384)

    def work() -> int:
        write_row_groups(target / "write.parquet", table.schema, batches, ROW_GROUP_ROWS)
        return int(table.num_rows)

    return work


def _declared(data: bytes) -> object:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    from monthly.columns import fold
    from monthly.datasets import DATASETS

    known = DATASETS["yellow"].known_names
    names = data[: data.index(b"\n")].decode().strip().split(",")
    types: dict[str, pa.DataType] = {n: known[fold(n)].arrow for n in names}
    return pa_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)


Way = Callable[[Path, Path], Callable[[], int]]


def main(ways: Mapping[str, Way]) -> None:
    """Prepare one of the ways, then measure its work alone."""
    for cores in filter(str.isdecimal, sys.argv[4:]):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
    seldom_collected()
    work = ways[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    if "warm" in sys.argv[4:]:
        work()
    with (busiest_thread if "busiest" in sys.argv[4:] else _process)() as cpu_seconds:
        started = time.perf_counter()
        rows = work()
        seconds, cpu = time.perf_counter() - started, cpu_seconds()
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": _peak_mb(), "rows": rows}))


@contextmanager
def _process() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the CPU seconds of this process since the start."""
    before = time.process_time()
    yield lambda: time.process_time() - before


def seldom_collected() -> None:
    """Collect reference cycles as rarely as `orchestration.cli` does for flows."""
    gc.freeze()
    gc.set_threshold(50_000)


def _peak_mb() -> float:
    """Return this process's peak memory; getrusage starts from that of the parent process."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) / 1024


if __name__ == "__main__":
    main(
        {
            way.__name__: way
            for way in (zoomcamp, ours, ours_plain, duckdb, polars, pyarrow, gunzip, parse, write)
        }
    )
