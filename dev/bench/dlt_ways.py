"""The published file into PostgreSQL by dlt, which has a Python environment of its own.

python dev/bench/dlt_ways.py WAY URL SOURCE FOLDER

Either way by its quickest target, Parquet that ADBC sends as a binary COPY (CSV takes four times as
long, its default of INSERT statements minutes). `append` adds the rows, those of a second run too;
`merge` replaces the month, as ours does. Prints seconds, peak memory in MB and rows as JSON, as
postgres_ways.py does, and nothing of dlt's own.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from pyarrow import csv

#: Bytes of text in a batch, as large as our own pieces.
BLOCK_BYTES = 8 << 20
MONTH = pa.scalar(dt.date(2021, 1, 1))
HOW: dict[str, dict[str, Any]] = {
    "append": {"write_disposition": "append"},
    "merge": {"write_disposition": "merge", "merge_key": "file_month"},
}


def main() -> None:
    """Load once into a dataset that is not there yet."""
    way, url, source, folder = sys.argv[1:]
    target = Path(folder, f"dlt-{way}")
    shutil.rmtree(target, ignore_errors=True)
    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.postgres(url.replace("+psycopg2", "")),
        dataset_name=f"dlt_{way}",
        pipelines_dir=str(target),
    )
    options = csv.ReadOptions(block_size=BLOCK_BYTES)
    started = time.perf_counter()
    file = str(shutil.copy(source, target.with_suffix(".csv.gz")))
    trips: Any = dlt.resource(_batches(file, options), name="yellow_trips", **HOW[way])
    pipeline.run(trips, loader_file_format="parquet")
    seconds = time.perf_counter() - started
    with pipeline.sql_client() as sql:
        ((rows,),) = sql.execute_sql("SELECT count(*) FROM yellow_trips")
    print(json.dumps({"seconds": seconds, "peak_mb": _peak_mb(), "rows": rows}))


def _batches(file: str, options: csv.ReadOptions) -> Iterator[pa.Table]:
    # Columns with blanks among their first values only would otherwise change type later.
    types = {"store_and_fwd_flag": pa.string(), "airport_fee": pa.float64()}
    convert = csv.ConvertOptions(column_types=types)
    with csv.open_csv(file, options, convert_options=convert) as reader:
        for batch in reader:
            months = pa.repeat(MONTH, batch.num_rows)
            yield pa.Table.from_batches([batch]).append_column("file_month", months)


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(found.split()[1]) / 1024


if __name__ == "__main__":
    main()
