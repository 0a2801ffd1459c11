"""A load replaces exactly its month in the file, whatever else happens; DuckDB itself reads it."""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import AccountingError, Busy, SchemaError, StorageError, UsageError
from core.file_queue import FileQueue
from fakes.duckdb_files import attached
from fakes.entries import entry_of
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.warehouses import LEDGER, LoadedMonth, duckdb_opening
from monthly.warehouses import duckdb as duckdb_module
from monthly.warehouses.duckdb import DuckDBFile

JANUARY, FEBRUARY = Month("yellow", 2021, 1), Month("yellow", 2021, 2)
GREEN = Month("green", 2021, 1)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBFile:
    return DuckDBFile(tmp_path / "new" / "trips.duckdb")


def written(path: Path, month: Month, totals: Iterable[float]) -> Path:
    """Write a month in the canonical schema of which only the totals matter."""
    dataset = DATASETS[month.dataset]
    amounts = list(totals)
    values = {"total_amount": amounts, "file_month": [month.first_day] * len(amounts)}
    columns = [pa.array(values.get(f.name, [None] * len(amounts)), f.type) for f in dataset.schema]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns, schema=dataset.schema), path)
    return path


def load(
    warehouse: DuckDBFile, month: Month, totals: Iterable[float], sha256: str = "a", **entry: Any
) -> int:
    amounts = list(totals)
    path = written(warehouse.path.parent.parent / "scratch" / f"{month.stem}", month, amounts)
    fields = {"rows_written": len(amounts), "object_sha256": sha256} | entry
    return warehouse.load(month, entry_of(month, **fields), path)


def rows(warehouse: DuckDBFile, sql: str) -> list[tuple[Any, ...]]:
    with attached(warehouse.path, read_only=True) as db:
        return db.execute(sql).fetchall()


def sums(warehouse: DuckDBFile, table: str = "yellow_trips") -> dict[str, tuple[int, float]]:
    """Return rows and the sum of the totals, by month."""
    sql = f"SELECT file_month::VARCHAR, count(*), sum(total_amount) FROM {table} GROUP BY 1"
    return {month: (count, total) for month, count, total in rows(warehouse, sql)}


# ---- load


def test_first_load_makes_the_file_and_counts_its_rows(warehouse: DuckDBFile) -> None:
    assert load(warehouse, JANUARY, [1.5, 2.5], "a") == 2
    assert sums(warehouse) == {"2021-01-01": (2, 4.0)}
    assert warehouse.loaded("yellow") == {JANUARY: "a"}
    assert warehouse.name() == str(warehouse.path)
    others = {p.name for p in warehouse.path.parent.iterdir()} - {warehouse.path.name}
    assert all(name.endswith(".lock") for name in others)


def test_rows_are_counted_by_dataset_and_month(warehouse: DuckDBFile) -> None:
    """Neither the file nor the table needs to be there."""
    assert (warehouse.rows(JANUARY), warehouse.path.exists()) == (0, False)
    load(warehouse, JANUARY, [1.5, 2.5], "a")
    assert [warehouse.rows(month) for month in (JANUARY, GREEN)] == [2, 0]
    load(warehouse, GREEN, [1], "b")
    december = Month("green", 2020, 12)
    assert [warehouse.rows(month) for month in (JANUARY, GREEN, december)] == [2, 1, 0]


def test_load_replaces_exactly_its_month(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1, 2, 3], "a")
    load(warehouse, FEBRUARY, [10, 20], "b")
    load(warehouse, GREEN, [100], "c")
    load(warehouse, JANUARY, [4, 5], "d")
    assert sums(warehouse) == {"2021-01-01": (2, 9), "2021-02-01": (2, 30)}
    assert sums(warehouse, "green_trips") == {"2021-01-01": (1, 100)}
    assert warehouse.loaded("yellow") == {JANUARY: "d", FEBRUARY: "b"}
    assert warehouse.loaded("green") == {GREEN: "c"}
    assert warehouse.loaded("fhv") == {}


def test_second_load_of_the_same_changes_nothing(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1, 2, 3])
    everything = "SELECT * FROM yellow_trips ORDER BY total_amount"
    before = rows(warehouse, everything)
    load(warehouse, JANUARY, [1, 2, 3])
    assert rows(warehouse, everything) == before
    assert len(rows(warehouse, f"FROM {LEDGER}")) == 1


