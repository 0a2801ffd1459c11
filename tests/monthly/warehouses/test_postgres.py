"""PostgreSQL as warehouse, on a real server: months are replaced whole or not at all."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy.engine import make_url

from core.errors import (
    AccountingError,
    Busy,
    Conflict,
    SchemaError,
    StorageError,
    Unavailable,
    UsageError,
)
from core.parquet import write_row_groups
from fakes import entries
from fakes.entries import published_download
from fakes.postgres import PASSWORD, Database, new_database, running_server
from fakes.stopping_load import STEPS
from monthly.columns import Column
from monthly.convert.readings import Rules
from monthly.convert.rows import Rows
from monthly.convert.to_parquet import convert
from monthly.datasets import DATASETS
from monthly.figures import Figures
from monthly.ledger import Entry, entry_of, object_key
from monthly.month import Month
from monthly.sample import write_sample
from monthly.warehouses import LoadedMonth, postgres, postgres_copy
from monthly.warehouses.duckdb import DuckDBFile
from monthly.warehouses.postgres_binary import encoded
from monthly.warehouses.postgres_connection import postgres_at
from monthly.warehouses.postgres_ledger import refuse_changed
from monthly.warehouses.postgres_tables import TYPES
from postgres_server import USER
from test_flows import trips

OCTOBER, NOVEMBER = Month("green", 2020, 10), Month("green", 2020, 11)
STOPPING_LOAD = Path(__file__).parents[2] / "fakes" / "stopping_load.py"
SUMS = (
    "SELECT to_char(file_month, 'YYYY-MM'), count(*), sum(total_amount) "
    "FROM green_trips GROUP BY 1 ORDER BY 1"
)

A_LOAD_WAITS = "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
NO_LOAD_RUNS = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'trips'"
LEDGERS = ("loaded_months", "rejected_rows")

Loaded = tuple[Month, Entry, Path]


def converted(folder: Path, month: Month, source: Path) -> Loaded:
    """Return a published file as the parameters of a load."""
    folder.mkdir(exist_ok=True)
    found = convert(month, source, folder)
    entry = entry_of(month, published_download(month, source), found)
    entry = replace(entry, object_key=object_key(month), object_sha256=found.sha256)
    return month, entry, found.path


def made(tmp_path: Path, month: Month, totals: list[str]) -> Loaded:
    """Return a green month with one trip for each total."""
    folder = tmp_path / f"{month} {len(totals)} {totals[0]}"
    folder.mkdir(exist_ok=True)
    source = folder / f"{month.stem}.csv"
    source.write_text(trips(month.year_month, totals))
    return converted(folder / "converted", month, source)


def sampled(tmp_path: Path, rows: int) -> Loaded:
    """Return a generated yellow month."""
    month = Month("yellow", 2021, 1)
    source = tmp_path / f"{rows}.csv.gz"
    write_sample(month, source, rows)
    return converted(tmp_path / f"{rows}", month, source)


def size(database: Database) -> int:
    """Return the bytes of all of green's tables, with everything that belongs to them."""
    query = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname ~ '^green_trips'"
    return int(database.query(query)[0][0])


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldCopy]:
    """Stop loads in the middle of their COPY until they are let go."""
    found = HeldCopy(postgres_copy._chunks)
    monkeypatch.setattr(postgres_copy, "_chunks", found.chunks)
    yield found
    found.go.set()


class HeldCopy:
    """The middle of a COPY: the first rows are sent, the others wait."""

    def __init__(self, chunks: Callable[..., Iterator[bytes]]) -> None:
        self._chunks, self.begun = chunks, 0
        self.there, self.go = threading.Event(), threading.Event()

    def chunks(self, *rows: Any) -> Iterator[bytes]:
        """Yield the chunks of a month, with a stop after the first rows."""
        self.begun += 1
        chunks = self._chunks(*rows)
        yield next(chunks)
        yield next(chunks)
        self.there.set()
        assert self.go.wait(60)
        yield from chunks


def test_an_empty_database_has_loaded_nothing_and_stays_empty(database: Database) -> None:
    """Looking up a month creates no table."""
    warehouse = database.warehouse()
    assert warehouse.loaded("green") == {}
    assert warehouse.entry(OCTOBER) is None
    assert database.tables() == set()


def test_a_month_is_loaded_with_its_ledger_row(database: Database, tmp_path: Path) -> None:
    """This covers rows, sum, partition, ledger, and the descriptions of the columns."""
    month, entry, path = made(tmp_path, OCTOBER, ["10.5", "4"])
    warehouse = database.warehouse()
    assert warehouse.load(month, entry, path) == 2
    assert database.query(SUMS) == [("2020-10", 2, 14.5)]
    assert database.tables() == {"green_trips", "green_trips_2020_10", *LEDGERS}
    assert warehouse.loaded("green") == {OCTOBER: entry.object_sha256}
    assert warehouse.loaded("yellow") == {}
    assert warehouse.entry(OCTOBER) == entry
    assert database.query(
        "SELECT dataset, file_month, object_sha256, rows, schema_version FROM loaded_months"
    ) == [("green", dt.date(2020, 10, 1), entry.object_sha256, 2, entry.schema_version)]
    about = {c.name: c.about for c in DATASETS["green"].columns}
    found = database.query(
        "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute "
        "WHERE attrelid = 'green_trips'::regclass AND attnum > 0"
    )
    assert dict(found) == about


def test_a_corrected_month_replaces_exactly_itself(database: Database, tmp_path: Path) -> None:
    """The other month's partition is still the same table."""
    warehouse = database.warehouse()
    warehouse.load(*made(tmp_path, OCTOBER, ["10.5", "4"]))
    warehouse.load(*made(tmp_path, NOVEMBER, ["7", "8", "9"]))
    oid = database.query("SELECT 'green_trips_2020_11'::regclass::oid")
    corrected = made(tmp_path, OCTOBER, ["10.5", "4", "1"])
    assert warehouse.load(*corrected) == 3
    assert database.query(SUMS) == [("2020-10", 3, 15.5), ("2020-11", 3, 24.0)]
    assert database.query("SELECT 'green_trips_2020_11'::regclass::oid") == oid
    assert warehouse.loaded("green")[OCTOBER] == corrected[1].object_sha256


