"""BigQuery through Google's own client: what is loaded, by which job, and after which faults."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from google.cloud.bigquery import Client

from core.errors import AccountingError, Conflict, SchemaError, StorageError, Unavailable
from core.storage.bucket import FolderBucket
from fakes.duckdb_files import attached
from fakes.google import Google
from fakes.google.answers import Fault
from fakes.google.months import bring
from fakes.google.places import open_bigquery, open_store
from fakes.tlc_facts import write_sample
from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.month import Month
from monthly.warehouses import LoadedMonth, bigquery
from monthly.warehouses.bigquery_ledger import LoadedMonths
from monthly.warehouses.bigquery_tables import prepare
from monthly.warehouses.duckdb import DuckDBFile
from monthly.warehouses.load import load_object, object_for
from orchestration.retries import PASSING

OCTOBER, NOVEMBER = Month("green", 2020, 10), Month("green", 2020, 11)
GREEN = (
    "SELECT strftime(file_month, '%Y-%m'), count(*), round(sum(total_amount), 2) "
    "FROM {} GROUP BY 1 ORDER BY 1"
)
REAL = Path(os.environ.get("TLC_REAL_DATA", Path(__file__).parents[4] / "shared" / "data"))


def publish(folder: Path, month: Month, rows: int) -> tuple[Path, float]:
    """Return a generated file and the sum of its totals, counted during generation."""
    path = folder / f"{month.stem}-{rows}.csv.gz"
    facts = write_sample(month, path, rows)
    assert facts.total_cents is not None
    return path, facts.total_cents / 100


def kept(tmp_path: Path, month: Month = OCTOBER, rows: int = 300) -> Entry:
    """Bring a month into the bucket of the stand-in."""
    return bring(open_store(), month, publish(tmp_path, month, rows)[0], tmp_path)


def load(entry: Entry, tmp_path: Path, month: Month = OCTOBER) -> int:
    """Load a month as the flow does."""
    warehouse, store = open_bigquery(), open_store()
    return load_object(
        warehouse, month, entry, object_for(warehouse, store, month, entry, tmp_path)
    )


def in_bigquery(google: Google) -> list[tuple[object, ...]]:
    return google.bigquery.rows(GREEN.format("trips_data_all.green_trips"))


def loads(google: Google) -> list[str]:
    return [number for number in google.bigquery.jobs if number.startswith("trips-")]


def test_a_month_is_the_same_in_every_bucket_and_warehouse(google: Google, tmp_path: Path) -> None:
    """Counts and sums are those of the generator, from a folder and from Google's bucket."""
    published, total = publish(tmp_path, OCTOBER, 500)
    folder, embedded = FolderBucket(tmp_path / "bucket"), DuckDBFile(tmp_path / "trips.duckdb")
    for bucket in (folder, open_store()):
        entry = bring(bucket, OCTOBER, published, tmp_path)
        for warehouse in (embedded, open_bigquery()):
            found = object_for(warehouse, bucket, OCTOBER, entry, tmp_path)
            assert load_object(warehouse, OCTOBER, entry, found) == 500
            assert warehouse.loaded("green") == {OCTOBER: entry.object_sha256}
        assert in_bigquery(google) == [("2020-10", 500, total)]
        with attached(embedded.path, read_only=True) as db:
            assert db.execute(GREEN.format("green_trips")).fetchall() == in_bigquery(google)


@pytest.mark.real
def test_a_real_month_is_the_same_in_both(google: Google, tmp_path: Path) -> None:
    """DuckDB itself reads green 2020-10 as it was published."""
    published = REAL / "tlc/green/green_tripdata_2020-10.csv.gz"
    if not published.exists():
        pytest.skip(f"{published} is absent; TLC_REAL_DATA names the folder of real files")
    entry = bring(open_store(), OCTOBER, published, tmp_path)
    load(entry, tmp_path)
    with duckdb.connect() as db:
        expected = db.execute(
            "SELECT '2020-10', count(*), round(sum(total_amount), 2) FROM read_csv(?, "
            "all_varchar=false, sample_size=-1)",
            [str(published)],
        ).fetchall()
    assert in_bigquery(google) == expected


def test_no_row_passes_the_client_when_the_object_is_in_cloud_storage(
    google: Google, tmp_path: Path
) -> None:
    """From another bucket, exactly the object is uploaded."""
    entry = kept(tmp_path)
    google.requests.clear()
    load(entry, tmp_path)
    assert google.bigquery.received == 0
    assert not [r for r in google.requests if r.path.startswith("/download/")]
    folder = FolderBucket(tmp_path / "bucket")
    other = bring(folder, NOVEMBER, publish(tmp_path, NOVEMBER, 40)[0], tmp_path)
    found = object_for(open_bigquery(), folder, NOVEMBER, other, tmp_path)
    load_object(open_bigquery(), NOVEMBER, other, found)
    assert google.bigquery.received == other.object_size