def test_ledger_row_says_what_was_loaded(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1, 2, 3], "abc", schema_version=7)
    sql = f"SELECT dataset, file_month, object_sha256, rows, schema_version FROM {LEDGER}"
    assert rows(warehouse, sql) == [("yellow", dt.date(2021, 1, 1), "abc", 3, 7)]


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_table_has_the_declared_columns_with_their_descriptions(
    warehouse: DuckDBFile, dataset: str
) -> None:
    month = Month(dataset, 2024, 1)
    load(warehouse, month, [1])
    found = rows(
        warehouse,
        "SELECT column_name, comment FROM duckdb_columns() "
        f"WHERE table_name = '{DATASETS[dataset].table}' ORDER BY column_index",
    )
    assert found == [(c.name, c.about) for c in DATASETS[dataset].columns]


def test_types_are_those_of_the_parquet_file(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1])
    path = written(warehouse.path.parent / "again.parquet", JANUARY, [1])
    of_file = duckdb.execute(f"DESCRIBE FROM read_parquet('{path}')").fetchall()
    of_table = rows(warehouse, "DESCRIBE yellow_trips")
    assert [row[:2] for row in of_table] == [row[:2] for row in of_file]


def test_path_that_looks_like_a_pattern_is_that_file(warehouse: DuckDBFile, tmp_path: Path) -> None:
    path = written(tmp_path / "x[1]?*" / "month.parquet", JANUARY, [1])
    written(tmp_path / "x1" / "month.parquet", JANUARY, [1000])
    written(tmp_path / "x1yz" / "month.parquet", JANUARY, [1000])
    warehouse.load(JANUARY, entry_of(JANUARY, rows_written=1), path)
    assert sums(warehouse) == {"2021-01-01": (1, 1)}


# ---- a load that does not finish


@pytest.mark.parametrize("counted", [2, 4])
def test_load_of_another_count_than_the_ledgers_is_rolled_back(
    warehouse: DuckDBFile, counted: int
) -> None:
    load(warehouse, JANUARY, [1, 2, 3], "a")
    said = rf"yellow 2021-01: .*trips\.duckdb counted 3 rows where the ledger has {counted};"
    with pytest.raises(AccountingError, match=said):
        load(warehouse, JANUARY, [10, 20, 30], "b", rows_written=counted)
    assert sums(warehouse) == {"2021-01-01": (3, 6)}
    assert warehouse.loaded("yellow") == {JANUARY: "a"}


def test_object_of_another_month_is_not_a_row_of_this_one(warehouse: DuckDBFile) -> None:
    load(warehouse, FEBRUARY, [7], "b")
    path = written(warehouse.path.parent / "february.parquet", FEBRUARY, [10])
    with pytest.raises(AccountingError, match="counted 0 rows where the ledger has 1"):
        warehouse.load(JANUARY, entry_of(JANUARY, rows_written=1), path)
    assert sums(warehouse) == {"2021-02-01": (1, 7)}


def test_object_that_is_not_parquet_is_refused_and_the_month_stays(
    warehouse: DuckDBFile, tmp_path: Path
) -> None:
    load(warehouse, JANUARY, [1, 2, 3], "a")
    (tmp_path / "broken").write_bytes(b"PAR1 and no more")
    with pytest.raises(StorageError, match=r"yellow 2021-01: .* MB are free there; .* as before"):
        warehouse.load(JANUARY, entry_of(JANUARY), tmp_path / "broken")
    assert sums(warehouse) == {"2021-01-01": (3, 6)}
    assert warehouse.loaded("yellow") == {JANUARY: "a"}


@pytest.mark.parametrize("step", ["_replace", "_remember"])
def test_killed_load_leaves_the_old_month(warehouse: DuckDBFile, step: str) -> None:
    load(warehouse, JANUARY, [1, 2, 3], "a")
    path = written(warehouse.path.parent / "corrected.parquet", JANUARY, range(100_000))
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from fakes.entries import entry_of\n"
        "from monthly.month import Month\n"
        "from monthly.warehouses import duckdb as module\n"
        f"real = module.{step}\n"
        "def deadly(*arguments):\n"
        "    real(*arguments)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"module.{step} = deadly\n"
        "month = Month('yellow', 2021, 1)\n"
        "entry = entry_of(month, rows_written=100_000)\n"
        "module.DuckDBFile(Path(sys.argv[1])).load(month, entry, Path(sys.argv[2]))\n"
    )
    killed = python(code, warehouse.path, path)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert sums(warehouse) == {"2021-01-01": (3, 6)}
    assert warehouse.loaded("yellow") == {JANUARY: "a"}
    load(warehouse, JANUARY, [10, 20], "b")
    assert sums(warehouse) == {"2021-01-01": (2, 30)}