def test_loading_again_neither_doubles_nor_grows(database: Database, tmp_path: Path) -> None:
    """Five loads use the space and the tables of one."""
    warehouse, october = database.warehouse(), made(tmp_path, OCTOBER, ["10.5", "4"] * 500)
    warehouse.load(*october)
    before, there = size(database), database.tables()
    for _ in range(4):
        warehouse.load(*october)
    assert database.query(SUMS) == [("2020-10", 1000, 7250.0)]
    assert size(database) == before
    assert database.tables() == there


def test_every_value_arrives_as_it_was(database: Database, tmp_path: Path) -> None:
    """Values include the ends of each type, NaN, empty text next to null, and any script."""
    values: dict[str, list[Any]] = {
        "VendorID": [-(2**63), 2**63 - 1, None, 0],
        "lpep_pickup_datetime": [dt.datetime.min, dt.datetime.max, None, dt.datetime(1999, 12, 31)],
        "total_amount": [-0.0, float("inf"), None, 5e-324],
        "store_and_fwd_flag": ["", "Ж'\\N\t\n\"", None, "\U0001f695" * 1000],
    }
    day = [OCTOBER.first_day] * 4
    schema = DATASETS["green"].schema
    columns = {n: values.get(n, [None] * 4) for n in schema.names} | {"file_month": day}
    path = tmp_path / "ends.parquet"
    pq.write_table(pa.table(columns, schema=schema), path)
    _, entry, _ = made(tmp_path, OCTOBER, ["1"])
    database.warehouse().load(OCTOBER, replace(entry, rows_written=4), path)
    names = ", ".join(f'"{name}"' for name in values)
    found = database.query(f"SELECT {names} FROM green_trips")
    assert found == list(zip(*values.values()))
    assert math.copysign(1, found[0][2]) == -1