def test_the_table_is_partitioned_clustered_and_described(google: Google, tmp_path: Path) -> None:
    """They are the file's month and the pickup zone; local times have no zone."""
    load(kept(tmp_path), tmp_path)
    table = google.bigquery.tables.tables["trips_data_all", "green_trips"]
    assert table["timePartitioning"] == {"type": "MONTH", "field": "file_month"}
    assert table["clustering"] == {"fields": ["PULocationID"]}
    fields = {field["name"]: field for field in table["schema"]["fields"]}
    assert fields["lpep_pickup_datetime"]["type"] == "DATETIME"
    assert all(field["description"] for field in fields.values())


def test_a_corrected_month_replaces_exactly_itself(google: Google, tmp_path: Path) -> None:
    """The other month stays, and only the new object counts as loaded."""
    november = kept(tmp_path, NOVEMBER, 20)
    for entry, month in ((kept(tmp_path), OCTOBER), (november, NOVEMBER)):
        load(entry, tmp_path, month)
    corrected = kept(tmp_path, OCTOBER, 301)
    load(corrected, tmp_path)
    assert [row[:2] for row in in_bigquery(google)] == [("2020-10", 301), ("2020-11", 20)]
    assert open_bigquery().loaded("green") == {
        OCTOBER: corrected.object_sha256,
        NOVEMBER: november.object_sha256,
    }


def test_a_partition_that_something_else_changed_is_not_loaded(
    google: Google, tmp_path: Path
) -> None:
    """This holds even if the same rows were loaded; the next run loads the month again."""
    entry = kept(tmp_path)
    load(entry, tmp_path)
    target = {"datasetId": "trips_data_all", "tableId": "green_trips$202010"}
    schema = google.bigquery.tables.tables["trips_data_all", "green_trips"]["schema"]
    path = google.storage.file_of(open_store().uri(entry.object_key))
    google.bigquery.tables.replace(target, schema, path)
    assert open_bigquery().loaded("green") == {}
    held = open_bigquery().loaded_month(OCTOBER)
    assert held
    assert held.difference("w") == "something other than a load changed it in w"
    load(entry, tmp_path)
    assert open_bigquery().loaded("green") == {OCTOBER: entry.object_sha256}
    held = open_bigquery().loaded_month(OCTOBER)
    assert held == LoadedMonth(entry.object_sha256, entry.rows_written, entry.rows_written)
    assert open_bigquery().loaded_month(NOVEMBER) is None


@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "sent"])
def test_a_load_whose_answer_got_lost_is_not_made_twice(
    google: Google, tmp_path: Path, in_place: bool
) -> None:
    """The client retries, Google knows the job's id, and the run adopts the job."""
    entry = kept(tmp_path)
    path = "/bigquery/v2/projects/[^/]+/jobs$"
    warehouse, store = open_bigquery(), open_store()
    warehouse.loaded("green")
    if in_place:
        load(kept(tmp_path, NOVEMBER, 10), tmp_path, NOVEMBER)  # the tables exist
        fault = google.fail(Fault("POST", f"^{path}", skip=1, carried_out=True))
        load(entry, tmp_path)
    else:
        fault = google.fail(Fault("PUT", f"^/upload{path}", carried_out=True))
        store.download(entry.object_key, tmp_path / "object")
        warehouse.load(OCTOBER, entry, tmp_path / "object")
    assert fault.reached.is_set()
    assert [n for n in loads(google) if "2020-10" in n] == ["trips-trips_data_all-green-2020-10-1"]
    assert warehouse.loaded("green")[OCTOBER] == entry.object_sha256


def test_a_failed_job_is_shown_in_full_and_leaves_the_month(google: Google, tmp_path: Path) -> None:
    """Every error of the job is named; the next run takes the next number."""
    old = kept(tmp_path)
    load(old, tmp_path)
    corrected = kept(tmp_path, OCTOBER, 301)
    google.bigquery.fail_job("invalid", "Error while reading data")
    with pytest.raises(StorageError, match="Error while reading data; invalid: row 17") as raised:
        load(corrected, tmp_path)
    assert not isinstance(raised.value, PASSING)
    assert [row[1] for row in in_bigquery(google)] == [300]
    assert open_bigquery().loaded("green") == {OCTOBER: old.object_sha256}
    assert load(corrected, tmp_path) == 301
    assert loads(google)[-1].endswith("-3")


