"""Published files are converted while a real PostgreSQL server copies them."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from core.errors import AccountingError, BadFile, Conflict, StorageError, TooManyRejects
from core.storage.bucket import FolderBucket
from fakes import one_month, stopping_load
from fakes.entries import published_download
from fakes.one_month import MONTH, bring, load
from fakes.postgres import Database
from monthly.convert import csv_file
from monthly.convert.readings import Rules
from monthly.convert.rows import Rows
from monthly.ledger import Entry
from monthly.replacement import pin, unpin
from monthly.warehouses import postgres_copy
from monthly.warehouses.load import kept_entry
from monthly.warehouses.postgres_binary import encoded
from orchestration.wording import on_command_line

CENTS = "SELECT round(total_amount * 100)::bigint FROM yellow_trips ORDER BY 1"
TABLES = {"yellow_trips", "yellow_trips_2021_01", "loaded_months", "rejected_rows"}


def publish(folder: Path, cents: Iterable[int], bad: int = 0) -> Path:
    """Publish a month with one trip for each total."""
    path = folder / f"{MONTH.stem}.csv.gz"
    one_month.publish(path, cents, bad)
    return path


def ingest(database: Database, published: Path, max_reject_share: float = 0.0) -> Entry:
    """Ingest a published file into the database."""
    with Rows(MONTH, published, published.parent, Rules(max_reject_share=max_reject_share)) as rows:
        return database.warehouse().ingest(rows, published_download(MONTH, published))


def cents(database: Database) -> list[int]:
    """Return the totals in the table."""
    return [found for (found,) in database.query(CENTS)]


def test_rows_and_accounts_arrive_together(database: Database, tmp_path: Path) -> None:
    """The ledger has the row counts and the checksum of the published file."""
    published = publish(tmp_path, [300, 100, 200])
    entry = ingest(database, published)
    assert cents(database) == [100, 200, 300]
    assert (entry.rows_read, entry.rows_written, entry.rows_rejected) == (3, 3, 0)
    assert entry.quality["total"] == 6.0
    warehouse = database.warehouse()
    assert warehouse.entry(MONTH) == entry
    assert warehouse.loaded("yellow") == {MONTH: entry.source_sha256}
    assert [path.name for path in tmp_path.iterdir()] == [published.name]


def test_a_file_that_turns_out_bad_leaves_the_month_as_it_was(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is the file's, not PostgreSQL's, although rows were copied before it appeared."""
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 10_000)
    entry = ingest(database, publish(tmp_path, [100, 200]))
    published = publish(tmp_path, range(1_000))
    text = gzip.decompress(published.read_bytes())
    published.write_bytes(gzip.compress(text, 1)[:-8])
    with pytest.raises(BadFile, match="yellow 2021-01"):
        ingest(database, published)
    assert cents(database) == [100, 200]
    assert database.warehouse().entry(MONTH) == entry
    published = publish(tmp_path, range(1_000), bad=2)
    with pytest.raises(TooManyRejects, match="2 of 1002 rows"):
        ingest(database, published, max_reject_share=0.001)
    assert cents(database) == [100, 200]
    assert ingest(database, published, max_reject_share=0.01).rows_rejected == 2
    assert cents(database) == [*range(1_000)]


def test_rejected_rows_go_by_the_names_of_the_columns(database: Database, tmp_path: Path) -> None:
    """A user may have made the table, with columns in another order and one of their own."""
    database.query(
        "CREATE TABLE rejected_rows (note text, reason text NOT NULL, text text NOT NULL, "
        "dataset text, file_month date, line bigint)"
    )
    ingest(database, publish(tmp_path, [100], bad=1), max_reject_share=0.5)
    query = "SELECT note, dataset, file_month::text, line FROM rejected_rows"
    assert database.query(query) == [(None, "yellow", "2021-01-01", 3)]


def test_a_month_whose_entry_is_damaged_can_be_replaced(database: Database, tmp_path: Path) -> None:
    ingest(database, publish(tmp_path, [100, 200]))
    database.query("""UPDATE loaded_months SET entry = entry - 'rows_read'""")
    entry = ingest(database, publish(tmp_path, [300]))
    assert database.warehouse().entry(MONTH) == entry
    assert cents(database) == [300]


def test_a_month_whose_entry_a_newer_version_wrote_is_not_replaced(
    database: Database, tmp_path: Path
) -> None:
    """The newer version can read the entry, and nothing else has the month's history."""
    ingest(database, publish(tmp_path, [100, 200]))
    database.query("""UPDATE loaded_months SET entry = entry || '{"newer": 1}'""")
    with pytest.raises(StorageError, match="was written by a newer version; update this project"):
        ingest(database, publish(tmp_path, [300]))
    assert cents(database) == [100, 200]
    database.query("DELETE FROM loaded_months")
    ingest(database, publish(tmp_path, [300]))
    assert cents(database) == [300]


