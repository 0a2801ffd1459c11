"""Two months in a bucket and a warehouse, and the harm that people and disks do to them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.scratch import subfolder
from core.storage.bucket import Bucket, FolderBucket
from fakes.duckdb_files import attached
from monthly.convert.readings import NewColumns, Rules
from monthly.convert.to_parquet import convert
from monthly.editions import edition_key
from monthly.ledger import (
    entry_key,
    keep,
    object_key,
    rejects_key,
    report_key,
)
from monthly.ledger_notes import note_report
from monthly.month import Month
from monthly.plan import Plan, due_in_warehouse, plan_month
from monthly.sample import write_sample
from monthly.sources import download
from monthly.verify.checking import Request, verify
from monthly.verify.findings import Verdict
from monthly.verify.repair import planned, repair
from monthly.verify.share import Share
from monthly.warehouses import Warehouse
from monthly.warehouses.duckdb import DuckDBFile
from monthly.warehouses.load import kept_entry, load_object, object_for

if TYPE_CHECKING:
    from core.errors import TripsError
    from fakes.google import Google
    from fakes.postgres import Database
    from fakes.s3 import S3

OCTOBER, NOVEMBER = Month("green", 2020, 10), Month("green", 2020, 11)
MONTHS = (OCTOBER, NOVEMBER)
ROWS = 60
NOTHING = Share(Fraction(0), 0)


@dataclass(frozen=True)
class Stack:
    """A bucket and a warehouse.

    Attributes:
        name: name of the stack.
        bucket: the bucket.
        warehouse: the warehouse.
        run: runs a statement in the warehouse, as a person would.
        folder: folder for files.
        elsewhere: an empty bucket of the same kind.
        schema: prefix of a table's name in a statement.
    """

    name: str
    bucket: Bucket
    warehouse: Warehouse
    run: Callable[[str], Any]
    folder: Path
    elsewhere: Bucket
    schema: str = ""

    @property
    def table(self) -> str:
        """Return the name of the table of the months."""
        return f"{self.schema}green_trips"

    @property
    def source(self) -> str:
        """Return the address at which the months are published."""
        return str(self.folder / "published" / "{color}_{year}-{month:02}.csv")

    def publish(self, month: Month, rows: int = ROWS) -> None:
        """Write a generated file with one more row, which is not a trip."""
        path = self.folder / "published" / f"{month.dataset}_{month.year_month}.csv"
        path.parent.mkdir(exist_ok=True)
        write_sample(month, path, rows)
        last = path.read_text().splitlines()[-1]
        with path.open("a") as file:
            file.write(f"no{last}\n")

    def fill(self) -> Stack:
        """Load both months, with a rejected row and their reports; return the stack."""
        for month in MONTHS:
            self.publish(month)
            self.fetch(month, self.source, 0.1)
            self.reload(month, force=False)
            self.redraw(month)
        return self

    def fetch(
        self,
        month: Month,
        source: str,
        max_reject_share: float | None,
        new_columns: NewColumns = "auto",
        keep_editions: int | None = None,
    ) -> None:
        """Fetch as etl_web_to_gcs does, forced; see `repair.Hands`."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            plan = plan_month(month, source, self.bucket, force=True)
            assert plan.published
            found = download(plan.published, subfolder(folder, "published"))
            rules = Rules(max_reject_share=max_reject_share, new_columns=new_columns)
            converted = convert(month, found.path, subfolder(folder, "converted"), rules)
            keep(self.bucket, month, found, converted, plan.entry_version)

    def reload(self, month: Month, force: bool) -> None:
        """Load as etl_gcs_to_bq does; see `repair.Hands`."""
        entry, held = kept_entry(self.bucket, month), self.warehouse.loaded_month(month)
        if held and held.is_intact(entry.object_sha256, "") and not force:
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            found = object_for(self.warehouse, self.bucket, month, entry, Path(name))
            load_object(self.warehouse, month, entry, found)

    def redraw(self, month: Month) -> None:
        """Draw a report of one line; see `repair.Hands`."""
        self.put(report_key(month), b"<p>report</p>")
        note_report(self.bucket, month, kept_entry(self.bucket, month))

    def put(self, key: str, data: bytes) -> None:
        """Overwrite an object with other bytes, as a person would."""
        path = self.folder / "put"
        path.write_bytes(data)
        self.bucket.upload(path, key)

    def get(self, key: str) -> bytes:
        """Return the bytes of an object."""
        stored = self.bucket.read(key)
        assert stored
        return stored.data

    def moved(self) -> Stack:
        """Return the stack with a copy of the bucket; some buckets give copies other versions."""
        for month in MONTHS:
            for key in (object_key(month), rejects_key(month), report_key(month)):
                path = self.folder / "copied"
                self.bucket.download(key, path)
                self.elsewhere.upload(path, key)
            self.elsewhere.write(entry_key(month), self.get(entry_key(month)), None)
        return replace(self, bucket=self.elsewhere)

    def request(self, **options: Any) -> Request:
        """Return the default request for a verification."""
        asked = Request("green", self.bucket, self.warehouse, NOTHING)
        return replace(asked, **options)

    def verdicts(self, **options: Any) -> list[Verdict]:
        """Verify all stored months; return the verdicts, with the steps that would repair them."""
        return [planned(v, self.bucket, True) for v in verify(self.request(**options))]

    def faults(self, **options: Any) -> list[tuple[str, str]]:
        """Return the month and kind of each fault."""
        found = self.verdicts(**options)
        assert [v.unchecked for v in found] == [""] * len(found)
        return [(v.month.year_month, f.kind.name) for v in found for f in v.faults]

    def repair(self, source: str = "") -> list[TripsError | None]:
        """Repair what a verification finds."""
        return [repair(v, self.bucket, self, source) for v in self.verdicts() if v.steps]

    def plan(self, month: Month) -> Plan:
        """Return the plan of a run of the month."""
        plan = plan_month(month, self.source, self.bucket)
        return due_in_warehouse(plan, self.warehouse.loaded_month(month), self.warehouse.name())