def test_a_job_that_google_could_not_run_is_retried(google: Google, tmp_path: Path) -> None:
    """A BackendError passes without intervention."""
    entry = kept(tmp_path)
    google.bigquery.fail_job("backendError", "try again")
    with pytest.raises(Unavailable, match="try again"):
        load(entry, tmp_path)
    assert load(entry, tmp_path) == 300


def test_an_overtaken_run_does_not_call_the_rows_of_another_its_own(
    google: Google, tmp_path: Path
) -> None:
    """Another run loads another object between a load and its ledger row."""
    old = kept(tmp_path, OCTOBER, 300)
    store, warehouse = open_store(), open_bigquery()
    local = tmp_path / "old"
    store.download(old.object_key, local)
    new = kept(tmp_path, OCTOBER, 301)
    partition = LoadedMonths.partition

    def overtaken(months: LoadedMonths, month: Month) -> object:
        patched.undo()
        load(new, tmp_path)
        return partition(months, month)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LoadedMonths, "partition", overtaken)
        with pytest.raises(Conflict, match="another run loads it"):
            warehouse.load(OCTOBER, old, local)
    assert open_bigquery().loaded("green") == {OCTOBER: new.object_sha256}


def test_an_object_that_changes_while_it_is_loaded_is_noticed(
    google: Google, tmp_path: Path
) -> None:
    """The month is not recorded as loaded."""
    entry = kept(tmp_path)
    store, warehouse = open_store(), open_bigquery()
    found = object_for(warehouse, store, OCTOBER, entry, tmp_path)
    kept(tmp_path, OCTOBER, 300)
    with pytest.raises(Conflict, match="was changed while it was being loaded"):
        load_object(warehouse, OCTOBER, entry, found)
    assert warehouse.loaded("green") == {}


