"""Load a month from a file into a bucket and a warehouse by the steps of the flows in plain Python.

The published file is written by hand, so the expected content of bucket and warehouse is known
without asking the project: `total_amount` of each row, in cents.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from core.errors import Conflict, NotPublished
from core.scratch import scratch_folder, subfolder
from core.storage.bucket import Bucket, FolderBucket
from fakes.duckdb_files import attached
from monthly.convert.readings import Rules
from monthly.convert.to_parquet import convert
from monthly.corrections import conversion_change
from monthly.ledger import write_entry
from monthly.month import Month
from monthly.plan import plan_month
from monthly.replacement import Replaced, replace_month
from monthly.sources import download
from monthly.warehouses import Warehouse
from monthly.warehouses.duckdb import DuckDBFile
from monthly.warehouses.load import fetch_object, kept_entry

MONTH = Month("yellow", 2021, 1)
OBJECT = "data/yellow/yellow_tripdata_2021-01.parquet"
REJECTS = "data/yellow/yellow_tripdata_2021-01.rejects.csv"
ENTRY = "ledger/yellow/yellow_tripdata_2021-01.json"
HEADER = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,"
    "RatecodeID,store_and_fwd_flag,PULocationID,DOLocationID,payment_type,fare_amount,extra,"
    "mta_tax,tip_amount,tolls_amount,improvement_surcharge,total_amount,congestion_surcharge"
)


def publish(path: Path, cents: Iterable[int], bad: int = 0) -> None:
    """Write a file of yellow trips, one for each total in cents, and rows that are not trips."""
    rows = [
        f"1,2021-01-{1 + n % 28:02} 10:00:00,2021-01-{1 + n % 28:02} 10:20:00,1,2.5,1,N,100,200,"
        f"1,9,0.5,0.5,0,0,0.3,{total / 100:.2f},2.5"
        for n, total in enumerate(cents)
    ]
    rows += ["not a vendor" + rows[0][1:]] * bad
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([HEADER, *rows, ""]).encode(), mtime=0))


def bring(source: str | Path, bucket: Bucket, month: Month = MONTH) -> str:
    """Bring a month from the source into the bucket; return `loaded` or `unchanged`."""
    with scratch_folder(month, f"{source} {bucket}") as folder:
        try:
            return _bring(month, str(source), bucket, folder)
        except Conflict:
            return _bring(month, str(source), bucket, folder)


def _bring(month: Month, source: str, bucket: Bucket, folder: Path) -> str:
    plan = plan_month(month, source, bucket)
    if plan.published is None:
        raise NotPublished(plan.reason)
    if not plan.has_work:
        return "unchanged"
    found = download(plan.published, subfolder(folder, "published"))
    if plan.entry and plan.proves_unchanged(found.sha256):
        now = replace(plan.entry, url=found.url, last_modified=found.last_modified)
        write_entry(bucket, month, now, plan.entry_version)
        return "unchanged"
    converted = convert(
        month, found.path, subfolder(folder, "converted"), Rules(max_reject_share=0.5)
    )
    space = subfolder(folder, "compared")
    revision = conversion_change(bucket, plan, found, converted, space)
    replaced = Replaced(plan.entry, revision, 1) if plan.entry else None
    replace_month(bucket, found, converted, plan.entry_version, replaced)
    return "loaded"


def load(bucket: Bucket, warehouse: Warehouse, month: Month = MONTH) -> str:
    """Load a month from the bucket into the warehouse; return `loaded` or `unchanged`."""
    with scratch_folder(month, f"{bucket} {warehouse.name()}") as folder:
        entry = kept_entry(bucket, month)
        held = warehouse.loaded_month(month)
        if held and held.is_intact(entry.object_sha256, "w"):
            return "unchanged"
        warehouse.load(month, entry, fetch_object(bucket, month, entry, folder))
    return "loaded"


def run_month(root: Path, source: Path) -> list[str]:
    """Run both steps, into `root/bucket` and `root/warehouse/trips.duckdb`."""
    bucket = FolderBucket(root / "bucket")
    return [bring(source, bucket), load(bucket, warehouse_of(root))]


def warehouse_of(root: Path) -> DuckDBFile:
    """Return the warehouse that `run_month` fills."""
    return DuckDBFile(root / "warehouse" / "trips.duckdb")


def cents_in_bucket(root: Path) -> list[int] | None:
    """Return the totals of the Parquet object, read independently, sorted; None if it is absent."""
    path = root / "bucket" / OBJECT
    if not path.exists():
        return None
    totals = pq.read_table(path, columns=["total_amount"]).column(0).to_pylist()
    return sorted(round(total * 100) for total in totals)


def entry_in_bucket(root: Path) -> dict[str, Any] | None:
    """Return the ledger entry as JSON; None without one."""
    path = root / "bucket" / ENTRY
    found: dict[str, Any] | None = json.loads(path.read_bytes()) if path.exists() else None
    return found


def sha256_in_bucket(root: Path) -> str:
    """Return the SHA-256 of the stored object."""
    return hashlib.sha256((root / "bucket" / OBJECT).read_bytes()).hexdigest()


def in_warehouse(root: Path) -> tuple[list[int], list[tuple[str, int]]] | None:
    """Return the month's sorted totals and its ledger rows (SHA-256, rows), read by DuckDB itself.

    None without a table. The file is opened read-only, so whatever a kill left stays.
    """
    path = warehouse_of(root).path
    if not path.exists():
        return None
    with attached(path, read_only=True) as db:
        tables = db.execute("SHOW TABLES").fetchall()
        if ("yellow_trips",) not in tables:
            return None
        totals = db.execute(
            "SELECT round(total_amount * 100)::BIGINT AS cents FROM yellow_trips "
            "WHERE file_month = DATE '2021-01-01' ORDER BY cents"
        ).fetchall()
        remembered = db.execute(
            "SELECT object_sha256, rows FROM loaded_months "
            "WHERE dataset = 'yellow' AND file_month = DATE '2021-01-01'"
        ).fetchall()
    return [row[0] for row in totals], [(sha256, rows) for sha256, rows in remembered]


def files_in(folder: Path) -> set[str]:
    """Return every file in a folder, hidden ones included, except the lock files, which stay."""
    found = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return {p.relative_to(folder).as_posix() for p in found if not p.name.endswith(".lock")}