def test_columns_that_are_null_throughout_are_not_sent(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the month, as the table's default says the same."""
    sent: list[str] = []

    def noted(batch: pa.RecordBatch) -> Iterator[bytes]:
        sent.extend(batch.schema.names)
        return encoded(batch)

    monkeypatch.setattr(postgres_copy, "encoded", noted)
    october = made(tmp_path, OCTOBER, ["10.5", "4"])
    database.warehouse().load(*october)
    table = pq.read_table(october[2])
    full = [name for name in table.schema.names if table[name].null_count < 2]
    assert sent == [name for name in full if name != "file_month"]
    assert 5 < len(full) < len(table.schema.names)


def test_a_users_default_does_not_replace_a_null(database: Database, tmp_path: Path) -> None:
    """A default is for rows that its owner inserts."""
    warehouse, october = database.warehouse(), made(tmp_path, OCTOBER, ["10.5", "4"])
    warehouse.load(*october)
    database.query("ALTER TABLE green_trips ALTER ehail_fee SET DEFAULT 7")
    warehouse.load(*october)
    assert database.query("SELECT DISTINCT ehail_fee FROM green_trips") == [(None,)]


def test_a_users_default_does_not_replace_a_null_of_a_kept_column(
    database: Database, tmp_path: Path
) -> None:
    """As of a declared one, in a new month and in one that is replaced."""
    for month in (OCTOBER, NOVEMBER, NOVEMBER):
        source = tmp_path / f"{month.stem}.csv"
        head, row = trips(month.year_month, ["1"]).splitlines()
        source.write_text(f"{head},mood\n{row},\n")
        folder = tmp_path / f"{month}"
        folder.mkdir(exist_ok=True)
        found = convert(month, source, folder, Rules(new_columns="keep"))
        entry = entry_of(month, published_download(month, source), found)
        database.warehouse().load(month, entry, found.path)
        database.query("ALTER TABLE green_trips ALTER mood SET DEFAULT 'good'")
    assert database.query("SELECT DISTINCT mood FROM green_trips") == [(None,)]


def test_rows_of_another_month_are_refused(database: Database, tmp_path: Path) -> None:
    """The month's column is only left out where the footer proves that it is the month."""
    _, entry, _ = made(tmp_path, OCTOBER, ["1"])
    november = made(tmp_path, NOVEMBER, ["1"])[2]
    with pytest.raises(StorageError, match="green_trips_2020_10_new_month"):
        database.warehouse().load(OCTOBER, entry, november)
    assert database.tables() == {"green_trips", *LEDGERS}


def test_a_plain_table_is_refused_with_the_way_out(database: Database, tmp_path: Path) -> None:
    """A table of to_sql stays unchanged; once it is renamed, the month loads."""
    database.query("CREATE TABLE green_trips (total_amount double precision)")
    database.query("INSERT INTO green_trips VALUES (1)")
    warehouse, october = database.warehouse(), made(tmp_path, OCTOBER, ["10.5"])
    with pytest.raises(
        SchemaError, match=r"green 2020-10: table green_trips .* as to_sql"
    ) as found:
        warehouse.load(*october)
    assert database.query("SELECT * FROM green_trips") == [(1.0,)]
    way_out = "ALTER TABLE green_trips RENAME TO green_trips_old"
    assert way_out in str(found.value)
    database.query(way_out)
    assert warehouse.load(*october) == 1


def test_other_types_are_refused_by_name(database: Database, tmp_path: Path) -> None:
    """Binary COPY would silently read the bytes of integers as floats."""
    columns = ", ".join(f'"{c.name}" {TYPES[c.kind]}' for c in DATASETS["green"].columns)
    columns = columns.replace('"passenger_count" bigint', '"passenger_count" double precision')
    columns = columns.replace('"trip_type" bigint', '"trip_type" integer')
    database.query(f"CREATE TABLE green_trips ({columns}) PARTITION BY LIST (file_month)")
    with pytest.raises(SchemaError) as found:
        database.warehouse().load(*made(tmp_path, OCTOBER, ["10.5"]))
    assert "passenger_count is double precision, not bigint" in str(found.value)
    assert "trip_type is integer, not bigint" in str(found.value)
    assert database.tables() == {"green_trips"}
    assert "DROP TABLE green_trips, or rename it and each" in str(found.value)


def test_months_of_other_types_come_back_by_the_way_out(database: Database, tmp_path: Path) -> None:
    """If a loaded table was altered, its months no longer count once it is dropped."""
    warehouse, october = database.warehouse(), made(tmp_path, OCTOBER, ["10.5"])
    warehouse.load(*october)
    database.query("ALTER TABLE green_trips ALTER trip_type TYPE integer")
    with pytest.raises(SchemaError) as found:
        warehouse.load(*made(tmp_path, NOVEMBER, ["7"]))
    way_out = re.search("DROP TABLE green_trips", str(found.value))
    assert way_out
    database.query(way_out[0])
    assert warehouse.loaded("green") == {}
    assert warehouse.load(*october) == 1


def test_an_object_with_other_types_is_refused(database: Database, tmp_path: Path) -> None:
    """The file's types are compared too, and nothing is left."""
    month, entry, path = made(tmp_path, OCTOBER, ["10.5"])
    wrong = pq.read_table(path)
    place = wrong.schema.get_field_index("VendorID")
    text = wrong["VendorID"].cast(pa.float64())
    pq.write_table(wrong.set_column(place, "VendorID", text), path)
    with pytest.raises(SchemaError, match="VendorID is double"):
        database.warehouse().load(month, entry, path)
    assert database.tables() == {"green_trips", *LEDGERS}


def test_a_new_column_is_added(database: Database, tmp_path: Path) -> None:
    """A table from before TLC declared the column keeps its months, which have nulls there."""
    warehouse = database.warehouse()
    warehouse.load(*made(tmp_path, OCTOBER, ["10.5"]))
    database.query("ALTER TABLE green_trips DROP COLUMN congestion_surcharge")
    warehouse.load(*made(tmp_path, NOVEMBER, ["7"]))
    query = "SELECT congestion_surcharge FROM green_trips ORDER BY file_month"
    assert database.query(query) == [(None,), (0.0,)]


@pytest.mark.parametrize("dropped", ["green_trips", "green_trips_2020_10"])
def test_a_month_whose_table_is_gone_is_not_loaded(
    database: Database, tmp_path: Path, dropped: str
) -> None:
    """The ledger's row alone does not make a month; another load does."""
    warehouse, october = database.warehouse(), made(tmp_path, OCTOBER, ["10.5"])
    warehouse.load(*october)
    database.query(f"DROP TABLE {dropped}")
    assert warehouse.loaded("green") == {}
    assert warehouse.loaded_month(OCTOBER) == LoadedMonth(october[1].object_sha256, 1, 0)
    warehouse.load(*made(tmp_path, NOVEMBER, ["7"]))
    assert warehouse.loaded("green").keys() == {NOVEMBER}
    warehouse.load(*october)
    assert warehouse.loaded("green").keys() == {OCTOBER, NOVEMBER}
    assert warehouse.entry(OCTOBER) == october[1]


def test_a_users_index_is_kept(database: Database, tmp_path: Path) -> None:
    """New partitions have it, and so do replaced ones."""
    warehouse, october = database.warehouse(), made(tmp_path, OCTOBER, ["10.5"])
    warehouse.load(*october)
    database.query('CREATE INDEX ON green_trips ("PULocationID")')
    warehouse.load(*october)
    warehouse.load(*made(tmp_path, NOVEMBER, ["7"]))
    found = database.query(
        "SELECT indrelid::regclass::text, indisvalid FROM pg_index "
        "WHERE indrelid::regclass::text ~ '^green' ORDER BY 1"
    )
    names = ("green_trips", "green_trips_2020_10", "green_trips_2020_11")
    assert found == [(name, True) for name in names]


@pytest.mark.parametrize(
    ("changes", "mine"),
    [
        ('ALTER "VendorID" SET NOT NULL', None),
        ('ALTER store_and_fwd_flag TYPE text COLLATE "C"', None),
        (
            "ADD CONSTRAINT \"no more\" CHECK (total_amount < 1000 AND store_and_fwd_flag <> 'x')",
            None,
        ),
        ("ADD mine int NOT NULL DEFAULT 3", 3),
        ("ADD mine numeric(9,2) GENERATED ALWAYS AS (total_amount * 2) STORED", 14),
        ("ADD mine bigserial, ADD PRIMARY KEY (mine, file_month)", 2),
        ("ADD mine bigint GENERATED ALWAYS AS IDENTITY", 2),
        ("ADD mine bigint GENERATED BY DEFAULT AS IDENTITY", 2),
    ],
)
def test_what_a_user_adds_to_the_table_holds_for_a_new_month(
    database: Database, tmp_path: Path, changes: str, mine: int | None
) -> None:
    """PostgreSQL attaches no partition that lacks it."""
    warehouse = database.warehouse()
    if "IDENTITY" in changes and int(database.query("SHOW server_version_num")[0][0]) < 170_000:
        pytest.skip("before PostgreSQL 17, a table with partitions gets no identity column")
    warehouse.load(*made(tmp_path, OCTOBER, ["10.5"]))
    database.query(f"ALTER TABLE green_trips {changes}")
    warehouse.load(*made(tmp_path, NOVEMBER, ["7"]))
    if mine:
        assert database.query("SELECT mine FROM green_trips_2020_11") == [(mine,)]
    warehouse.load(*made(tmp_path, NOVEMBER, ["8"]))
    assert database.query(SUMS) == [("2020-10", 1, 10.5), ("2020-11", 1, 8)]


@pytest.fixture
def tablespace(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Create a tablespace, and drop it once it is empty."""
    folder = Path(tempfile.mkdtemp(prefix="tablespace-"))
    there = database.server.folder.stat()
    os.chown(folder, there.st_uid, there.st_gid)
    database.query(f"CREATE TABLESPACE \"Slow Disk\" LOCATION '{folder}'")
    yield '"Slow Disk"'
    database.empty()
    database.query('DROP TABLESPACE "Slow Disk"')
    folder.rmdir()


@pytest.mark.parametrize("moved", ["green_trips", "green_trips_2020_10"])
def test_a_month_stays_in_its_tablespace(
    database: Database, tmp_path: Path, tablespace: str, moved: str
) -> None:
    """A user may have moved old months to another disk, or all new ones."""
    warehouse = database.warehouse()
    warehouse.load(*made(tmp_path, OCTOBER, ["10.5"]))
    database.query(f"ALTER TABLE {moved} SET TABLESPACE {tablespace}")
    warehouse.load(*made(tmp_path, OCTOBER, ["1"]))
    warehouse.load(*made(tmp_path, NOVEMBER, ["7"]))
    found = database.query("SELECT tablename FROM pg_tables WHERE tablespace = 'Slow Disk'")
    expected = {"green_trips": "green_trips_2020_11"}.get(moved, moved)
    assert {name for (name,) in found} - {"green_trips"} == {expected}


def test_a_publication_of_all_tables_does_not_stop_a_load(
    database: Database, tmp_path: Path
) -> None:
    """PostgreSQL deletes no row of a published table that has neither a key nor an identity."""
    warehouse = database.warehouse()
    warehouse.load(*made(tmp_path, NOVEMBER, ["7"]))
    database.query("CREATE PUBLICATION everything FOR ALL TABLES")
    try:
        warehouse.drop(NOVEMBER)
        database.query("ALTER TABLE rejected_rows REPLICA IDENTITY DEFAULT")  # as before 1.10.1
        warehouse.load(*made(tmp_path, NOVEMBER, ["7"]))
        warehouse.load(*made(tmp_path, OCTOBER, ["10.5"]))
        warehouse.load(*made(tmp_path, OCTOBER, ["1", "2"]))
        warehouse.drop(NOVEMBER)
    finally:
        database.query("DROP PUBLICATION everything")
    assert database.query(SUMS) == [("2020-10", 2, 3.0)]


@pytest.mark.parametrize(
    "limit", ["statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"]
)
def test_no_time_limit_of_the_database_ends_a_load(
    database: Database, tmp_path: Path, held: HeldCopy, limit: str
) -> None:
    """A provider sets them for interactive queries."""
    if not database.query(f"SELECT 1 FROM pg_settings WHERE name = '{limit}'"):
        pytest.skip("PostgreSQL has this limit since version 17")
    warehouse = postgres_at(database.url, {"options": f"-c {limit}=100ms"})
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(warehouse.load, *made(tmp_path, OCTOBER, ["1"]))
        assert held.there.wait(60)
        database.wait_until(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'trips' "
            "AND clock_timestamp() < query_start + interval '300 ms'"
        )
        held.go.set()
        assert loading.result(60) == 1


def test_a_count_that_differs_changes_nothing(database: Database, tmp_path: Path) -> None:
    """The old month and its ledger row stay."""
    warehouse, first = database.warehouse(), made(tmp_path, OCTOBER, ["10.5", "4"])
    warehouse.load(*first)
    month, entry, path = made(tmp_path, OCTOBER, ["1", "1", "1"])
    with pytest.raises(AccountingError, match="counted 3 rows where the ledger has 4"):
        warehouse.load(month, replace(entry, rows_written=4), path)
    assert database.query(SUMS) == [("2020-10", 2, 14.5)]
    assert warehouse.entry(OCTOBER) == first[1]


def test_nobody_waits_while_rows_are_copied(
    database: Database, tmp_path: Path, held: HeldCopy
) -> None:
    """In the middle of a COPY, the dataset's table is not locked; the old month can be read."""
    warehouse, october = database.warehouse(), made(tmp_path, OCTOBER, ["10.5", "4"])
    held.go.set()
    warehouse.load(*october)
    held.go.clear()
    held.there.clear()
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(warehouse.load, *made(tmp_path, OCTOBER, ["1"]))
        assert held.there.wait(60)
        locks = "SELECT count(*) FROM pg_locks WHERE relation = 'green_trips'::regclass"
        assert database.query(locks) == [(0,)]
        assert database.query(SUMS) == [("2020-10", 2, 14.5)]
        held.go.set()
        assert loading.result(60) == 1
    assert database.query(SUMS) == [("2020-10", 1, 1.0)]


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ("ALTER TABLE green_trips ADD mine int NOT NULL DEFAULT 3", 2),
        ('ALTER TABLE green_trips ALTER "VendorID" SET NOT NULL', 2),
        ("ALTER TABLE green_trips ADD CHECK (total_amount < 1000)", 2),
        ("ALTER TABLE green_trips DROP ehail_fee", 2),
        ("DROP TABLE green_trips", 1),
    ],
)
def test_a_table_that_a_user_changes_meanwhile_makes_the_run_plan_again(
    database: Database, tmp_path: Path, held: HeldCopy, change: str, rows: int
) -> None:
    """A first load of a month waits for nobody, nor does such a change wait for it."""
    warehouse, november = database.warehouse(), made(tmp_path, NOVEMBER, ["7"])
    held.go.set()
    warehouse.load(*made(tmp_path, OCTOBER, ["10.5"]))
    held.go.clear()
    held.there.clear()
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(warehouse.load, *november)
        assert held.there.wait(60)
        database.query(change)
        held.go.set()
        with pytest.raises(Conflict, match=r"table green_trips was changed while .*; run again$"):
            loading.result(60)
    warehouse.load(*november)
    assert database.query("SELECT count(*) FROM green_trips") == [(rows,)]