@contextmanager
def local(folder: Path) -> Iterator[Stack]:
    """Yield a folder and a DuckDB file."""
    path = folder / "trips.duckdb"

    def run(sql: str) -> Any:
        with attached(path) as db:
            return db.execute(sql).fetchall()

    bucket, other = (FolderBucket(folder / name) for name in ("bucket", "elsewhere"))
    yield Stack("local", bucket, DuckDBFile(path), run, folder, other)


@contextmanager
def s3_and_postgres(folder: Path, s3: S3, database: Database) -> Iterator[Stack]:
    """Yield S3 and PostgreSQL."""
    from fakes.s3 import store

    bucket, other = (store(s3.url, s3.new_bucket(name).name) for name in ("verified", "elsewhere"))
    yield Stack("s3", bucket, database.warehouse(), database.query, folder, other)


@contextmanager
def of_google(folder: Path, google: Google) -> Iterator[Stack]:
    """Yield Cloud Storage and BigQuery; Google's clients record each change of a partition."""
    from fakes.google.places import open_bigquery, open_store

    def change(sql: str) -> Any:
        """Run a statement, and record that October's partition has changed."""
        if sql.startswith("DROP"):
            return google.bigquery.tables.drop_table("trips_data_all", "green_trips")
        if "loaded_months" in sql or sql.startswith("SELECT"):
            return google.bigquery.rows(sql)
        return google.bigquery.change("green_trips", "202010", sql)

    other = open_store(folder="elsewhere")
    yield Stack("google", open_store(), open_bigquery(), change, folder, other, "trips_data_all.")


# ---- harm, always to October


def object_deleted(stack: Stack) -> None:
    """Delete the object."""
    stack.bucket.delete(object_key(OCTOBER))


