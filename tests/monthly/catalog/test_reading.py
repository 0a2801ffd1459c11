"""Catalogs of real buckets and warehouses, with months loaded, corrected, held, broken and lost."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from core.errors import Unavailable
from core.storage.bucket import Bucket, FolderBucket, Stored
from fakes.entries import entry_of, revision_of
from fakes.three_warehouses import Place, bigquery_place, duckdb_place, postgres_place
from monthly import datasets
from monthly.catalog.contents import DatasetLine, Mark
from monthly.catalog.reading import listed_marks, read_catalog
from monthly.ledger import entry_key, object_key, read_entry, write_entry
from monthly.month import Month
from monthly.warehouses import recorded_months
from test_flows import trips

if TYPE_CHECKING:
    from fakes.s3 import S3

OCTOBER, NOVEMBER, DECEMBER, JANUARY, FEBRUARY, MARCH = (
    Month("green", 2020 + number // 12, number % 12 + 1) for number in range(9, 15)
)
#: The clock of the stand-in for Google.
GOOGLES_DAY = "2021-06-01"
TODAY = dt.date(2021, 6, 1)


@pytest.fixture(params=["folder and DuckDB", "S3 and Postgres", "Google's"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return each bucket with a warehouse."""
    if request.param == "folder and DuckDB":
        return duckdb_place(tmp_path)
    if request.param == "Google's":
        return bigquery_place(request.getfixturevalue("google"), tmp_path)
    from fakes.s3 import store

    s3: S3 = request.getfixturevalue("s3")
    bucket = store(s3.url, s3.new_bucket("catalog").name)
    return replace(postgres_place(request.getfixturevalue("database"), tmp_path), bucket=bucket)


def put(bucket: Bucket, key: str, data: bytes) -> None:
    """Write an object behind the project's back."""
    there = bucket.read(key)
    bucket.write(key, data, there.version if there else None)


def _now() -> str:
    return dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")


def of_green(place: Place) -> DatasetLine:
    """Return the catalog's line of green, after a check that yellow stays separate and empty."""
    yellow, green = read_catalog(place.bucket, place.warehouse, ["yellow", "green"], TODAY)
    assert not yellow.months
    return green