def test_kill_while_the_file_is_made_leaves_none(
    warehouse: DuckDBFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB writes three blocks into a new file, and cannot open one that lacks any."""

    class Killed(BaseException):
        pass

    real = duckdb_opening._attached

    def attached(path: Path, file: Path, read_only: bool) -> NoReturn:
        with real(path, file, read_only):
            pass
        os.truncate(file, 4096)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(duckdb_opening, "_attached", attached)
        patched.setattr(Path, "unlink", lambda *_, **__: None)  # a kill cleans up nothing
        with pytest.raises(Killed):
            load(warehouse, JANUARY, [1])
    assert not warehouse.path.exists()
    assert any(path.stat().st_size == 4096 for path in warehouse.path.parent.iterdir())
    assert warehouse.loaded("yellow") == {}
    load(warehouse, JANUARY, [1])
    assert sums(warehouse) == {"2021-01-01": (1, 1)}
    assert {path.stat().st_size for path in warehouse.path.parent.iterdir()} == {
        0,  # the lock
        warehouse.path.stat().st_size,
    }


# ---- existing tables and months


def test_table_of_other_types_is_refused_with_every_difference(warehouse: DuckDBFile) -> None:
    warehouse.path.parent.mkdir()
    with attached(warehouse.path) as db:
        db.execute("CREATE TABLE yellow_trips (VendorID VARCHAR, total_amount INTEGER, mine INT)")
        db.execute("INSERT INTO yellow_trips VALUES ('x', 1, 2)")
    with pytest.raises(SchemaError) as caught:
        load(warehouse, JANUARY, [1])
    assert str(caught.value) == (
        "yellow 2021-01: table yellow_trips has other types than flows/datasets/yellow.toml "
        "declares (VendorID is VARCHAR, not BIGINT; total_amount is INTEGER, not DOUBLE); declare "
        "these types, or rename or drop yellow_trips, then run again: its months then count as "
        "not loaded"
    )
    assert rows(warehouse, "FROM yellow_trips") == [("x", 1, 2)]
    assert rows(warehouse, "SHOW TABLES") == [("yellow_trips",)]


def test_older_table_gets_the_newer_columns_and_keeps_its_rows(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1, 2], "a")
    with attached(warehouse.path) as db:
        db.execute("ALTER TABLE yellow_trips DROP COLUMN cbd_congestion_fee")
        db.execute("ALTER TABLE yellow_trips ADD COLUMN mine VARCHAR")
        db.execute("UPDATE yellow_trips SET mine = 'kept'")
    load(warehouse, FEBRUARY, [10], "b")
    assert sums(warehouse) == {"2021-01-01": (2, 3), "2021-02-01": (1, 10)}
    names = {row[0]: row[1] for row in rows(warehouse, "DESCRIBE yellow_trips")}
    assert names["cbd_congestion_fee"] == "DOUBLE"
    mine = rows(warehouse, "SELECT DISTINCT file_month::VARCHAR, mine FROM yellow_trips ORDER BY 1")
    assert mine == [("2021-01-01", "kept"), ("2021-02-01", None)]


def test_a_table_whose_month_was_renamed_is_refused(warehouse: DuckDBFile) -> None:
    """A load would not find the rows to replace, and would add the month a second time."""
    load(warehouse, JANUARY, [1, 2], "a")
    with attached(warehouse.path) as db:
        db.execute("ALTER TABLE yellow_trips RENAME COLUMN file_month TO month")
    with pytest.raises(SchemaError) as caught:
        load(warehouse, JANUARY, [3], "b")
    assert str(caught.value) == (
        "yellow 2021-01: table yellow_trips has no column file_month, which tells its months "
        "apart; rename the column back, or rename or drop yellow_trips, then run again: its "
        "months then count as not loaded"
    )
    assert str(warehouse.refusal("yellow")) == str(caught.value).partition(": ")[2]
    assert warehouse.refusal("green") is None
    assert rows(warehouse, "SELECT total_amount FROM yellow_trips ORDER BY 1") == [(1,), (2,)]
    with attached(warehouse.path) as db:
        db.execute("ALTER TABLE yellow_trips RENAME COLUMN month TO file_month")
    load(warehouse, JANUARY, [3], "b")
    assert sums(warehouse) == {"2021-01-01": (1, 3)}


def test_months_of_a_dropped_table_are_not_loaded(warehouse: DuckDBFile) -> None:
    """This holds without a new table and with one."""
    load(warehouse, JANUARY, [1], "a")
    load(warehouse, FEBRUARY, [2], "b")
    load(warehouse, GREEN, [3], "c")
    with attached(warehouse.path) as db:
        db.execute("DROP TABLE yellow_trips")
    assert warehouse.loaded("yellow") == {}
    assert warehouse.loaded_month(JANUARY) == LoadedMonth("a", 1, 0)
    load(warehouse, FEBRUARY, [2], "b")
    assert warehouse.loaded("yellow") == {FEBRUARY: "b"}
    assert warehouse.loaded_month(JANUARY) is None
    assert warehouse.loaded("green") == {GREEN: "c"}
    load(warehouse, JANUARY, [1], "a")
    assert sums(warehouse) == {"2021-01-01": (1, 1.0), "2021-02-01": (1, 2.0)}


def test_a_copy_of_the_tables_is_loaded_into(warehouse: DuckDBFile, tmp_path: Path) -> None:
    """CREATE TABLE AS copies no primary key."""
    load(warehouse, JANUARY, [1, 2], "a")
    load(warehouse, FEBRUARY, [3], "b")
    copy = DuckDBFile(tmp_path / "copy.duckdb")
    with attached(copy.path) as db:
        db.execute(f"ATTACH '{warehouse.path}' AS old (READ_ONLY)")
        for table in ("yellow_trips", LEDGER):
            db.execute(f"CREATE TABLE {table} AS FROM old.{table}")
        db.execute("DETACH old")
    load(copy, JANUARY, [4], "c")
    assert sums(copy) == {"2021-01-01": (1, 4), "2021-02-01": (1, 3)}
    assert sorted(rows(copy, f"SELECT object_sha256 FROM {LEDGER}")) == [("b",), ("c",)]


def test_tables_of_the_same_names_in_another_schema_are_not_ours(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1], "a")
    with attached(warehouse.path) as db:
        db.execute("CREATE SCHEMA mine")
        db.execute("CREATE TABLE mine.yellow_trips (VendorID VARCHAR)")
        db.execute(f"CREATE TABLE mine.{LEDGER} (dataset VARCHAR)")
    assert warehouse.loaded("yellow") == {JANUARY: "a"}
    assert load(warehouse, JANUARY, [2], "b") == 1
    assert sums(warehouse) == {"2021-01-01": (1, 2)}


# ---- loaded


def test_loaded_of_a_missing_file_is_empty_and_makes_none(
    warehouse: DuckDBFile, tmp_path: Path
) -> None:
    assert warehouse.loaded("yellow") == {}
    assert list(tmp_path.iterdir()) == []


def test_loaded_of_a_file_without_our_ledger_is_empty(warehouse: DuckDBFile) -> None:
    warehouse.path.parent.mkdir()
    with attached(warehouse.path) as db:
        db.execute("CREATE TABLE other (a INT)")
    assert warehouse.loaded("yellow") == {}


def test_file_that_is_not_a_database_is_refused_at_once(
    warehouse: DuckDBFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_opening, "WAIT_SECONDS", 0)
    warehouse.path.parent.mkdir()
    warehouse.path.write_bytes(b"block by block " * 1000)
    with pytest.raises(StorageError, match=r"trips\.duckdb cannot be opened .*valid") as caught:
        warehouse.loaded("yellow")
    assert not isinstance(caught.value, Busy)
    assert "the file stays as it is; name another path" in str(caught.value)


def test_a_damaged_file_is_named_with_its_month_and_the_way_out(warehouse: DuckDBFile) -> None:
    """DuckDB raises a plain Error for a block whose checksum is wrong, or an IOException."""
    load(warehouse, JANUARY, [1])
    content = bytearray(warehouse.path.read_bytes())
    first = content.index(b"DUCK") + 4
    content[first] ^= 0xFF
    warehouse.path.write_bytes(content)
    for use in (lambda: warehouse.loaded_month(JANUARY), lambda: load(warehouse, JANUARY, [2])):
        with pytest.raises(StorageError) as found:
            use()
        said = str(found.value)
        assert said.startswith(f"yellow 2021-01: {warehouse.path} cannot be opened (")
        assert "Corrupt database file" in said
        assert said.endswith(
            "move it away, and the next run loads its months from the bucket again"
        )


def test_a_table_of_something_else_is_named_with_its_month(warehouse: DuckDBFile) -> None:
    warehouse.path.parent.mkdir()
    with attached(warehouse.path) as db:
        db.execute("CREATE TABLE loaded_months (a INT)")
    with pytest.raises(StorageError) as found:
        warehouse.loaded_month(JANUARY)
    said = str(found.value)
    assert said.startswith(f"yellow 2021-01: {warehouse.path} cannot be read (Binder Error: ")
    assert said.endswith(
        "rename or drop the table if something else made or changed it, then run again"
    )
    assert "\n" not in said


def test_a_wrong_memory_limit_is_a_usage_error(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1])
    with pytest.raises(UsageError, match=r"has the memory_limit 'plenty' .*; write it like 1GB"):
        replace(warehouse, memory_limit="plenty").loaded_month(JANUARY)


@pytest.mark.parametrize("folder", ["locks", "lock", "blocked"])
def test_name_with_lock_in_it_is_not_taken_for_a_lock(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB's message for a locked file contains the path."""
    monkeypatch.setattr(duckdb_opening, "WAIT_SECONDS", 0)
    (tmp_path / folder / "trips.duckdb").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be opened") as caught:
        DuckDBFile(tmp_path / folder / "trips.duckdb").loaded("yellow")
    assert not isinstance(caught.value, Busy)


OTHER_LOG = (
    "that .wal file is damaged or belongs to another database: .* or move the .wal file away"
)


def leave_a_log(path: Path, sql: str) -> Path:
    """Change a database, end before DuckDB moves the changes out of its log, and return the log."""
    changing = python(
        "import os, sys, duckdb\n"
        "db = duckdb.connect(sys.argv[1])\n"
        "db.execute(\"SET checkpoint_threshold = '1GB'\")\n"
        "db.execute(sys.argv[2])\n"
        "os._exit(0)\n",
        path,
        sql,
    )
    changing.communicate(timeout=60)
    return Path(f"{path}.wal")


def test_changes_to_a_database_that_is_gone_do_not_get_into_a_new_one(
    warehouse: DuckDBFile,
) -> None:
    warehouse.path.parent.mkdir()
    log = leave_a_log(warehouse.path, "CREATE TABLE mine AS SELECT 1 AS a")
    warehouse.path.rename(warehouse.path.with_name("moved away"))
    with pytest.raises(StorageError) as caught:
        load(warehouse, JANUARY, [1])
    assert str(caught.value) == (
        f"yellow 2021-01: {log} has changes to a database that is gone; put "
        f"{warehouse.path.name} back, or move the .wal file away, then run again"
    )
    assert not warehouse.path.exists()
    log.rename(log.with_name("moved away.wal"))
    load(warehouse, JANUARY, [1])
    assert ("mine",) not in rows(warehouse, "SHOW TABLES")
    with attached(log.with_name("moved away")) as db:
        assert db.execute("FROM mine").fetchall() == [(1,)]


def test_the_log_of_a_file_that_another_process_just_created_is_no_leftover(
    warehouse: DuckDBFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That process may create the file, and write to it, while this one looks for both."""
    load(warehouse, JANUARY, [1])
    leave_a_log(warehouse.path, "CREATE TABLE mine AS SELECT 1 AS a")
    there, late = Path.exists, [warehouse.path]

    def exists(path: Path) -> bool:
        if path in late:
            late.remove(path)
            return False
        return there(path)

    monkeypatch.setattr(Path, "exists", exists)
    assert load(warehouse, FEBRUARY, [2]) == 1
    assert not late
    assert sums(warehouse) == {"2021-01-01": (1, 1), "2021-02-01": (1, 2)}
    assert rows(warehouse, "FROM mine") == [(1,)]


def test_a_log_of_another_database_is_named_as_the_cause(warehouse: DuckDBFile) -> None:
    """DuckDB before 2.0 notices only a log that it cannot apply."""
    warehouse.path.parent.mkdir()
    log = leave_a_log(warehouse.path, "CREATE TABLE mine (a INT)")
    log.unlink()
    leave_a_log(warehouse.path, "CREATE TABLE mine (a INT); INSERT INTO mine VALUES (1)")
    warehouse.path.unlink()
    with attached(warehouse.path.with_name("other")) as db:
        db.execute("CREATE TABLE mine (b DATE)")
    warehouse.path.with_name("other").rename(warehouse.path)
    with pytest.raises(StorageError, match=OTHER_LOG):
        warehouse.loaded("yellow")


def test_a_damaged_log_is_named_and_its_months_come_back(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1])
    log = leave_a_log(warehouse.path, "CREATE TABLE mine AS SELECT 1 AS a")
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0xFF
    log.write_bytes(content)
    with pytest.raises(StorageError, match=OTHER_LOG):
        warehouse.loaded("yellow")
    log.rename(log.with_name("moved away"))
    assert warehouse.loaded("yellow") == {JANUARY: "a"}


def test_a_file_of_a_newer_duckdb_is_named_as_such(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1])
    content = bytearray(warehouse.path.read_bytes())
    content[12:20] = (5000).to_bytes(8, "little")
    content[:8] = checksum(bytes(content[8:4096]))
    warehouse.path.write_bytes(content)
    with pytest.raises(StorageError, match=r"the file stays as it is; update duckdb, or name"):
        warehouse.loaded("yellow")
    assert warehouse.path.read_bytes() == content


def checksum(block: bytes) -> bytes:
    """Return the checksum of a block as DuckDB computes it (src/common/checksum.cpp)."""
    found = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        found ^= word * 0xBF58476D1CE4E5B9 % 2**64
    return found.to_bytes(8, "little")


# ---- links


def test_a_link_to_a_file_that_does_not_exist_yet_stays_a_link(tmp_path: Path) -> None:
    """It may lead to a larger disk."""
    file, link = tmp_path / "large" / "real.duckdb", tmp_path / "trips.duckdb"
    link.symlink_to(file)
    with pytest.raises(StorageError) as caught:
        load(DuckDBFile(link), JANUARY, [1])
    assert str(caught.value) == (
        f"yellow 2021-01: {link} is a link to {file}, whose folder is missing; mount or create "
        "that folder, or name another path (TRIPS_DATA, or its block)"
    )
    assert not file.parent.exists()
    file.parent.mkdir()
    load(DuckDBFile(link), JANUARY, [1])
    assert link.is_symlink()
    assert sums(DuckDBFile(file)) == {"2021-01-01": (1, 1)}


def test_the_free_space_is_that_of_the_file_to_which_a_link_leads(
    warehouse: DuckDBFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(warehouse, JANUARY, [1])
    link = tmp_path / "link.duckdb"
    link.symlink_to(warehouse.path)
    (tmp_path / "broken").write_bytes(b"PAR1 and no more")
    monkeypatch.setattr(duckdb_module, "free_space", "of {}".format)
    with pytest.raises(StorageError, match=f"; of {re.escape(str(warehouse.path.parent))} there; "):
        DuckDBFile(link).load(JANUARY, entry_of(JANUARY), tmp_path / "broken")


def test_threads_wait_for_one_file_whichever_link_leads_to_it(
    warehouse: DuckDBFile, tmp_path: Path
) -> None:
    load(warehouse, JANUARY, [1])
    link = DuckDBFile(tmp_path / "link.duckdb")
    link.path.symlink_to(warehouse.path)
    loaded = list[int]()
    waits = threading.Thread(target=lambda: loaded.append(load(link, FEBRUARY, [2])))
    with duckdb_opening.opened("yellow", warehouse.path, read_only=True):
        waits.start()
        while FileQueue(warehouse.path).is_empty():
            assert waits.is_alive()
    waits.join(60)
    assert loaded == [1]
    assert sums(warehouse) == {"2021-01-01": (1, 1), "2021-02-01": (1, 2)}


# ---- side by side


def test_threads_that_load_and_ask_at_once_take_turns(warehouse: DuckDBFile) -> None:
    load(warehouse, GREEN, [1])  # creates the file to query
    months = [Month("yellow", 2021, number) for number in range(1, 7)]
    together, errors = threading.Barrier(2 * len(months)), list[BaseException]()

    def work(number: int) -> None:
        try:
            together.wait(30)
            if number < len(months):
                load(warehouse, months[number], [number] * 10, f"{number}")
            else:
                assert warehouse.loaded("green") == {GREEN: "a"}
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2 * len(months))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sums(warehouse) == {f"{m.year_month}-01": (10, n * 10) for n, m in enumerate(months)}
    assert warehouse.loaded("yellow") == {month: f"{n}" for n, month in enumerate(months)}


@pytest.mark.parametrize("stem", ["trips", "temp", "it's", 'my "own" trips', "ünï.v2"])
def test_a_file_may_have_any_name(tmp_path: Path, stem: str) -> None:
    """DuckDB names a file's catalog after it, and has catalogs of its own."""
    file = DuckDBFile(tmp_path / f"{stem}.duckdb")
    load(file, JANUARY, [1])
    with duckdb.connect(str(file.path)) as db:
        name = str(db.execute("SELECT current_database()").fetchall()[0][0]).replace('"', '""')
    assert file.query(f'SELECT count(*) FROM "{name}".main.yellow_trips') == [(1,)]


@pytest.mark.parametrize(
    "name",
    ["memory.duckdb", "Main.db", "Temp.db", "information_schema.db", "pg_catalog.db", ".hidden"],
)
def test_a_file_without_a_usable_name_is_loaded(tmp_path: Path, name: str) -> None:
    """In SQL, `memory` is the database that DuckDB starts with; every file has the other names."""
    file = DuckDBFile(tmp_path / name)
    load(file, JANUARY, [1])
    assert sums(file) == {"2021-01-01": (1, 1)}


def test_a_load_would_spill_beside_its_file(warehouse: DuckDBFile, tmp_path: Path) -> None:
    other = DuckDBFile(tmp_path / "other.duckdb")
    for file in (warehouse, other, warehouse):
        load(file, JANUARY, [1])
        assert file.query("SELECT current_setting('temp_directory')") == [(f"{file.path}.tmp",)]


def test_a_spill_is_gone_once_the_file_is_closed(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1])
    spilled = Path(f"{warehouse.path}.tmp")
    with duckdb_opening.opened("yellow", warehouse.path, read_only=True) as db:
        db.execute("SET memory_limit = '32MB'")
        db.execute("CREATE TEMP TABLE t AS SELECT md5(i::VARCHAR) FROM range(1_000_000) r(i)")
        assert spilled.exists()
    assert not spilled.exists()
    assert sums(warehouse) == {"2021-01-01": (1, 1)}


def test_a_file_that_this_process_has_open_itself_is_refused_at_once(
    warehouse: DuckDBFile,
) -> None:
    """As in a notebook."""
    load(warehouse, JANUARY, [1])
    with (
        attached(warehouse.path),
        pytest.raises(
            StorageError, match=r"already has it open: close that connection, then run again$"
        ),
    ):
        load(warehouse, JANUARY, [2])
    assert sums(warehouse) == {"2021-01-01": (1, 1)}


def test_a_process_may_fork_between_two_files(warehouse: DuckDBFile, tmp_path: Path) -> None:
    """DuckDB starts threads; a forked child lacks them, and hangs trying to join them."""
    load(warehouse, JANUARY, [1])
    fork = python(
        "import os, sys; from pathlib import Path\n"
        "from monthly.warehouses.duckdb import DuckDBFile\n"
        "DuckDBFile(Path(sys.argv[1])).loaded('yellow')\n"
        "child = os.fork()\n"
        "DuckDBFile(Path(sys.argv[1 if child else 2])).query('SELECT 1')\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 0)\n",
        warehouse.path,
        tmp_path / "other.duckdb",
    )
    try:
        fork.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):  # both processes have ended
            os.killpg(fork.pid, signal.SIGKILL)
    assert fork.returncode == 0


