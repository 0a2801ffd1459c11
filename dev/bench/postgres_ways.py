"""Fill a PostgreSQL table in one way, alone in its process.

python dev/bench/postgres_ways.py WAY URL SOURCE FOLDER

Prints seconds of work, peak memory in MB and rows as JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2] / "flows"))

from ways import seldom_collected

if TYPE_CHECKING:
    from monthly.ledger import Entry
    from monthly.month import Month

CHUNK_ROWS = 100_000
Work = Callable[[], int]


def zoomcamp(url: str, source: Path, folder: Path) -> Work:
    """Load as week 1 of the course does: pandas in chunks, dates parsed afterwards, to_sql."""
    import pandas as pd
    from sqlalchemy import create_engine

    engine = create_engine(url)

    def work() -> int:
        file, rows = shutil.copy(source, folder / "output.csv.gz"), 0
        for chunk in pd.read_csv(file, iterator=True, chunksize=CHUNK_ROWS):
            for column in ("tpep_pickup_datetime", "tpep_dropoff_datetime"):
                chunk[column] = pd.to_datetime(chunk[column])
            chunk.to_sql("zoomcamp", engine, if_exists="append" if rows else "replace")
            rows += len(chunk)
        return rows

    return work


def ours(url: str, source: Path, folder: Path) -> Work:
    """Load as ingest_data does: download, convert while copying, with all checks."""
    from sqlalchemy.engine import make_url

    from monthly.convert.readings import Rules
    from monthly.convert.rows import Rows
    from monthly.sources import download, look
    from monthly.warehouses.postgres_connection import postgres_at

    month, warehouse = _month(), postgres_at(make_url(url), {})  # opens no connection yet

    def work() -> int:
        found = download(look(str(source), month), folder)
        with Rows(month, found.path, folder, Rules()) as rows:
            return warehouse.ingest(rows, found).rows_written

    return work


def load(url: str, source: Path, folder: Path) -> Work:
    """Load the converted file only: a new table, COPY, swap, ledger."""
    month = _month()
    return _load(url, month, *converted(month, source, folder))


def reader(url: str, source: Path, folder: Path) -> Work:
    """Run short queries until stdin closes; return the longest, in microseconds."""
    import threading

    import psycopg2
    from sqlalchemy.engine import make_url

    told = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        told.set()

    db = psycopg2.connect(make_url(url).set(drivername="postgresql").render_as_string(False))
    db.autocommit = True

    def work() -> int:
        threading.Thread(target=listen, daemon=True).start()
        longest = 0.0
        print("reading", flush=True)
        with db.cursor() as sql:
            while not told.is_set():
                started = time.perf_counter()
                sql.execute("SELECT total_amount FROM yellow_trips LIMIT 1")
                longest = max(longest, time.perf_counter() - started)
        return int(longest * 1e6)

    return work


def _month() -> Month:
    from monthly.month import Month

    return Month("yellow", 2021, 1)


def converted(month: Month, source: Path, folder: Path) -> tuple[Entry, Path]:
    """Return the month's ledger entry and its file, converted into the folder."""
    from core.download.remote_file import Download
    from monthly.convert.to_parquet import convert
    from monthly.ledger import entry_of

    target = folder / "converted"
    target.mkdir(exist_ok=True)
    found = convert(month, source, target)
    download = Download(month, source, source.as_uri(), source.stat().st_size, "", None, None)
    return entry_of(month, download, found), found.path


def _load(url: str, month: Month, entry: Entry, parquet: Path) -> Work:
    from sqlalchemy.engine import make_url

    from monthly.warehouses.postgres_connection import postgres_at

    return lambda: postgres_at(make_url(url), {}).load(month, entry, parquet)


def _peak_mb() -> float:
    """Return this program's peak memory; getrusage starts from that of the parent process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(found.split()[1]) / 1024


WAYS = {way.__name__: way for way in (zoomcamp, ours, load, reader)}


def main() -> None:
    """Prepare, then measure the work alone."""
    seldom_collected()
    work = WAYS[sys.argv[1]](sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    started = time.perf_counter()
    rows = work()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mb": _peak_mb(), "rows": rows}))


if __name__ == "__main__":
    main()
