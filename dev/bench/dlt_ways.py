"""Load the published file into PostgreSQL with dlt, which has its own Python environment.

python dev/bench/dlt_ways.py WAY URL SOURCE FOLDER

Both ways use dlt's quickest target, Parquet that ADBC sends as a binary COPY (CSV takes four times
as long, the default INSERT statements take minutes). `append` adds the rows on every run; `merge`
replaces the month, as this project does. Prints seconds, peak memory in MB and rows as JSON, as
postgres_ways.py does, and hides dlt's own output.
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

#: Bytes of text in a batch, the same as this project's pieces.
BLOCK_BYTES = 8 << 20
MONTH = pa.scalar(dt.date(2021, 1, 1))
HOW: dict[str, dict[str, Any]] = {
    "append": {"write_disposition": "append"},
    "merge": {"write_disposition": "merge", "merge_key": "file_month"},
}


def main() -> None:
    """Load once into a new dataset."""
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
    # If a column's first values were all blank, its type would change later.
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