def object_truncated(stack: Stack) -> None:
    """Truncate the object to half."""
    data = stack.get(object_key(OCTOBER))
    stack.put(object_key(OCTOBER), data[: len(data) // 2])


def object_flipped(stack: Stack) -> None:
    """Change ten bytes; on a disk, size and time stay."""
    key = object_key(OCTOBER)
    data = bytearray(stack.get(key))
    data[100:110] = bytes(byte ^ 255 for byte in data[100:110])
    if not isinstance(stack.bucket, FolderBucket):
        stack.put(key, bytes(data))
        return
    path = Path(stack.bucket.uri(key))
    status = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def object_of_november(stack: Stack) -> None:
    """Overwrite October's object with November's."""
    stack.put(object_key(OCTOBER), stack.get(object_key(NOVEMBER)))


def entry_deleted(stack: Stack) -> None:
    """Delete the entry."""
    stack.bucket.delete(entry_key(OCTOBER))


def entry_emptied(stack: Stack) -> None:
    """Truncate the entry to zero bytes."""
    stack.put(entry_key(OCTOBER), b"")


def entry_of_november(stack: Stack) -> None:
    """Overwrite the entry with November's."""
    stack.put(entry_key(OCTOBER), stack.get(entry_key(NOVEMBER)))


def entry_of_older_object(stack: Stack) -> None:
    """Write the entry of the object that was there before."""
    change_entry(stack, object_sha256="0" * 64, object_version="older", source_sha256="1" * 64)


def entry_of_edition(stack: Stack) -> None:
    """Copy the entry of an edition over the month's, instead of restoring the edition."""
    key = edition_key(OCTOBER, "0a1b2c3d4e5f", "parquet")
    stack.put(key, stack.get(object_key(OCTOBER)))
    change_entry(stack, object_key=key)


def entry_of_older_declaration(stack: Stack) -> None:
    """Write an entry that records an older conversion of a column."""
    record = json.loads(stack.get(entry_key(OCTOBER)))
    record["signatures"]["payment_type"] = "int64/0lder000"
    change_entry(stack, schema_version=1, signatures=record["signatures"])


def entry_with_other_counts(stack: Stack) -> None:
    """Edit the counts of the entry."""
    record = json.loads(stack.get(entry_key(OCTOBER)))
    change_entry(stack, rows_read=record["rows_read"] + 1, rows_written=record["rows_written"] + 1)


def change_entry(stack: Stack, **fields: Any) -> None:
    """Write other values into the entry."""
    record = json.loads(stack.get(entry_key(OCTOBER)))
    stack.put(entry_key(OCTOBER), json.dumps(record | fields).encode())


def report_deleted(stack: Stack) -> None:
    """Delete the report."""
    stack.bucket.delete(report_key(OCTOBER))


def rejects_deleted(stack: Stack) -> None:
    """Delete the rejected rows."""
    stack.bucket.delete(rejects_key(OCTOBER))


def rejects_cut(stack: Stack) -> None:
    """Leave only the header of the rejected rows."""
    stack.put(rejects_key(OCTOBER), b"line,reason,text\r\n")


def rows_deleted(stack: Stack) -> None:
    """Delete some of the month's rows from the warehouse."""
    where = "file_month = DATE '2020-10-01' AND trip_distance > 3"
    stack.run(f"DELETE FROM {stack.table} WHERE {where}")


def rows_doubled(stack: Stack) -> None:
    """Insert each of the month's rows into the warehouse again."""
    month = f"SELECT * FROM {stack.table} WHERE file_month = DATE '2020-10-01'"
    stack.run(f"INSERT INTO {stack.table} {month}")


def value_changed(stack: Stack) -> None:
    """Change one row by one cent."""
    month = f"FROM {stack.table} WHERE file_month = DATE '2020-10-01'"
    stack.run(
        f"UPDATE {stack.table} SET fare_amount = fare_amount + 0.01 "
        f"WHERE file_month = DATE '2020-10-01' AND fare_amount = (SELECT max(fare_amount) {month})"
    )


def table_dropped(stack: Stack) -> None:
    """Drop the table, with both months."""
    stack.run(f"DROP TABLE {stack.table}")


def ledger_row_deleted(stack: Stack) -> None:
    """Delete the warehouse's record of the month."""
    stack.run(f"DELETE FROM {stack.schema}loaded_months WHERE file_month = DATE '2020-10-01'")


def partition_detached(stack: Stack) -> None:
    """Detach PostgreSQL's partition, which stays as a separate table."""
    stack.run("ALTER TABLE green_trips DETACH PARTITION green_trips_2020_10")