@pytest.mark.parametrize(
    ("totals", "copies"), [(["10.5", "4"], 1), (["1"], 2)], ids=["the same", "a corrected one"]
)
def test_two_loads_of_a_month_at_once_are_one_after_the_other(
    database: Database, tmp_path: Path, held: HeldCopy, totals: list[str], copies: int
) -> None:
    """The second run waits, and copies nothing if the first loaded the same object."""
    warehouse, second = database.warehouse(), made(tmp_path, OCTOBER, totals)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(warehouse.load, *made(tmp_path, OCTOBER, ["10.5", "4"]))
        assert held.there.wait(60)
        two = pool.submit(warehouse.load, *second)
        database.wait_until(A_LOAD_WAITS)
        held.go.set()
        assert (one.result(60), two.result(60)) == (2, len(totals))
    assert held.begun == copies
    assert database.query(SUMS) == [("2020-10", len(totals), sum(map(float, totals)))]
    assert warehouse.loaded("green") == {OCTOBER: second[1].object_sha256}


def test_many_first_loads_at_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing tables are created once, whichever load comes first."""
    monkeypatch.setattr(postgres, "SWAP_SECONDS", 60)  # all wait for each other
    months = [Month("green", 2020, number) for number in range(1, 9)]
    loads = [made(tmp_path, month, [str(month.month)]) for month in months]
    barrier = threading.Barrier(len(loads))

    def load(loaded: Loaded) -> int:
        barrier.wait(60)
        return database.warehouse().load(*loaded)

    with ThreadPoolExecutor(len(loads)) as pool:
        assert list(pool.map(load, loads)) == [1] * 8
    assert database.query(SUMS) == [(m.year_month, 1, float(m.month)) for m in months]


def stopping(step: str, database: Database, loaded: Loaded) -> list[str]:
    """Return the command of a load that stops at a step."""
    month, entry, path = loaded
    which = [month.dataset, str(month.year), str(month.month)]
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, str(STOPPING_LOAD), step, url, *which]
    return [*command, json.dumps(asdict(entry)), str(path)]


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_next_load_completes(
    database: Database, tmp_path: Path, step: str
) -> None:
    """The old or the new month is there, never a mixture, and nothing of the killed load stays."""
    warehouse = database.warehouse()
    warehouse.load(*made(tmp_path, OCTOBER, ["10.5", "4"]))
    there, corrected = database.tables(), made(tmp_path, OCTOBER, ["1", "2", "3"])
    process = subprocess.Popen(
        stopping(step, database, corrected), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    database.wait_until(NO_LOAD_RUNS)
    old, new = ("2020-10", 2, 14.5), ("2020-10", 3, 6.0)
    assert database.query(SUMS) == [new if step == "done" else old]
    assert database.tables() == there
    assert warehouse.load(*corrected) == 3
    assert database.query(SUMS) == [new]
    assert database.tables() == there
    assert warehouse.loaded("green") == {OCTOBER: corrected[1].object_sha256}


def test_a_server_that_stops_during_a_load_is_a_transient_error(
    postgres_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old month survives the restart, and the next load completes."""
    found = HeldCopy(postgres_copy._chunks)
    with (
        running_server(postgres_cache) as (server, port),
        new_database(server, port, "stopped") as database,
        ThreadPoolExecutor(1) as pool,
    ):
        warehouse, corrected = database.warehouse(), made(tmp_path, OCTOBER, ["1"])
        warehouse.load(*made(tmp_path, OCTOBER, ["10.5", "4"]))
        monkeypatch.setattr(postgres_copy, "_chunks", found.chunks)
        loading = pool.submit(warehouse.load, *corrected)
        assert found.there.wait(60)
        server.stop("immediate")
        found.go.set()
        with pytest.raises(Unavailable, match=r"green 2020-10: 127.0.0.1:.*/stopped does not"):
            loading.result(60)
        with pytest.raises(Unavailable, match="check that the server is running"):
            warehouse.loaded("green")
        server.start(port)
        assert database.query(SUMS) == [("2020-10", 2, 14.5)]
        assert warehouse.load(*corrected) == 1
        assert database.query(SUMS) == [("2020-10", 1, 1.0)]
        assert database.tables() == {"green_trips", "green_trips_2020_10", *LEDGERS}