def test_an_object_that_is_dropped_while_it_is_loaded_is_reported_as_dropped(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The month is not recorded as loaded, and planning it again would not help."""
    entry = kept(tmp_path)
    store, warehouse = open_store(), open_bigquery()
    found = object_for(warehouse, store, OCTOBER, entry, tmp_path)
    run = bigquery._Jobs.run

    def run_and_drop(*which: Any) -> None:
        run(*which)
        store.delete(entry.object_key)

    monkeypatch.setattr(bigquery._Jobs, "run", run_and_drop)
    with pytest.raises(StorageError, match="was dropped from the bucket while") as raised:
        load_object(warehouse, OCTOBER, entry, found)
    assert not isinstance(raised.value, Conflict)
    assert warehouse.loaded("green") == {}


def test_counts_that_differ_are_an_error(google: Google, tmp_path: Path) -> None:
    """BigQuery's own count is compared with the ledger's."""
    entry = replace(kept(tmp_path), rows_written=299)
    with pytest.raises(AccountingError, match="counted 300 rows where the ledger has 299"):
        load(entry, tmp_path)
    assert open_bigquery().loaded("green") == {}


def test_a_month_that_expires_as_it_is_loaded_is_an_error(google: Google, tmp_path: Path) -> None:
    """As in the sandbox, which deletes partitions of more than 60 days ago."""
    load(kept(tmp_path, NOVEMBER), tmp_path, NOVEMBER)
    google.bigquery.tables.datasets["trips_data_all"]["defaultPartitionExpirationMs"] = "5184000000"
    entry = kept(tmp_path)
    with pytest.raises(AccountingError, match="loaded 300 rows, and 0 are there") as raised:
        load(entry, tmp_path)
    assert "partition expiration" in str(raised.value)
    assert [*open_bigquery().recorded("green")] == [NOVEMBER]


def test_a_dropped_dataset_is_loaded_again(google: Google, tmp_path: Path) -> None:
    """Google still has the jobs of the dropped table, which does not matter."""
    entry = kept(tmp_path)
    load(entry, tmp_path)
    google.bigquery.drop("trips_data_all")
    load(entry, tmp_path)
    assert [row[1] for row in in_bigquery(google)] == [300]


def test_a_table_with_other_types_is_refused(google: Google, tmp_path: Path) -> None:
    """A column of another type is named, and nothing is loaded."""
    load(kept(tmp_path), tmp_path)
    fields = google.bigquery.tables.tables["trips_data_all", "green_trips"]["schema"]["fields"]
    fields[0]["type"] = "STRING"
    with pytest.raises(SchemaError, match=f"{fields[0]['name']} is STRING, not INTEGER"):
        load(kept(tmp_path, OCTOBER, 301), tmp_path)


@pytest.mark.parametrize(
    ("partitioned", "how"),
    [
        ({}, "not partitioned"),
        ({"timePartitioning": {"type": "DAY"}}, "partitioned by DAY of the time of loading"),
        (
            {"timePartitioning": {"type": "MONTH", "field": "lpep_pickup_datetime"}},
            "partitioned by MONTH of lpep_pickup_datetime",
        ),
        (
            {"rangePartitioning": {"field": "VendorID", "range": {"start": "0", "end": "9"}}},
            "partitioned by numbers",
        ),
    ],
    ids=["none", "day", "pickup", "range"],
)
def test_a_table_without_a_partition_for_each_month_is_refused(
    google: Google, tmp_path: Path, partitioned: dict[str, Any], how: str
) -> None:
    """The error comes before anything is sent, with a remedy; `to_gbq` creates such a table."""
    prepare(open_bigquery().client, "trips_data_all", None, OCTOBER)
    table = google.bigquery.tables.tables["trips_data_all", "green_trips"]
    del table["timePartitioning"]
    table.update(partitioned)
    with pytest.raises(SchemaError, match=f"green_trips was made by something else .it is {how}, "):
        load(kept(tmp_path), tmp_path)
    assert loads(google) == []


def test_a_new_column_is_added(google: Google, tmp_path: Path) -> None:
    """The table comes from an older declaration."""
    load(kept(tmp_path), tmp_path)
    google.bigquery.drop_column("trips_data_all", "green_trips", "cbd_congestion_fee")
    load(kept(tmp_path, OCTOBER, 301), tmp_path)
    assert google.bigquery.rows(
        "SELECT count(*), count(cbd_congestion_fee) FROM trips_data_all.green_trips"
    ) == [(301, 0)]


def test_what_a_user_sets_on_a_column_stays_when_its_description_changes(
    google: Google, tmp_path: Path
) -> None:
    """Google removes policy tags that a changed schema does not mention."""
    load(kept(tmp_path), tmp_path)
    fields = google.bigquery.tables.tables["trips_data_all", "green_trips"]["schema"]["fields"]
    own = {"policyTags": {"names": ["projects/p/locations/us/taxonomies/1/policyTags/2"]}}
    for field in fields:
        if field["name"] == "total_amount":
            field |= own | {"description": "As an older version declares it."}
    google.bigquery.drop_column("trips_data_all", "green_trips", "cbd_congestion_fee")
    load(kept(tmp_path, OCTOBER, 301), tmp_path)
    fields = google.bigquery.tables.tables["trips_data_all", "green_trips"]["schema"]["fields"]
    (field,) = [field for field in fields if field["name"] == "total_amount"]
    assert field.items() >= own.items()
    declared = DATASETS["green"].column("total_amount")
    assert declared
    assert field["description"] == declared.about


def test_a_table_that_requires_a_filter_is_loaded_and_verified(
    google: Google, tmp_path: Path
) -> None:
    """A user may forbid queries without one, so that none reads all months by mistake."""
    load(kept(tmp_path), tmp_path)
    google.bigquery.tables.tables["trips_data_all", "green_trips"]["requirePartitionFilter"] = True
    entry = kept(tmp_path, OCTOBER, 301)
    load(entry, tmp_path)
    warehouse = open_bigquery()
    assert warehouse.loaded("green") == {OCTOBER: entry.object_sha256}
    found = warehouse.figures("green", DATASETS["green"].columns)
    assert {month: figures.rows for month, figures in found.items()} == {OCTOBER: 301}


def test_a_table_that_another_run_changes_meanwhile_is_left_as_it_is(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google refuses to change a table that is newer than the one read; a retry reads it again."""
    load(kept(tmp_path), tmp_path)
    google.bigquery.drop_column("trips_data_all", "green_trips", "cbd_congestion_fee")
    entry, change = kept(tmp_path, OCTOBER, 301), Client.update_table

    def after_another(self: Client, *arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(Client, "update_table", change)
        load(entry, tmp_path)
        return change(self, *arguments, **named)

    monkeypatch.setattr(Client, "update_table", after_another)
    with pytest.raises(Unavailable, match="Precondition check failed"):
        load(entry, tmp_path)
    assert load(entry, tmp_path) == 301
    assert [rows for _, rows, _ in in_bigquery(google)] == [301]


def test_a_missing_role_is_named(google: Google) -> None:
    """This covers the dataset and the project."""
    google.fail(Fault("POST", "/jobs$", status=403))
    with pytest.raises(StorageError, match=r"green in taxi-project\.trips_data_all.*jobUser"):
        open_bigquery().loaded("green")


def test_more_months_than_a_page_are_all_known(google: Google, tmp_path: Path) -> None:
    """A query's result is read to its end."""
    entries = {m: kept(tmp_path, m, 10) for m in (OCTOBER, NOVEMBER)}
    for month, entry in entries.items():
        load(entry, tmp_path, month)
    google.bigquery.page_rows = 1
    expected = {month: entry.object_sha256 for month, entry in entries.items()}
    assert open_bigquery().loaded("green") == expected
