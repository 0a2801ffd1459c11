"""What a verification reads, what it cannot check, and that it writes nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import Remedy, StorageError, Unavailable, UsageError
from core.storage.bucket import FolderBucket
from fakes import stacks
from fakes.postgres import Database
from fakes.s3 import S3
from fakes.s3 import store as s3_store
from fakes.stacks import NOVEMBER, OCTOBER, Stack
from monthly import sources
from monthly.convert.readings import NewColumns
from monthly.editions import edition_key
from monthly.ledger import (
    entry_key,
    object_key,
    read_entry,
    report_key,
    write_entry,
)
from monthly.ledger_notes import note_report
from monthly.month import Month
from monthly.plan import UNPIN
from monthly.verify import publisher_checks
from monthly.verify.checking import verify
from monthly.verify.findings import Judgement, Step, Verdict
from monthly.verify.footer import read_footer
from monthly.verify.publisher_checks import source_of
from monthly.verify.repair import planned, repair
from monthly.verify.share import Share
from monthly.warehouses.duckdb import DuckDBFile
from monthly.warehouses.load import kept_entry
from orchestration.wording import on_command_line


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Yield two intact months, which tests only read."""
    with stacks.local(tmp_path_factory.mktemp("full")) as opened:
        yield opened.fill()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Yield the test's own two months."""
    with stacks.local(tmp_path) as opened:
        yield opened.fill()