def test_a_reader_that_does_not_end_makes_the_swap_give_up(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is Busy, which is retried; the month stays, and loads once the reader is gone."""
    warehouse, corrected = database.warehouse(), made(tmp_path, OCTOBER, ["1"])
    warehouse.load(*made(tmp_path, OCTOBER, ["10.5", "4"]))
    with closing(database.connect()) as reader, reader.cursor() as sql:
        reader.autocommit = False
        sql.execute("SELECT count(*) FROM green_trips")
        with monkeypatch.context() as patched:
            patched.setattr(postgres, "SWAP_SECONDS", 0.1)
            with pytest.raises(Busy, match=r"green 2020-10: .* has been in use"):
                warehouse.load(*corrected)
        assert database.query(SUMS) == [("2020-10", 2, 14.5)]
    assert warehouse.load(*corrected) == 1


def test_a_first_load_waits_for_no_reader(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new month is attached while a query of any length runs."""
    monkeypatch.setattr(postgres, "SWAP_SECONDS", 0.1)
    warehouse = database.warehouse()
    warehouse.load(*made(tmp_path, OCTOBER, ["10.5"]))
    with closing(database.connect()) as reader, reader.cursor() as sql:
        reader.autocommit = False
        sql.execute("SELECT count(*) FROM green_trips")
        assert warehouse.load(*made(tmp_path, NOVEMBER, ["7"])) == 1


def test_a_wrong_password_is_reported_without_showing_it(database: Database) -> None:
    """It is not transient, so it is not retried; no secret is shown."""
    wrong = postgres_at(database.url.set(password="not this one"), {})
    with pytest.raises(StorageError, match="password authentication failed") as found:
        wrong.loaded("green")
    assert not isinstance(found.value, Unavailable)
    right = database.warehouse()
    for text in (str(found.value), repr(wrong), wrong.name(), repr(right), right.name()):
        assert "not this one" not in text
        assert PASSWORD not in text
    assert right.name() == f"127.0.0.1:{database.port}/{database.name}"


@pytest.mark.parametrize(
    ("database_name", "query", "said"),
    [
        ("nobodys", {}, 'database "nobodys" does not exist'),
        (None, {"sslmode": "require"}, "server does not support SSL"),
        (None, {"nonsense": "1"}, 'invalid connection option "nonsense"'),
    ],
)
def test_a_wrong_block_is_reported_at_once(
    database: Database, database_name: str | None, query: dict[str, str], said: str
) -> None:
    """No retry helps; the error names the month, the database and where to correct it."""
    url = database.url.set(database=database_name or database.name, query=query)
    with pytest.raises(StorageError) as found:
        postgres_at(url, {}).loaded_month(OCTOBER)
    assert not isinstance(found.value, Unavailable)
    assert str(found.value).startswith(
        f"green 2020-10: 127.0.0.1:{database.port}/{url.database} refused ("
    )
    assert said in str(found.value)
    assert "correct what it names, in the block or in the database" in str(found.value)


@pytest.fixture
def roles(database: Database) -> Iterator[None]:
    """Create a loader and a reader without rights."""
    for role in ("loader", "reader"):
        database.query(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    yield
    for role in ("loader", "reader"):
        database.query(f"DROP OWNED BY {role}")
        database.query(f"DROP ROLE {role}")


@pytest.mark.usefixtures("roles")
def test_the_rights_of_the_readme_suffice(database: Database, tmp_path: Path) -> None:
    """The loader may make tables in a schema, and the reader still reads after a reload."""
    readme = (Path(__file__).absolute().parents[3] / "docs" / "postgres.md").read_text()
    for_loader, *for_reader = [
        line.strip() for line in readme.splitlines() if line.startswith("    GRANT ")
    ]
    loader = postgres_at(database.url.set(username="loader"), {})
    october = made(tmp_path, OCTOBER, ["10.5"])
    with pytest.raises(StorageError, match="permission denied for schema public"):
        loader.load(*october)
    database.query(for_loader.replace(" trips;", " loader;"))
    loader.load(*october)
    for grant in for_reader:
        database.query(grant)
    loader.load(*made(tmp_path, OCTOBER, ["1", "2"]))
    reader = postgres_at(database.url.set(username="reader"), {})
    assert reader.loaded("green").keys() == {OCTOBER}
    with closing(reader.connect()) as db, db.cursor() as sql:
        sql.execute(SUMS)
        assert sql.fetchall() == [("2020-10", 2, 3.0)]
    database.query("DELETE FROM green_trips WHERE total_amount = 1")
    database.query("SELECT pg_stat_reset()")  # as after a crash of the server
    there = reader.loaded_month(OCTOBER)
    assert there
    assert (there.loaded, there.found) == (2, 1)


@pytest.mark.usefixtures("roles")
def test_members_of_the_owner_of_a_table_load_in_turn(database: Database, tmp_path: Path) -> None:
    """A partition belongs to the same role, whoever of them loaded it."""
    loader, reader = (
        postgres_at(database.url.set(username=name), {}) for name in ("loader", "reader")
    )
    database.query("CREATE ROLE team; GRANT team TO loader, reader")
    try:
        database.query("GRANT CREATE, USAGE ON SCHEMA public TO team")
        loader.load(*made(tmp_path, OCTOBER, ["10.5"]))
        for table in ("green_trips", "green_trips_2020_10", *LEDGERS):
            database.query(f"ALTER TABLE {table} OWNER TO team")
        loader.load(*made(tmp_path, OCTOBER, ["1"]))
        loader.load(*made(tmp_path, NOVEMBER, ["7"]))
        reader.load(*made(tmp_path, OCTOBER, ["2", "3"]))
        reader.drop(NOVEMBER)
        assert database.query(SUMS) == [("2020-10", 2, 5.0)]
        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        assert database.query(owners) == [("team",)]
    finally:
        database.query("DROP OWNED BY team; DROP ROLE team")


@pytest.mark.usefixtures("roles")
def test_a_role_that_inherits_the_owners_rights_loads_without_becoming_it(
    database: Database, tmp_path: Path
) -> None:
    """As `createrole_self_grant = inherit` grants them, since PostgreSQL 16."""
    if database.query("SELECT current_setting('server_version_num')::int < 160000") == [(True,)]:
        pytest.skip("PostgreSQL has such grants since version 16")
    loader = postgres_at(database.url.set(username="loader"), {})
    database.query("CREATE ROLE team; GRANT team TO loader WITH INHERIT TRUE, SET FALSE")
    try:
        database.query("GRANT CREATE, USAGE ON SCHEMA public TO team")
        database.warehouse().load(*made(tmp_path, OCTOBER, ["10.5"]))
        for table in ("green_trips", "green_trips_2020_10", *LEDGERS):
            database.query(f"ALTER TABLE {table} OWNER TO team")
        loader.load(*made(tmp_path, OCTOBER, ["1"]))
        assert database.query(SUMS) == [("2020-10", 1, 1.0)]
    finally:
        database.query("DROP OWNED BY team; DROP ROLE team")


@pytest.mark.usefixtures("roles")
def test_a_table_of_somebody_else_names_its_owner(database: Database, tmp_path: Path) -> None:
    """Rights on the table do not suffice: only its owner may attach partitions."""
    database.warehouse().load(*made(tmp_path, OCTOBER, ["10.5"]))
    database.query("GRANT CREATE, USAGE ON SCHEMA public TO loader")
    database.query("GRANT ALL ON ALL TABLES IN SCHEMA public TO loader")
    loader = postgres_at(database.url.set(username="loader"), {})
    with pytest.raises(StorageError, match=r"owner of table green_trips\).*run as the role"):
        loader.load(*made(tmp_path, NOVEMBER, ["7"]))


@pytest.fixture
def own_schema(database: Database) -> Iterator[Callable[[str], None]]:
    """Return a function that creates a schema of a role's own, first in its search path."""
    created: list[str] = []

    def create(role: str) -> None:
        created.append(role)
        database.query(f"CREATE SCHEMA {role} AUTHORIZATION {role}")

    yield create
    for role in created:
        database.query(f"DROP SCHEMA {role} CASCADE")


def test_a_new_schema_in_front_hides_no_month(
    database: Database, tmp_path: Path, own_schema: Callable[[str], None]
) -> None:
    """PostgreSQL creates tables in the first schema of the search path, but finds those of all."""
    warehouse = database.warehouse()
    warehouse.load(*made(tmp_path, OCTOBER, ["1", "2"]))
    warehouse.pin(OCTOBER, "2021-01-01")
    own_schema(USER)
    warehouse.load(*made(tmp_path, NOVEMBER, ["7"]))
    assert database.query(SUMS) == [("2020-10", 2, 3), ("2020-11", 1, 7)]
    assert warehouse.loaded("green").keys() == {OCTOBER, NOVEMBER}
    there = warehouse.entry(OCTOBER)
    assert there
    assert there.pinned
    ledgers = (
        "SELECT schemaname FROM pg_tables WHERE tablename IN ('loaded_months', 'rejected_rows')"
    )
    assert database.query(ledgers) == [("public",), ("public",)]


@pytest.mark.usefixtures("roles")
def test_a_ledger_that_belongs_to_somebody_else_is_not_written_to(
    database: Database, tmp_path: Path, own_schema: Callable[[str], None]
) -> None:
    """A role that only reads it has a ledger of its own, in its own schema."""
    database.warehouse().load(*made(tmp_path, OCTOBER, ["1", "2"]))
    database.query("GRANT SELECT ON loaded_months TO loader")
    own_schema("loader")
    loader, month = postgres_at(database.url.set(username="loader"), {}), sampled(tmp_path, 5)
    loader.load(*month)
    assert database.query("SELECT dataset FROM loaded_months") == [("green",)]
    assert database.query("SELECT dataset FROM loader.loaded_months") == [("yellow",)]
    assert loader.loaded("yellow").keys() == {month[0]}


@pytest.mark.usefixtures("roles")
def test_a_table_of_rejected_rows_without_the_right_to_insert_is_named_and_stays(
    database: Database, tmp_path: Path
) -> None:
    """The role may write to the ledger, and to the schema, but not to that table."""
    database.warehouse().load(*made(tmp_path, OCTOBER, ["1", "2"]))
    database.query("ALTER TABLE rejected_rows REPLICA IDENTITY DEFAULT")
    database.query("GRANT SELECT, INSERT, UPDATE, DELETE ON loaded_months TO loader")
    database.query("GRANT USAGE, CREATE ON SCHEMA public TO loader")
    loader = postgres_at(database.url.set(username="loader"), {})
    with pytest.raises(StorageError, match="permission denied for table rejected_rows"):
        loader.load(*sampled(tmp_path, 5))


@pytest.mark.usefixtures("roles")
def test_a_ledger_of_an_older_version_names_its_owner_if_others_write_to_it(
    database: Database, tmp_path: Path, own_schema: Callable[[str], None]
) -> None:
    """Only its owner may add the column that it lacks."""
    database.warehouse().load(*made(tmp_path, OCTOBER, ["1", "2"]))
    database.query("ALTER TABLE loaded_months DROP COLUMN table_name")
    database.query("GRANT SELECT, INSERT, UPDATE, DELETE ON loaded_months, rejected_rows TO loader")
    own_schema("loader")
    loader, month = postgres_at(database.url.set(username="loader"), {}), sampled(tmp_path, 5)
    with pytest.raises(StorageError, match=r"must be owner of table loaded_months.*as its owner"):
        loader.load(*month)
    database.warehouse().load(*made(tmp_path, NOVEMBER, ["3"]))
    loader.load(*month)
    assert database.query("SELECT DISTINCT dataset FROM loaded_months ORDER BY 1") == [
        ("green",),
        ("yellow",),
    ]


def test_another_database_than_postgres_is_refused() -> None:
    """A SQLAlchemy block can point to any database."""
    with pytest.raises(UsageError, match="points to mysql"):
        postgres_at(make_url("mysql://somewhere/trips"), {})


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_month(database: Database, tmp_path: Path) -> None:
    """Three times the rows and row groups take at most a tenth more."""
    peaks = [
        float(subprocess.check_output(stopping("-", database, sampled(tmp_path, rows))))
        for rows in (140_000, 420_000)
    ]
    assert peaks[1] <= 1.1 * peaks[0]


def everything(path: Path, database: Database, table: str) -> tuple[Counter[Any], Counter[Any]]:
    """Return all rows of a table of both warehouses, in any order."""
    found = DuckDBFile(path).query(f"SELECT * FROM {table}")
    return Counter(found), Counter(database.query(f"SELECT * FROM {table}"))


def test_both_warehouses_have_the_same_rows(database: Database, tmp_path: Path) -> None:
    """A generated month with its oddities is compared row by row."""
    loaded, path = sampled(tmp_path, 20_000), tmp_path / "trips.duckdb"
    assert DuckDBFile(path).load(*loaded) == database.warehouse().load(*loaded) == 20_000
    embedded, served = everything(path, database, "yellow_trips")
    assert embedded == served


@pytest.mark.real
def test_both_warehouses_have_the_same_rows_of_a_real_month(
    database: Database, tmp_path: Path
) -> None:
    """Green 2020-10 as published is compared row by row, and by its sum in SQL."""
    beside = Path(__file__).parents[4] / "shared" / "data"
    folder = Path(os.environ.get("TLC_REAL_DATA", beside))
    source = folder / "tlc" / "green" / f"{OCTOBER.stem}.csv.gz"
    if not source.exists():
        pytest.skip(f"real files are not here: {source} (set TLC_REAL_DATA)")
    loaded, path = converted(tmp_path / "real", OCTOBER, source), tmp_path / "trips.duckdb"
    rows = loaded[1].rows_written
    assert DuckDBFile(path).load(*loaded) == database.warehouse().load(*loaded) == rows
    embedded, served = everything(path, database, "green_trips")
    assert embedded == served
    (total,) = DuckDBFile(path).query("SELECT sum(total_amount) FROM green_trips")
    assert database.query(SUMS) == [("2020-10", rows, pytest.approx(total[0]))]


# ---- what the warehouse holds of a month


def test_the_statistics_prove_a_month_that_nobody_changed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are counted again only if the statistics were reset."""
    warehouse, (month, entry, path) = database.warehouse(), made(tmp_path, OCTOBER, ["1", "2"])
    warehouse.load(month, entry, path)
    counters = (
        "SELECT pg_stat_get_tuples_inserted(oid), pg_stat_get_tuples_updated(oid), "
        "pg_stat_get_tuples_deleted(oid) FROM pg_class WHERE relname = 'green_trips_2020_10'"
    )
    # They are counted once the session of the load has ended.
    database.wait_until(f"SELECT (2, 0, 0) = ({counters})")
    assert warehouse.loaded_month(month) == LoadedMonth(entry.object_sha256, 2, 2)
    database.query("SELECT pg_stat_reset()")
    assert database.query(counters) == [(0, 0, 0)]
    assert warehouse.loaded_month(month) == LoadedMonth(entry.object_sha256, 2, 2)


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("DELETE FROM green_trips WHERE total_amount > 1", 1),
        ("INSERT INTO green_trips SELECT * FROM green_trips", 4),
        ("TRUNCATE green_trips", 0),
        ("TRUNCATE green_trips_2020_10", 0),
        ("UPDATE green_trips SET total_amount = 3", 2),
        ("ALTER TABLE green_trips DETACH PARTITION green_trips_2020_10", 0),
        ("DROP TABLE green_trips_2020_10", 0),
        ("DROP TABLE green_trips", 0),
    ],
)
def test_rows_that_were_changed_by_hand_are_counted(
    database: Database, tmp_path: Path, harm: str, found: int
) -> None:
    warehouse, (month, entry, path) = database.warehouse(), made(tmp_path, OCTOBER, ["1", "2"])
    assert warehouse.loaded_month(month) is None
    warehouse.load(month, entry, path)
    database.query(harm)
    assert warehouse.loaded_month(month) == LoadedMonth(entry.object_sha256, 2, found)
    warehouse.load(month, entry, path)
    assert warehouse.loaded_month(month) == LoadedMonth(entry.object_sha256, 2, 2)
    assert warehouse.loaded_month(NOVEMBER) is None


def test_a_partition_that_somebody_detached_is_kept_next_to_the_new_one(
    database: Database, tmp_path: Path
) -> None:
    """This holds for any number of times."""
    warehouse, october = database.warehouse(), made(tmp_path, OCTOBER, ["1", "2"])
    warehouse.load(*october)
    for kept in ("green_trips_2020_10_detached", "green_trips_2020_10_detached_2"):
        database.query("ALTER TABLE green_trips DETACH PARTITION green_trips_2020_10")
        warehouse.load(*october)
        assert database.query(f"SELECT count(*) FROM {kept}") == [(2,)]
    assert database.query("SELECT count(*) FROM green_trips") == [(2,)]


def test_a_column_is_measured_only_under_its_own_name(database: Database, tmp_path: Path) -> None:
    """PostgreSQL distinguishes case; another month may have kept the column in a different one."""
    warehouse = database.warehouse()
    warehouse.load(*made(tmp_path, OCTOBER, ["1", "2"]))
    database.query('ALTER TABLE green_trips ADD COLUMN "Fee" text')
    database.query("""UPDATE green_trips SET "Fee" = 'x'""")
    for extra in ("", 'ALTER TABLE green_trips ADD COLUMN "FEE" integer'):
        database.query(extra or "SELECT 1")
        columns = [Column(name, "string", "") for name in ("fee", "Fee", "FEE")]
        found = warehouse.figures("green", columns)[OCTOBER]
        assert found.columns == {"Fee": Figures(2, "x", "x", 2)}


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE green_trips_2020_10 DROP COLUMN fare_amount",
        "ALTER TABLE green_trips_2020_10 ADD COLUMN mine int",
        "ALTER TABLE green_trips ADD COLUMN mine int",
    ],
)
def test_a_detached_partition_with_other_columns_does_not_shape_the_new_one(
    database: Database, tmp_path: Path, change: str
) -> None:
    """A detached table does not get columns that are declared later."""
    warehouse, october = database.warehouse(), made(tmp_path, OCTOBER, ["1", "2"])
    warehouse.load(*october)
    database.query("ALTER TABLE green_trips DETACH PARTITION green_trips_2020_10")
    database.query(change)
    warehouse.load(*october)
    assert database.query(SUMS) == [("2020-10", 2, 3)]
    assert database.query("SELECT count(*) FROM green_trips_2020_10_detached") == [(2,)]


NEWER = "entry || '{\"newer\": 1}'"


@pytest.mark.parametrize("stored", [NEWER, "'7'", "'null'"])
def test_an_entry_of_another_version_is_named_and_hides_no_other_month(
    database: Database, tmp_path: Path, stored: str
) -> None:
    warehouse, november = database.warehouse(), made(tmp_path, NOVEMBER, ["7"])
    warehouse.load(*made(tmp_path, OCTOBER, ["1", "2"]))
    warehouse.load(*november)
    database.query(f"UPDATE loaded_months SET entry = {stored} WHERE file_month = '2020-10-01'")
    december = Month("green", 2020, 12)
    assert warehouse.history(december) == [november[1]]
    uses: list[Callable[[], object]] = [
        lambda: warehouse.entry(OCTOBER),
        lambda: warehouse.pin(OCTOBER, "2021-01-01"),
    ]
    for use in uses:
        with pytest.raises(StorageError) as caught:
            use()
        what = "was written by a newer version"
        if stored != NEWER:
            what = "has no entry that this version can read"
        assert caught.value.message == (
            f"green 2020-10: its row of loaded_months in the database test {what}"
        )
    if stored != NEWER:
        assert warehouse.entry(OCTOBER, garbled_too=True) is None
        return
    with pytest.raises(StorageError, match="by a newer version; update this project; remove that"):
        warehouse.entry(OCTOBER, garbled_too=True)


def test_a_pin_of_another_version_holds(database: Database, tmp_path: Path) -> None:
    """Nothing else has the rows of a month that was loaded without a bucket."""
    warehouse = database.warehouse()
    warehouse.load(*made(tmp_path, OCTOBER, ["1", "2"]))
    warehouse.pin(OCTOBER, "2021-01-01")
    database.query("UPDATE loaded_months SET entry = entry || '{\"newer\": 1}'")
    source = tmp_path / f"{OCTOBER.stem}.csv"
    source.write_text(trips(OCTOBER.year_month, ["7"]))

    def ingest() -> Entry:
        with Rows(OCTOBER, source, tmp_path, Rules()) as rows:
            return warehouse.ingest(rows, published_download(OCTOBER, source))

    def plan() -> Entry | None:
        return warehouse.entry(OCTOBER, garbled_too=True)

    for use in (plan, ingest):
        with pytest.raises(StorageError) as caught:
            use()
        assert caught.value.message == (
            "green 2020-10: its row of loaded_months in the database test is pinned, but has no "
            "entry that this version can read"
        )
    assert database.query(SUMS) == [("2020-10", 2, 3)]


@pytest.mark.parametrize("rows", [0, 3])
def test_a_month_without_a_value_is_loaded(database: Database, tmp_path: Path, rows: int) -> None:
    """A COPY names at least one column, even for a month whose rows were all rejected."""
    schema = DATASETS["green"].schema
    columns = {n: [None] * rows for n in schema.names} | {"file_month": [OCTOBER.first_day] * rows}
    path = tmp_path / "empty.parquet"
    table = pa.table(columns, schema=schema)
    write_row_groups(path, schema, table.to_batches() if rows else [], 1000)
    _, entry, _ = made(tmp_path, OCTOBER, ["1"])
    assert database.warehouse().load(OCTOBER, replace(entry, rows_written=rows), path) == rows
    found = database.query("SELECT file_month, count(*) FROM green_trips GROUP BY 1")
    assert found == ([(OCTOBER.first_day, rows)] if rows else [])


@pytest.mark.parametrize(
    ("loaded", "expected", "said"),
    [
        ("", None, ""),
        ("", [""], ""),
        ("", ["new"], "was replaced"),
        ("old", None, ""),
        ("old", ["old"], ""),
        ("old", ["new", "old"], ""),
        ("old", ["new"], "was replaced"),
        ("old", [""], "was replaced"),
    ],
)
def test_a_month_is_replaced_only_if_it_is_still_the_one_that_was_planned(
    loaded: str, expected: list[str] | None, said: str
) -> None:
    """A pinned month never is."""
    there = entries.entry_of(OCTOBER, source_sha256=loaded) if loaded else None
    with pytest.raises(Conflict, match=f"{said} in db meanwhile") if said else nullcontext():
        refuse_changed(OCTOBER, there, expected, "db")
    pinned = entries.entry_of(OCTOBER, source_sha256="old", pinned="2021-02-01T00:00:00+00:00")
    with pytest.raises(Conflict, match="green 2020-10 was pinned in db meanwhile; run again"):
        refuse_changed(OCTOBER, pinned, expected, "db")