def test_each_place_is_listed_month_by_month(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Months may be loaded, corrected, in one place only, held, gone or broken, all at once."""
    began = _now()
    for month in (OCTOBER, NOVEMBER, FEBRUARY):
        place.publish(month, trips(month.year_month, ["1", "2"]))
    corrected = place.bring(NOVEMBER, trips("2020-11", ["1", "2", "3"]))
    alone = place.bring(DECEMBER, trips("2020-12", ["1"]))
    put(place.bucket, f"held/green/{JANUARY.stem}.json", b"{}")
    place.bucket.delete(entry_key(FEBRUARY))
    put(place.bucket, entry_key(MARCH), b"no entry")
    green = of_green(place)
    assert {line.month: line.mark for line in green.months} == {
        OCTOBER: Mark.GOOD,
        NOVEMBER: Mark.STALE,
        DECEMBER: Mark.BUCKET_ONLY,
        JANUARY: Mark.HELD,
        FEBRUARY: Mark.WAREHOUSE_ONLY,
        MARCH: Mark.UNREADABLE,
    }
    october, november, december, *_, broken = green.months
    started, ended = (GOOGLES_DAY, GOOGLES_DAY) if place.schema else (began[:10], _now()[:10])
    assert started <= october.loaded_at[:10] <= green.loaded_at[:10] <= ended
    assert (december.loaded_at, broken.loaded_at) == ("", "")
    assert november.stale == ("the warehouse has another edition of it",)
    assert entry_key(MARCH) in broken.fault
    assert october.entry == read_entry(place.bucket, OCTOBER)[0]
    assert green.rows == 2 + 3 + 1
    assert october.entry
    assert green.size == october.entry.object_size + corrected.object_size + alone.object_size
    assert listed_marks(place.bucket, "green") == {
        OCTOBER: Mark.GOOD,
        NOVEMBER: Mark.GOOD,
        DECEMBER: Mark.GOOD,
        JANUARY: Mark.HELD,
        FEBRUARY: Mark.MISSING,
        MARCH: Mark.GOOD,
    }


def test_a_time_of_duckdb_is_that_of_the_machines_zone() -> None:
    """DuckDB records local times, and another zone would be hours off."""
    with duckdb.connect() as db:
        ((local,),) = db.execute("SELECT now()::TIMESTAMP").fetchall()
    row = {"file_month": JANUARY.first_day, "object_sha256": "a", "rows": 1, "loaded_at": local}
    told = dt.datetime.fromisoformat(recorded_months("green", [row])[JANUARY].loaded_at)
    assert abs(told - dt.datetime.now(dt.timezone.utc)) < dt.timedelta(minutes=1)


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "bucket")


def keep(bucket: FolderBucket, month: Month, **fields: object) -> None:
    """Put an entry, and an object of its size."""
    entry = entry_of(month, **fields)
    write_entry(bucket, month, entry, None)
    put(bucket, object_key(month), b"content"[: entry.object_size])


def read(bucket: Bucket) -> DatasetLine:
    (green,) = read_catalog(bucket, None, ["green"], TODAY)
    return green


def test_an_entry_says_whether_it_was_pinned_corrected_or_generated(bucket: FolderBucket) -> None:
    keep(bucket, OCTOBER, pinned="2021-02-01T00:00:00+00:00", history=(revision_of(),))
    keep(bucket, NOVEMBER, url="sample:///green_tripdata_2020-11.csv.gz?rows=500")
    keep(bucket, DECEMBER)
    green = read(bucket)
    assert [line.mark for line in green.months] == [Mark.PINNED, Mark.GENERATED, Mark.GOOD]
    assert (green.counts["corrected"], green.counts["stale"]) == (1, 0)
    assert all(line.is_loaded is None for line in green.months)


def test_a_month_is_stale_if_its_object_or_its_declaration_has_changed(
    bucket: FolderBucket,
) -> None:
    """Only a listing and the entry are compared; verify.py reads objects."""
    for month in (OCTOBER, NOVEMBER):
        keep(bucket, month)
    keep(bucket, DECEMBER, schema_version=1, signatures={"VendorID": "another"})
    bucket.delete(object_key(OCTOBER))
    put(bucket, object_key(NOVEMBER), b"longer than its entry")
    gone, longer, older = (line.stale for line in read(bucket).months)
    assert gone == ("its object is gone",)
    assert longer == ("its object has 21 bytes where the ledger has 7",)
    assert [reason.split(":")[0] for reason in older] == ["the declaration changed"]
    bucket.delete(entry_key(DECEMBER))
    keep(bucket, DECEMBER, schema_version=1, signatures={"VendorID": "another"}, pinned="2021")
    assert read(bucket).months[-1].stale == ()  # no run converts a pinned month


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"year_month": "2020-11"}, "is of green 2020-11"),
        ({"rows_written": "many"}, "is not a ledger entry (rows_written is 'many')"),
        ({"converted_at": "yesterday"}, "is damaged (Invalid isoformat string: 'yesterday')"),
        ({"history": [{"reason": "why"}]}, "is not a ledger entry"),
        ({"schema_version": 1, "drift": None}, "is not a ledger entry (drift is None)"),
        ({"later": 1}, "was written by a newer version"),
    ],
)
def test_a_wrong_entry_is_named_and_hides_no_other(
    bucket: FolderBucket, change: dict[str, object], said: str
) -> None:
    keep(bucket, OCTOBER)
    keep(bucket, NOVEMBER)
    stored = bucket.read(entry_key(OCTOBER))
    assert stored
    put(bucket, entry_key(OCTOBER), json.dumps(json.loads(stored.data) | change).encode())
    wrong, other = read(bucket).months
    assert said in wrong.fault
    assert wrong.fault.endswith("; flows/verify.py repairs it") is ("later" not in change)
    assert (wrong.mark, other.mark) == (Mark.UNREADABLE, Mark.GOOD)


def test_objects_that_are_not_months_are_left_out(bucket: FolderBucket) -> None:
    """It may be an object of another program, or of a month before the first."""
    keep(bucket, OCTOBER)
    for name in ("notes.txt", "green_tripdata_2020-10.bak", "green_tripdata_2001-01.json"):
        put(bucket, f"ledger/green/{name}", b"{}")
    assert [line.month for line in read(bucket).months] == [OCTOBER]


def test_a_broken_declaration_hides_no_other_dataset(
    bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is reported if the dataset has anything stored."""
    keep(bucket, OCTOBER)
    put(bucket, "ledger/rides/rides_2020-10.json", b"{}")
    folder = tmp_path / "datasets"
    folder.mkdir()
    (folder / "rides.toml").write_text("title = 1\n")
    monkeypatch.setenv(datasets.VARIABLE, str(folder))
    rides, green = read_catalog(bucket, None, ["rides", "green"], TODAY)
    assert "rides.toml, line 1: title" in rides.fault
    assert [line.mark for line in green.months] == [Mark.GOOD]


def test_a_bucket_that_does_not_answer_is_not_a_broken_entry(bucket: FolderBucket) -> None:
    """The run is retried instead."""

    class Silent(FolderBucket):
        def read(self, key: str) -> Stored | None:
            raise Unavailable("503")

    keep(bucket, OCTOBER)
    with pytest.raises(Unavailable):
        read(Silent(bucket.folder))