def test_rows_that_get_lost_on_the_way_are_noticed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's row count must equal the number of converted rows."""
    monkeypatch.setattr(postgres_copy, "encoded", lambda rows: encoded(rows[1:]))
    with pytest.raises(AccountingError, match="1000 rows read, but 999 written"):
        ingest(database, publish(tmp_path, range(1_000)))
    assert cents(database) == []


def test_a_column_whose_first_value_comes_late_arrives_whole(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows before it are copied without the column, and have null there."""
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 10_000)
    published = publish(tmp_path, range(1_000))
    lines = gzip.decompress(published.read_bytes()).decode().splitlines()
    tolls = lines[0].split(",").index("tolls_amount")
    rows = [line.split(",") for line in lines[1:]]
    for number, row in enumerate(rows):
        row[tolls] = "6.5" if number == 600 else ""
    text = "\n".join([lines[0], *map(",".join, rows), ""])
    published.write_bytes(gzip.compress(text.encode(), 1))
    sent: list[int] = []
    part = postgres_copy._copy_part

    def noted(sql: Any, table: str, names: Any, batches: Any) -> int:
        sent.append("tolls_amount" in names)
        return part(sql, table, names, batches)

    monkeypatch.setattr(postgres_copy, "_copy_part", noted)
    assert ingest(database, published).rows_written == 1_000
    assert sent == [False, True]
    assert cents(database) == [*range(1_000)]
    found = database.query(
        "SELECT tolls_amount, total_amount FROM yellow_trips WHERE tolls_amount > 0"
    )
    assert found == [(6.5, 6.0)]


def test_a_correction_leaves_a_record_of_what_it_changed(
    database: Database, tmp_path: Path
) -> None:
    """Rows are compared as a multiset, in the transaction that replaces them."""
    ingest(database, publish(tmp_path, [100, 200, 300]))
    change = "UPDATE yellow_trips SET tolls_amount = '-0', airport_fee = 'NaN' RETURNING 1"
    assert len(database.query(change)) == 3  # minus zero equals zero; no file has the other column
    entry = ingest(database, publish(tmp_path, [100, 200, 350, 400]))
    (revision,) = entry.history
    assert (revision.rows_before, revision.rows_after) == (3, 4)
    assert (revision.rows_added, revision.rows_removed, revision.rows_unchanged) == (2, 1, 2)
    assert revision.totals_before["total_amount"] == pytest.approx(6.0, abs=1e-9)
    assert revision.totals_after["total_amount"] == pytest.approx(10.5, abs=1e-9)
    assert database.warehouse().entry(MONTH) == entry
    database.query("DELETE FROM yellow_trips WHERE total_amount = 1 RETURNING 1")
    entry = ingest(database, publish(tmp_path, [100]))
    assert [each.rows_added for each in entry.history] == [2, None]
    assert ingest(database, publish(tmp_path, [100])).history == entry.history


def test_an_older_month_has_its_sums_from_the_table(database: Database, tmp_path: Path) -> None:
    entry = ingest(database, publish(tmp_path, [100, 200, 300]))
    warehouse = database.warehouse()
    warehouse.confirm(MONTH, replace(entry, columns={}))
    (revision,) = ingest(database, publish(tmp_path, [100])).history
    assert revision.totals_before["total_amount"] == pytest.approx(6.0, abs=1e-9)
    assert revision.totals_before["trip_distance"] == pytest.approx(7.5, abs=1e-9)


def test_a_month_is_pinned_and_unpinned(database: Database, tmp_path: Path) -> None:
    warehouse = database.warehouse()
    with pytest.raises(StorageError, match=r"yellow 2021-01 is not in .*; load it first"):
        warehouse.pin(MONTH, "2021-03-01")
    entry = ingest(database, publish(tmp_path, [100]))
    assert warehouse.pin(MONTH, "2021-03-01") == replace(entry, pinned="2021-03-01")
    assert warehouse.pin(MONTH, "2021-03-02").pinned == "2021-03-01"
    assert warehouse.entry(MONTH) == replace(entry, pinned="2021-03-01")
    assert warehouse.pin(MONTH, "") == warehouse.entry(MONTH) == entry


def test_a_month_that_is_pinned_while_its_file_is_downloaded_stays(
    database: Database, tmp_path: Path
) -> None:
    entry = ingest(database, publish(tmp_path, [100]))
    warehouse, published = database.warehouse(), publish(tmp_path, [200])
    pinned = warehouse.pin(MONTH, "2021-03-01")
    with pytest.raises(Conflict, match=r"yellow 2021-01 was pinned in .* meanwhile; run again"):
        ingest(database, published)
    assert cents(database) == [100]
    warehouse.confirm(MONTH, replace(entry, etag="new"))
    assert warehouse.entry(MONTH) == replace(pinned, etag="new")


@pytest.mark.parametrize("stored", ["entry", "entry || '{\"newer\": 1}'"], ids=["ours", "newer"])
def test_no_load_from_a_bucket_replaces_a_pinned_month_that_no_bucket_has(
    database: Database, tmp_path: Path, stored: str
) -> None:
    """Nothing else has its rows; the month can be loaded once it is unpinned."""
    warehouse, bucket = database.warehouse(), FolderBucket(tmp_path / "bucket")
    ingest(database, publish(tmp_path, [100]))
    warehouse.pin(MONTH, "2021-03-01T10:00:00+00:00")
    database.query(f"UPDATE loaded_months SET entry = {stored} RETURNING 1")
    one_month.publish(tmp_path / "corrected.csv.gz", [200, 300])
    bring(tmp_path / "corrected.csv.gz", bucket)
    with pytest.raises(StorageError) as caught:
        load(bucket, warehouse)
    assert on_command_line(caught.value.message, caught.value.remedies) == (
        f"yellow 2021-01: pinned in {warehouse.name()} on 2021-03-01, where it was loaded without "
        'a bucket; run flows/history.py with --unpin for this warehouse and the bucket "", to let '
        "loads replace it"
    )
    assert cents(database) == [100]
    database.query("UPDATE loaded_months SET entry = entry - 'newer' RETURNING 1")
    warehouse.pin(MONTH, "")
    load(bucket, warehouse)
    assert cents(database) == [200, 300]


def test_an_unpin_in_the_bucket_reaches_the_database(database: Database, tmp_path: Path) -> None:
    """The pin of a month that has an object is the bucket's."""
    warehouse, bucket = database.warehouse(), FolderBucket(tmp_path / "bucket")
    published = publish(tmp_path, [100])
    bring(published, bucket)
    pin(bucket, MONTH)
    load(bucket, warehouse)
    assert warehouse.entry(MONTH) == kept_entry(bucket, MONTH)
    assert kept_entry(bucket, MONTH).pinned
    unpin(bucket, MONTH)
    publish(tmp_path, [200])
    bring(published, bucket)
    load(bucket, warehouse)
    assert cents(database) == [200]
    assert warehouse.entry(MONTH) == kept_entry(bucket, MONTH)


def test_a_month_from_before_1_1_is_pinned(database: Database, tmp_path: Path) -> None:
    entry = ingest(database, publish(tmp_path, [100]))
    database.query("ALTER TABLE loaded_months DROP COLUMN source; SELECT 1")
    assert database.warehouse().pin(MONTH, "2021-03-01").source_sha256 == entry.source_sha256


def test_sums_of_an_older_month_that_are_not_numbers_are_left_out(
    database: Database, tmp_path: Path
) -> None:
    entry = ingest(database, publish(tmp_path, [100]))
    database.warehouse().confirm(MONTH, replace(entry, columns={}))
    database.query("UPDATE yellow_trips SET total_amount = 'NaN' RETURNING 1")
    (revision,) = ingest(database, publish(tmp_path, [100, 200])).history
    assert set(revision.totals_before) == {"fare_amount", "trip_distance"}


def test_two_at_once_copy_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second waits for the first, finds the same file loaded, and copies nothing."""
    published = publish(tmp_path, [100, 200, 300])
    begun, go, copy = Event(), Event(), postgres_copy.copy_rows
    copied: list[str] = []

    def held(sql: Any, table: str, rows: Any) -> int:
        copied.append(table)
        begun.set()
        assert go.wait(60)
        return copy(sql, table, rows)

    monkeypatch.setattr(postgres_copy, "copy_rows", held)
    second = tmp_path / "second"
    second.mkdir()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(ingest, database, published)
        assert begun.wait(60)
        two = pool.submit(ingest, database, publish(second, [100, 200, 300]))
        database.wait_until("SELECT count(*) = 1 FROM pg_locks WHERE NOT granted")
        go.set()
        assert one.result(60) == two.result(60)
    assert copied == ["yellow_trips_2021_01_new"]
    assert cents(database) == [100, 200, 300]


@pytest.mark.parametrize("step", ["copying", "remember", "swap", "commit", "done"])
def test_killed_at_any_step_the_next_run_completes(
    database: Database, tmp_path: Path, step: str
) -> None:
    """The old or the new month is there, never a mixture, and nothing of the killed run stays."""
    ingest(database, publish(tmp_path, [100, 200]))
    corrected = publish(tmp_path, range(1_000))
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, stopping_load.__file__, step, url, "yellow", "2021", "1"]
    pipe = subprocess.PIPE
    process = subprocess.Popen([*command, str(corrected)], stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    others = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'trips'"
    database.wait_until(others)
    assert cents(database) == ([*range(1_000)] if step == "done" else [100, 200])
    ingest(database, corrected)
    assert cents(database) == [*range(1_000)]
    assert database.tables() == TABLES
