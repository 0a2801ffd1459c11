"""Write trip files by hand, convert them, and spell out names and codes independently.

The tables here come from TLC's files and dictionaries, not from the project's own tables, so
that one can check the other.
"""

from __future__ import annotations

import csv
import datetime as dt
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from monthly.convert.readings import Rules
from monthly.convert.to_parquet import Converted, convert
from monthly.month import Month

FHV = Month("fhv", 2017, 1)
FHV_HEADER = "Dispatching_base_num,Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID"
YELLOW = Month("yellow", 2021, 1)
YELLOW_HEADER = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,"
    "RatecodeID,store_and_fwd_flag,PULocationID,DOLocationID,payment_type,fare_amount,extra,"
    "mta_tax,tip_amount,tolls_amount,improvement_surcharge,total_amount,congestion_surcharge"
)
YELLOW_LINE = "1,2021-01-05 10:00:00,2021-01-05 10:10:00,1,2.5,1,N,4,5,2,9,0,0.5,0,0,0.3,9.8,0"

#: Current names of older columns, folded; names that changed only in case are left out.
RENAMED: dict[str, dict[str, str]] = {
    "yellow": {
        "vendor_name": "VendorID",
        "vendor_id": "VendorID",
        "trip_pickup_datetime": "tpep_pickup_datetime",
        "pickup_datetime": "tpep_pickup_datetime",
        "trip_dropoff_datetime": "tpep_dropoff_datetime",
        "dropoff_datetime": "tpep_dropoff_datetime",
        "start_lon": "pickup_longitude",
        "start_lat": "pickup_latitude",
        "end_lon": "dropoff_longitude",
        "end_lat": "dropoff_latitude",
        "rate_code": "RatecodeID",
        "store_and_forward": "store_and_fwd_flag",
        "fare_amt": "fare_amount",
        "surcharge": "extra",
        "tip_amt": "tip_amount",
        "tolls_amt": "tolls_amount",
        "total_amt": "total_amount",
    },
    "green": {},
    "fhv": {
        "pickup_date": "pickup_datetime",
        "locationid": "PUlocationID",
        "dispatching_base_number": "dispatching_base_num",
    },
    "fhvhv": {},
}
VENDOR_CODES: dict[str, int | None] = {"CMT": 1, "VTS": 2, "DDS": None}
PAYMENT_CODES: dict[str, int | None] = {
    **{"Credit": 1, "CREDIT": 1, "Cre": 1, "CRE": 1, "CRD": 1},
    **{"Cash": 2, "CASH": 2, "Cas": 2, "CAS": 2, "CSH": 2},
    **{"No Charge": 3, "No": 3, "NO": 3, "NOC": 3, "Dispute": 4, "Dis": 4, "DIS": 4},
    **{"UNK": 5, "Na": 5, "NA": 5},
}


def canonical(dataset: str, published: str, schema: pa.Schema) -> str:
    """Return the canonical column of a published name."""
    folded = published.strip().lower()
    by_case = {name.lower(): name for name in schema.names}
    return RENAMED[dataset].get(folded) or by_case[folded]


def fhv_line(number: int) -> str:
    """Return a line of a 2017 for-hire file, different for each number."""
    return ",".join(map(str, fhv_row(number)))


def fhv_row(number: int) -> tuple[str, dt.datetime, dt.datetime, int, int]:
    """Return the same row as values."""
    pickup = dt.datetime(2017, 1, 1) + dt.timedelta(seconds=number)
    zones = number % 263 + 1, number * 7 % 263 + 1
    return f"B{number:05}", pickup, pickup + dt.timedelta(minutes=10), *zones


def fhv_file(rows: int, changed: dict[int, str] | None = None) -> bytes:
    """Return a for-hire file with some lines replaced; the header is line 1, as in `changed`."""
    lines = [FHV_HEADER, *map(fhv_line, range(2, rows + 2))]
    for line, text in (changed or {}).items():
        lines[line - 1] = text
    return "\n".join([*lines, ""]).encode()


@dataclass(frozen=True)
class Outcome:
    """The result of a conversion.

    Attributes:
        result: what the conversion returned.
        table: the Parquet file.
        rejects: line, reason and text of each rejected row, from the CSV of rejects.
    """

    result: Converted
    table: pa.Table
    rejects: list[tuple[int, str, str]]

    @property
    def rejected_lines(self) -> list[int]:
        """Return the lines of the rejected rows."""
        return [line for line, _, _ in self.rejects]

    def column(self, name: str) -> list[Any]:
        """Return the values of a column."""
        values: list[Any] = self.table[name].to_pylist()
        return values

    def rows(self, *names: str) -> list[tuple[Any, ...]]:
        """Return the values of some columns, row by row."""
        return list(zip(*(self.column(name) for name in names)))


def converted(folder: Path, data: bytes | str, month: Month = FHV, **options: Any) -> Outcome:
    """Convert a file with this content, and check that every row is accounted for."""
    work = Path(tempfile.mkdtemp(dir=folder))
    source = work / "published"
    source.write_bytes(data.encode() if isinstance(data, str) else data)
    return converted_file(source, work / "out", month, **options)


def converted_table(folder: Path, table: pa.Table, month: Month, **options: Any) -> Outcome:
    """Convert a Parquet file of this table, and check that every row is accounted for."""
    work = Path(tempfile.mkdtemp(dir=folder))
    pq.write_table(table, work / "published")
    return converted_file(work / "published", work / "out", month, **options)


def converted_file(source: Path, out: Path, month: Month, **options: Any) -> Outcome:
    """Convert an existing file, and check that every row is accounted for."""
    out.mkdir(parents=True)
    result = convert(month, source, out, Rules(**options))
    table, rejects = pq.read_table(result.path), _rejects(result)
    assert result.rows_read == result.rows_written + result.rows_rejected
    assert (table.num_rows, len(rejects)) == (result.rows_written, result.rows_rejected)
    assert set(out.iterdir()) == {result.path, *filter(None, [result.rejects])}
    return Outcome(result, table, rejects)


def _rejects(result: Converted) -> list[tuple[int, str, str]]:
    if result.rejects is None:
        return []
    with result.rejects.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["line", "reason", "text"]
    return [(int(line), reason, text) for line, reason, text in rows]