def everything(folder: Path) -> dict[str, str]:
    """Return each file in the folder, hidden ones too, with its SHA-256 and time."""
    return {
        path.relative_to(folder).as_posix(): (
            f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


# ---- what it reads and writes


def test_a_verification_writes_nothing_and_leaves_no_lock(stack: Stack) -> None:
    """This holds for any request and any fault."""
    stacks.object_flipped(stack)
    stacks.rows_doubled(stack)
    stacks.rejects_deleted(stack)
    for path in stack.folder.rglob(".*lock"):
        path.unlink()
    before = everything(stack.folder)
    found = stack.faults(share=Share(Fraction(1), 0), publisher=True)
    assert [kind for _, kind in found] == ["OBJECT_DAMAGED", "REJECTS_MISSING", "ROW_COUNT"]
    assert everything(stack.folder) == before


def test_an_object_that_is_gone_is_missed_although_no_warehouse_is_asked(stack: Stack) -> None:
    """A month without an entry, too, is simply not there."""
    stacks.object_deleted(stack)
    assert stack.faults(warehouse=None) == [("2020-10", "OBJECT_MISSING")]
    stacks.entry_deleted(stack)
    found = verify(stack.request(warehouse=None), [OCTOBER])
    assert [fault.kind.name for verdict in found for fault in verdict.faults] == ["NOT_THERE"]


def test_a_verification_creates_no_warehouse(full: Stack, tmp_path: Path) -> None:
    file = DuckDBFile(tmp_path / "none" / "trips.duckdb")
    assert [k for _, k in full.faults(warehouse=file)] == ["NOT_LOADED", "NOT_LOADED"]
    assert not file.path.parent.exists()


def test_the_bucket_alone_is_verified_without_a_warehouse(full: Stack) -> None:
    assert full.faults(warehouse=None) == []


class Counted(FolderBucket):
    """A bucket whose versions prove the content, and that notes which objects are read whole."""

    is_versioned = True
    read_whole: ClassVar[list[str]] = []

    def sha256(self, key: str) -> str:
        """Note the object."""
        self.read_whole.append(key)
        return super().sha256(key)


def test_only_the_share_of_this_week_is_read_where_versions_prove_the_content(
    full: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counted, "read_whole", [])
    bucket = Counted(Path(full.bucket.uri("data")).parent)
    assert full.faults(bucket=bucket) == []
    assert bucket.read_whole == []
    for week in range(2):
        full.faults(bucket=bucket, share=Share(Fraction(1, 2), week))
    assert sorted(bucket.read_whole) == [object_key(OCTOBER), object_key(NOVEMBER)]


@pytest.mark.parametrize("text", ["2%", "10%", "34%", "60%", "99.5%", "100%"])
def test_a_year_of_weekly_runs_reads_each_month(text: str) -> None:
    months = [Month("yellow", 2009 + n // 12, n % 12 + 1) for n in range(200)]
    monday = dt.date(2026, 1, 5)
    weeks = [Share.of(text, monday + dt.timedelta(weeks=n)) for n in range(52)]
    assert all(any(week.has(month) for week in weeks) for month in months)
    share = len(months) * float(text[:-1]) / 100
    assert all(abs(sum(map(week.has, months)) - share) < 1 for week in weeks)


@pytest.mark.parametrize("text", ["", "10", "-1%", "101%", "ten%", "1e1%"])
def test_a_text_that_is_not_a_share_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="not a share of the objects; write 0%, 10% or 100%"):
        Share.of(text, dt.date(2026, 1, 5))


def test_no_object_is_read_for_nothing() -> None:
    assert not Share.of("0%", dt.date(2026, 1, 5)).has(OCTOBER)


def test_the_footer_is_read_without_the_rows(full: Stack) -> None:
    """Its counts equal those that a Parquet reader counts from the rows."""
    import pyarrow.parquet as pq

    path = Path(full.bucket.uri(object_key(OCTOBER)))
    footer = read_footer(full.bucket, object_key(OCTOBER), path.stat().st_size)
    table = pq.read_table(path)
    assert footer.rows == table.num_rows
    assert footer.nulls == {name: table[name].null_count for name in table.column_names}
    assert footer.is_of(OCTOBER)
    assert not footer.is_of(NOVEMBER)


# ---- months that are elsewhere, older, or missing


def test_a_month_that_was_asked_for_and_is_nowhere_is_said(full: Stack) -> None:
    december = Month("green", 2020, 12)
    (found,) = verify(full.request(), [december])
    assert [fault.kind.name for fault in found.faults] == ["NOT_THERE"]
    assert planned(found, full.bucket, True).steps == ()
    assert "parameterized_flow.py" in str(planned(found, full.bucket, True).advice)


def test_a_month_from_before_1_3_is_measured_and_its_ledger_row_is_unchanged(
    stack: Stack,
) -> None:
    """Neither entry nor warehouse has figures or a copy; the next load adds what is new."""
    record = json.loads(stack.get(entry_key(OCTOBER)))
    for name in ("columns", "history", "pinned", "report_key"):
        del record[name]
    stack.put(entry_key(OCTOBER), json.dumps(record).encode())
    stack.run("ALTER TABLE loaded_months DROP COLUMN entry")
    assert stack.faults() == []
    stacks.value_changed(stack)
    assert stack.faults() == [("2020-10", "VALUES")]
    assert stack.repair() == [None]
    assert stack.faults() == []
    october, november = (stack.warehouse.recorded("green")[m] for m in (OCTOBER, NOVEMBER))
    assert october.entry == kept_entry(stack.bucket, OCTOBER)
    assert november.entry is None
    assert stack.plan(NOVEMBER).status.value == "UNCHANGED"


def test_a_month_loaded_without_a_bucket_is_verified_by_its_own_entry(
    full: Stack, database: Database, tmp_path: Path
) -> None:
    """flows/ingest_data.py keeps no object, so none is missing in a bucket."""
    from fakes.entries import published_download
    from monthly.convert.readings import Rules
    from monthly.convert.rows import Rows

    path, warehouse = Path(full.folder, "published", "green_2020-10.csv"), database.warehouse()
    with Rows(OCTOBER, path, tmp_path, Rules(max_reject_share=0.1)) as rows:
        warehouse.ingest(rows, published_download(OCTOBER, path))
    empty = FolderBucket(tmp_path / "empty")
    asked = full.request(bucket=empty, warehouse=warehouse)
    assert [(v.month, v.faults) for v in verify(asked)] == [(OCTOBER, ())]
    database.query("DELETE FROM green_trips WHERE trip_distance > 3")
    (found,) = verify(asked)
    assert [fault.kind.name for fault in found.faults] == ["ROW_COUNT"]
    again = planned(found, empty, True)
    assert again.steps == ()
    assert [r.flow for r in again.advice if isinstance(r, Remedy)] == ["ingest_data"]


@pytest.mark.parametrize("choice", ["keep", "drop"])
def test_a_month_is_fetched_with_the_columns_that_it_was_loaded_with(
    stack: Stack, choice: NewColumns
) -> None:
    """Undeclared columns that were kept stay, although the declaration says `fail`."""
    path = Path(stack.source.format(color="green", year=2020, month=10))
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{head},operator", *[f"{row},Ada" for row in rows], ""]))
    stack.fetch(OCTOBER, stack.source, 0.1, choice)
    stack.reload(OCTOBER, force=False)
    stack.redraw(OCTOBER)
    before = kept_entry(stack.bucket, OCTOBER)
    assert [*before.kept, *before.drift["unknown"]] == ["operator"]
    stacks.object_deleted(stack)
    assert stack.repair() == [None]
    after = kept_entry(stack.bucket, OCTOBER)
    assert (after.kept, after.drift) == (before.kept, before.drift)
    assert stack.faults() == []


def test_a_pinned_month_is_not_fetched_with_other_content(stack: Stack) -> None:
    stacks.change_entry(stack, pinned="2026-01-01T00:00:00+00:00")
    stacks.object_deleted(stack)
    (october, _) = stack.verdicts()
    assert october.steps == ()
    assert [on_command_line("", [each]) for each in october.advice] == [
        "; run flows/history.py with --unpin and load it again, as no edition of it is kept"
    ]
    edition = "0123456789ab"
    for kind in ("parquet", "json"):
        stack.bucket.write(edition_key(OCTOBER, edition, kind), b"{}", None)
    (october, _) = stack.verdicts()
    assert october.advice == ("restore an edition of it with flows/history.py", UNPIN)


def test_a_pinned_month_of_an_older_declaration_is_good(stack: Stack) -> None:
    stacks.entry_of_older_declaration(stack)
    assert stack.faults() == [("2020-10", "OUTDATED")]
    stacks.change_entry(stack, pinned="2026-01-01T00:00:00+00:00")
    assert stack.faults() == []


def test_an_entry_with_other_counts_keeps_its_pin_when_it_is_rewritten(stack: Stack) -> None:
    stacks.change_entry(stack, pinned="2026-01-01T00:00:00+00:00", rows_read=7)
    assert stack.faults() == [("2020-10", "ENTRY_WRONG")]
    assert stack.repair() == [None]
    assert stack.faults() == []
    assert kept_entry(stack.bucket, OCTOBER).pinned == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("pinned", ["2026-01-01T00:00:00+00:00", {"at": "2026-01-01"}], ids=str)
def test_an_entry_that_cannot_be_read_keeps_its_pin_when_it_is_rewritten(
    stack: Stack, pinned: object
) -> None:
    """Whatever the form of the pin: the month stays pinned."""
    stacks.change_entry(stack, pinned=pinned, rows_read="60")
    assert stack.faults() == [("2020-10", "ENTRY_GARBLED")]
    assert stack.repair() == [None]
    assert stack.faults() == []
    kept = kept_entry(stack.bucket, OCTOBER).pinned
    assert kept == (pinned if isinstance(pinned, str) else json.dumps(pinned))


@pytest.mark.parametrize(
    "fields",
    [
        {"newer": 1},
        {"newer": 1, "pinned": {"at": "2026-01-01"}},
        {"columns": {"fare_amount": {"count": 1, "newer": 1}}},
    ],
    ids=["a field", "a field and another pin", "a figure"],
)
def test_an_entry_of_a_newer_version_is_left_to_that_version(
    stack: Stack, fields: dict[str, object]
) -> None:
    """A rebuilt entry would have neither history nor what that version added."""
    stacks.change_entry(stack, **fields)
    written = stack.get(entry_key(OCTOBER))
    october, november = stack.verdicts()
    uri = stack.bucket.uri(entry_key(OCTOBER))
    assert october.unchecked.startswith(f"{uri} was written by a newer version (")
    assert october.unchecked.endswith("; update this project")
    assert (october.faults, october.steps, november.faults) == ((), (), ())
    assert stack.repair() == []
    assert stack.get(entry_key(OCTOBER)) == written


@pytest.mark.parametrize(
    "fields",
    [
        {"rows_written": "12", "schema_version": 1},
        {"signatures": [1], "schema_version": 1},
        {"converted_at": "soon"},
        {"history": [{}]},
        {"drift": None},
        {"object_key": 5},
        {"rejects_key": 5},
        {"report_key": {}},
        {"object_sha256": None},
        {"pinned": 5},
        {"quality": []},
        {"url": None},
    ],
    ids=str,
)
def test_an_entry_with_values_of_other_types_is_garbled(
    stack: Stack, fields: dict[str, object]
) -> None:
    stacks.change_entry(stack, **fields)
    assert stack.faults() == [("2020-10", "ENTRY_GARBLED")]


@pytest.mark.parametrize("copy", ['{"dataset": ', "[1]", '{"later": 1}', '{"history": [{}]}'])
def test_an_invalid_copy_of_an_entry_in_a_warehouse_hides_no_fault(stack: Stack, copy: str) -> None:
    stack.run(f"UPDATE loaded_months SET entry = '{copy}'")
    assert stack.faults() == []
    stacks.object_deleted(stack)
    assert stack.faults() == [("2020-10", "OBJECT_MISSING")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fare_amount": {"count": 7}}, "it says 7 values of fare_amount, and the object has 60"),
        ({"fare": {"count": 60}}, "column fare is not in the object"),
    ],
    ids=["another count", "another column"],
)
def test_an_entry_that_contradicts_the_footer_of_its_object_is_wrong(
    stack: Stack, change: dict[str, Any], said: str
) -> None:
    """It is rebuilt; the object is read for that alone."""
    columns = json.loads(stack.get(entry_key(OCTOBER)))["columns"]
    assert columns["fare_amount"]["count"] == 60
    stacks.change_entry(stack, columns=columns | change)
    october, november = stack.verdicts()
    assert [(fault.kind.name, fault.what) for fault in october.faults] == [("ENTRY_WRONG", said)]
    assert november.faults == ()
    assert stack.repair() == [None]
    assert stack.faults() == []


def with_texts(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("passenger_count")
    return table.set_column(place, "passenger_count", table["passenger_count"].cast(pa.string()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_texts, "passenger_count is string, not int64"),
        (lambda table: table.drop_columns(["file_month"]), "it has no column file_month"),
    ],
    ids=["another type", "no month"],
)
def test_an_entry_is_not_rebuilt_from_an_object_of_other_columns(
    stack: Stack, change: Callable[[pa.Table], pa.Table], said: str
) -> None:
    """Its month is fetched again."""
    out = io.BytesIO()
    table = pq.read_table(io.BytesIO(stack.get(object_key(OCTOBER))))
    pq.write_table(change(table), out)
    stack.put(object_key(OCTOBER), out.getvalue())
    stacks.entry_deleted(stack)
    missing, damaged = stack.verdicts()[0].faults
    assert (missing.kind.name, damaged.kind.name) == ("ENTRY_MISSING", "OBJECT_DAMAGED")
    assert damaged.what.endswith(f"has other columns than declared ({said})")
    assert stack.repair() == [None]
    assert stack.faults() == []


def test_the_rows_of_another_month_are_named(stack: Stack) -> None:
    stacks.object_of_november(stack)
    (fault,) = stack.verdicts()[0].faults
    assert (fault.kind.name, fault.what) == ("OBJECT_OF_ANOTHER", "it has the rows of 2020-11")


def test_an_entry_is_rebuilt_without_rejected_rows_if_there_are_none(stack: Stack) -> None:
    rows = kept_entry(stack.bucket, OCTOBER).rows_written
    stacks.ledger_row_deleted(stack)
    stacks.rejects_deleted(stack)
    stacks.entry_deleted(stack)
    assert stack.repair() == [None]
    entry = kept_entry(stack.bucket, OCTOBER)
    assert (entry.rows_read, entry.rows_written, entry.rows_rejected) == (rows, rows, 0)
    assert entry.rejects_key is None
    assert stack.faults() == []


def test_an_object_is_measured_in_the_scratch_folder(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's temporary folder may be too small for it."""
    monkeypatch.setenv("TRIPS_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    stacks.change_entry(stack, columns={})
    assert stack.faults() == []
    assert [path.suffix for path in (tmp_path / "scratch").iterdir()] == [".lock"]


def test_an_entry_without_figures_is_compared_by_those_of_its_object(stack: Stack) -> None:
    """Entries from before 1.3 have none."""
    stacks.change_entry(stack, columns={})
    assert stack.faults() == []
    stacks.value_changed(stack)
    assert stack.faults() == [("2020-10", "VALUES")]


def test_a_month_without_rejected_rows_needs_no_file_of_them(stack: Stack) -> None:
    stacks.rejects_deleted(stack)
    rows = kept_entry(stack.bucket, OCTOBER).rows_written
    stacks.change_entry(stack, rejects_key=None, rows_rejected=0, rows_read=rows)
    assert stack.faults() == []


# ---- the publisher


def test_what_the_publisher_changed_is_named_only_if_it_is_asked(stack: Stack) -> None:
    path = Path(stack.folder, "published", "green_2020-10.csv")
    before = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"\n")
    assert stack.faults() == []
    assert stack.faults(publisher=True) == [("2020-10", "PUBLISHER_CHANGED")]
    (october, _) = stack.verdicts(publisher=True)
    assert f"size {before} -> {before + 1} bytes" in october.faults[0].what
    assert october.steps == ()
    stacks.change_entry(stack, pinned="2026-01-01T00:00:00+00:00")
    assert stack.faults(publisher=True) == []  # on purpose
    path.unlink()
    stacks.change_entry(stack, pinned="")
    assert stack.faults(publisher=True) == [("2020-10", "PUBLISHER_CHANGED")]


def test_a_month_is_fetched_from_where_it_came_from(full: Stack) -> None:
    entry = kept_entry(full.bucket, OCTOBER)

    def source(url: str) -> str:
        return source_of(replace(entry, url=url), OCTOBER, "")

    assert source("sample:///green_tripdata_2020-10.csv.gz?rows=17") == "sample:17"
    tlc = "https://d37ci6vzurychx.cloudfront.net/trip-data/green_tripdata_2020-10.parquet"
    assert source(tlc) == "tlc"
    assert source("https://h/{x}.csv") == "https://h/{{x}}.csv"
    assert source_of(entry, OCTOBER, "dtc") == "dtc"
    assert source_of(None, OCTOBER, "") == ""


def test_a_declared_source_with_a_password_or_a_query_is_known_without_them(
    full: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry's own address, which lacks them, would be another file."""
    url = "https://me:secret@h/export.csv?month={year_month}"
    for module in (publisher_checks, sources):
        monkeypatch.setattr(module, "published_at", lambda _: {"portal": url})
    entry = replace(kept_entry(full.bucket, OCTOBER), url="https://h/export.csv")
    assert source_of(entry, OCTOBER, "") == "portal"


# ---- what cannot be checked


def test_a_bucket_that_does_not_answer_is_not_a_fault(
    full: Stack, s3: S3, s3_at_once: None
) -> None:
    bucket = s3_store("http://127.0.0.1:1", "nowhere")
    with pytest.raises(Unavailable):
        verify(full.request(bucket=bucket))
    found = verify(full.request(bucket=bucket), [OCTOBER])
    assert [(v.judgement, v.error) for v in found] == [(Judgement.UNCHECKED, "Unavailable")]


def test_a_warehouse_that_does_not_answer_hides_no_fault_of_the_bucket(stack: Stack) -> None:
    stacks.object_deleted(stack)
    path = stack.folder / "broken.duckdb"
    path.write_bytes(b"not a database" * 1000)
    october, november = verify(stack.request(warehouse=DuckDBFile(path)))
    assert [fault.kind.name for fault in october.faults] == ["OBJECT_MISSING"]
    assert (october.judgement, november.judgement) == (Judgement.FAULTY, Judgement.UNCHECKED)
    assert "cannot be opened" in november.unchecked


def test_a_table_that_cannot_be_compared_hides_no_fault_of_the_bucket(stack: Stack) -> None:
    """The warehouse's ledger can be read, the table's figures cannot."""
    stacks.object_deleted(stack)
    stack.run(f"ALTER TABLE {stack.table} ALTER COLUMN fare_amount TYPE VARCHAR")
    october, november = stack.verdicts()
    assert [fault.kind.name for fault in october.faults] == ["OBJECT_MISSING"]
    assert (october.judgement, november.judgement) == (Judgement.FAULTY, Judgement.UNCHECKED)
    assert "fare_amount is VARCHAR, not DOUBLE" in november.unchecked


def test_a_publisher_that_does_not_answer_hides_no_other_fault(stack: Stack) -> None:
    """The other months are not good either: nobody knows what was published."""
    stacks.rejects_deleted(stack)
    october, november = stack.verdicts(publisher=True, source="http://127.0.0.1:1/{year_month}.csv")
    assert [fault.kind.name for fault in october.faults] == ["REJECTS_MISSING"]
    assert (november.judgement, november.error) == (Judgement.UNCHECKED, "Unreachable")
    assert november.is_failed
    assert "127.0.0.1:1" in november.unchecked


@dataclass(frozen=True)
class Busy(FolderBucket):
    """A bucket in which another run loads October right after its object is looked at."""

    stack: Stack

    def sha256(self, key: str) -> str:
        """Let the other run finish, once."""
        if key == object_key(OCTOBER) and not Path(self.stack.folder, "seen").exists():
            Path(self.stack.folder, "seen").touch()
            self.stack.publish(OCTOBER, 70)
            self.stack.fetch(OCTOBER, self.stack.source, 0.1)
            self.stack.reload(OCTOBER, force=False)
        return super().sha256(key)


def test_a_month_that_another_run_loads_meanwhile_is_looked_at_again(stack: Stack) -> None:
    bucket = Busy(stack.folder / "bucket", stack)
    assert stack.faults(bucket=bucket) == []
    assert kept_entry(bucket, OCTOBER).rows_written == 70


# ---- simultaneous repairs


def test_two_repairs_of_one_entry_leave_one(stack: Stack) -> None:
    """The second finds the entry and leaves it unchanged."""
    stacks.entry_deleted(stack)
    one, other = stack.verdicts()[0], stack.verdicts()[0]
    assert one.steps == (Step.REWRITE_ENTRY,)
    assert repair(one, stack.bucket, stack) is None
    written = stack.get(entry_key(OCTOBER))
    assert type(repair(other, stack.bucket, stack)).__name__ == "Conflict"
    assert stack.get(entry_key(OCTOBER)) == written
    assert stack.faults() == []


# ---- the report in the ledger


def test_a_report_is_noted_only_with_the_object_that_it_shows(stack: Stack) -> None:
    old = kept_entry(stack.bucket, OCTOBER)
    assert old.report_key == report_key(OCTOBER)
    stack.publish(OCTOBER, 70)
    stack.fetch(OCTOBER, stack.source, 0.1)
    note_report(stack.bucket, OCTOBER, old)
    assert kept_entry(stack.bucket, OCTOBER).report_key is None


class Raced(FolderBucket):
    """A bucket whose entry another run pins just before the first write."""

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Let the other run write first."""
        there = self.read(key)
        assert there
        if b'"pinned": ""' in there.data:
            pinned = there.data.replace(b'"pinned": ""', b'"pinned": "now"')
            super().write(key, pinned, there.version)
        super().write(key, data, replacing)


def test_a_report_is_noted_beside_what_another_run_writes(stack: Stack) -> None:
    raced = Raced(stack.folder / "bucket")
    entry, version = read_entry(raced, OCTOBER)
    assert entry
    write_entry(stack.bucket, OCTOBER, replace(entry, report_key=None), version)
    note_report(raced, OCTOBER, entry)
    found = kept_entry(raced, OCTOBER)
    assert (found.pinned, found.report_key) == ("now", report_key(OCTOBER))


def test_a_verdict_says_all_that_could_not_be_checked_and_what_would_help() -> None:
    """Advice in prose is part of the reason; a remedy is a record of its own."""
    first = StorageError("green 2020-10: no answer", "start the database")
    second = StorageError("green 2020-10: locked", UNPIN)
    once = Verdict(OCTOBER).with_error(first)
    assert (once.unchecked, once.error, once.advice) == (str(first)[15:], "StorageError", ())
    assert "start the database" in once.unchecked
    twice = once.with_error(second)
    assert twice.unchecked.startswith(f"{once.unchecked}; locked")
    assert twice.advice == (UNPIN,)