def test_load_waits_for_another_process_to_close_the_file(
    warehouse: DuckDBFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(warehouse, JANUARY, [1], "a")
    holder = held(warehouse)
    asleep: list[float] = []

    def sleep(seconds: float) -> None:
        asleep.append(seconds)
        holder.communicate()  # it closes the file while the load waits

    clock = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
    monkeypatch.setattr(duckdb_opening, "time", clock)
    assert load(warehouse, JANUARY, [2], "b") == 1
    assert len(asleep) == 1
    assert sums(warehouse) == {"2021-01-01": (1, 2)}


def test_waiting_runs_are_not_overtaken(warehouse: DuckDBFile) -> None:
    """A run that has the file, closes it and asks again goes behind those that wait."""
    load(warehouse, JANUARY, [1])
    queue, order = FileQueue(warehouse.path), list[str]()

    def use(name: str) -> None:
        with duckdb_opening.opened("yellow", warehouse.path, read_only=True):
            order.append(name)

    waits = threading.Thread(target=use, args=("waits",))
    with duckdb_opening.opened("yellow", warehouse.path, read_only=False):
        waits.start()
        deadline = time.monotonic() + 60
        while queue.is_empty():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    use("again")
    waits.join(60)
    assert order == ["waits", "again"]
    assert queue.is_empty()


def test_a_run_goes_behind_another_process_that_waits(warehouse: DuckDBFile) -> None:
    """Nobody has the file open, but another process is next in the queue."""
    load(warehouse, JANUARY, [1])
    order: list[str] = []

    def use() -> None:
        with duckdb_opening.opened("yellow", warehouse.path, read_only=True):
            order.append("behind")

    behind = threading.Thread(target=use)
    with FileQueue(warehouse.path).turn():
        behind.start()
        behind.join(0.2)  # without waiting, it would end at once
        order.append("ahead")
    behind.join(60)
    assert order == ["ahead", "behind"]


def test_load_that_waits_too_long_names_the_process_with_the_file(
    warehouse: DuckDBFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(warehouse, JANUARY, [1], "a")
    holder = held(warehouse)
    monkeypatch.setattr(duckdb_opening, "WAIT_SECONDS", 0)
    monkeypatch.setattr(duckdb_opening, "_POLL_SECONDS", 0)
    for use in (lambda: load(warehouse, JANUARY, [2], "b"), lambda: warehouse.loaded("yellow")):
        with pytest.raises(Busy, match=r"trips\.duckdb has been open elsewhere for 0 s; close it"):
            use()
    with pytest.raises(Busy, match=f"PID {holder.pid}"):
        warehouse.loaded("yellow")
    holder.communicate()
    assert sums(warehouse) == {"2021-01-01": (1, 1)}


def test_query_is_for_people(warehouse: DuckDBFile) -> None:
    load(warehouse, JANUARY, [1, 2])
    assert warehouse.query("SELECT sum(total_amount) FROM yellow_trips WHERE 1 < ?", [2]) == [(3,)]


def python(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Start another process that can use the project and its stand-ins."""
    folders = [str(ROOT / "flows"), str(ROOT / "tests")]
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def held(warehouse: DuckDBFile) -> subprocess.Popen[bytes]:
    """Start another process that has the file open until its input ends."""
    holder = python(
        "import duckdb, sys\n"
        "with duckdb.connect(sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n",
        warehouse.path,
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    return holder


# ---- what the warehouse holds of a month


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("DELETE FROM yellow_trips WHERE total_amount > 1", 1),
        ("INSERT INTO yellow_trips SELECT * FROM yellow_trips", 6),
        ("TRUNCATE yellow_trips", 0),
        ("UPDATE yellow_trips SET file_month = DATE '2020-01-01'", 0),
    ],
)
def test_rows_that_were_changed_by_hand_are_counted(
    warehouse: DuckDBFile, harm: str, found: int
) -> None:
    load(warehouse, JANUARY, [1, 2, 3], "a")
    assert warehouse.loaded_month(JANUARY) == LoadedMonth("a", 3, 3)
    assert warehouse.loaded_month(FEBRUARY) is None
    warehouse.query(harm)
    assert warehouse.loaded_month(JANUARY) == LoadedMonth("a", 3, found)
    load(warehouse, JANUARY, [1, 2, 3], "a")
    assert warehouse.loaded_month(JANUARY) == LoadedMonth("a", 3, 3)


def test_nothing_is_held_where_nothing_was_loaded(warehouse: DuckDBFile) -> None:
    """This covers a missing file, and a file with another month."""
    assert warehouse.loaded_month(JANUARY) is None
    load(warehouse, FEBRUARY, [1], "a")
    assert warehouse.loaded_month(JANUARY) is None
