"""The flows with a saved S3 block, as people run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq
import pytest

from fakes.postgres import Database
from fakes.s3 import S3, Objects, block
from test_flows import bring, bring_all, publish, totals

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

BUCKET = "s3-bucket/zoom-s3"
OCTOBER = "taxi/data/green/green_tripdata_2020-10.parquet"
NOVEMBER = "taxi/data/green/green_tripdata_2020-11.parquet"


@pytest.fixture
def objects(s3: S3) -> Objects:
    """Return the bucket behind the saved block, whose keys are in a folder."""
    found = s3.new_bucket("zoom-flows")
    save(block(s3.url, found.name, "taxi"))
    return found


def save(bucket: Any) -> None:
    bucket.credentials.save("zoom-aws-creds", overwrite=True)
    bucket.save("zoom-s3", overwrite=True)


def failure(state: Any) -> str:
    """Return the message of a failed flow."""
    assert state.is_failed()
    return str(state.result(raise_on_failure=False))


def test_a_month_is_the_same_in_a_folder_and_in_s3(place: Path, objects: Objects) -> None:
    """Bytes and counts are the same; the line names the location."""
    publish(place, "2020-10", ["10.5", "4"])
    local = bring(place, 10).result()
    cloud = bring(place, 10, bucket=BUCKET).result()
    kept = place / "bucket/data/green/green_tripdata_2020-10.parquet"
    assert objects.get(OCTOBER) == kept.read_bytes()
    assert pq.read_metadata(kept).num_rows == 2
    assert (cloud.rows_read, cloud.rows_written) == (local.rows_read, local.rows_written)
    assert cloud.where == f"s3://zoom-flows/{OCTOBER}"


def test_twice_changes_nothing(place: Path, objects: Objects) -> None:
    """The second run writes nothing to bucket or warehouse."""
    publish(place, "2020-10", ["10.5", "4"])
    assert bring_all(place, "10", bucket=BUCKET).name == "Completed"
    before = objects.listing()
    state = bring_all(place, "10", bucket=BUCKET)
    assert state.name == "Skipped"
    assert objects.listing() == before
    assert totals(place) == {"2020-10": (2, 14.5)}


def test_a_corrected_file_replaces_exactly_its_month(place: Path, objects: Objects) -> None:
    """The other month keeps its object and its rows; the replaced object is an edition."""
    publish(place, "2020-10", ["10.5", "4"])
    publish(place, "2020-11", ["7", "8", "9"])
    bring_all(place, "10,11", bucket=BUCKET)
    before = objects.listing()
    publish(place, "2020-10", ["10.5", "4", "1"])
    state = bring_all(place, "10,11", bucket=BUCKET)
    assert [line.status for line in state.result()] == ["loaded", "unchanged"]
    after = objects.listing()
    edition = "taxi/editions/green/green_tripdata_2020-10/"
    changed = {key for key, data in after.items() if before.get(key) != data}
    ledger = "taxi/ledger/green/green_tripdata_2020-10.json"
    assert {key for key in changed if not key.startswith(edition)} == {OCTOBER, ledger}
    (kept,) = [key for key in changed if key.startswith(edition) and key.endswith(".parquet")]
    assert after[kept] == before[OCTOBER]
    assert totals(place) == {"2020-10": (3, 15.5), "2020-11": (3, 24.0)}


def test_a_month_is_dropped_from_s3_and_postgres(
    place: Path, objects: Objects, database: Database
) -> None:
    """The months are listed first, then removed, and nothing else is."""
    from drop_months import drop_months

    database.block().save("dropping", overwrite=True)
    places = {"bucket": BUCKET, "warehouse": "sqlalchemy-connector/dropping"}
    publish(place, "2020-10", ["10.5", "4"])
    publish(place, "2020-11", ["7"])
    assert bring_all(place, "10,11", **places).name == "Completed"
    before, call = objects.listing(), cast(Any, drop_months)
    shown = call("green", months="2020-10", **places, return_state=True)
    assert (shown.name, objects.listing()) == ("Planned", before)
    assert database.query("SELECT count(*) FROM green_trips") == [(3,)]
    done = call("green", months="2020-10", **places, yes=True, return_state=True)
    assert done.message == "1 of 1 months dropped"
    kept = {key: data for key, data in before.items() if "2020-11" in key}
    assert len(before) == 2 * len(kept) == 4
    assert objects.listing() == kept
    assert database.query("SELECT sum(total_amount), count(*) FROM green_trips") == [(7.0, 1)]
    assert database.query("SELECT to_char(file_month, 'MM') FROM loaded_months") == [("11",)]


def test_a_late_run_plans_again_and_finds_nothing_to_do(
    place: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run loads the month between this run's plan and its ledger entry."""
    import etl_web_to_gcs as flow_file
    from monthly.replacement import replace_month as real

    won: list[Any] = []

    def late(*month: Any) -> Any:
        if not won:
            won.append(real(*month))
        return real(*month)

    monkeypatch.setattr(flow_file, "replace_month", late)
    publish(place, "2020-10", ["10.5", "4"])
    state = bring(place, 10, bucket=BUCKET)
    assert state.name == "Skipped"
    assert state.result().rows_written == won[0].rows_written == 2
    assert len(objects.listing()) == 2


def test_a_late_run_with_a_newer_file_wins_in_the_end(
    place: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its object overwrites the other's before the conflict is noticed and repaired."""
    import etl_web_to_gcs as flow_file
    from monthly.replacement import replace_month as real

    first: list[Any] = []

    def late(*month: Any) -> Any:
        if not first:
            first.append(month)
            publish(place, "2020-10", ["1", "2", "3"])
            bring(place, 10, bucket=BUCKET)
        return real(*month)

    monkeypatch.setattr(flow_file, "replace_month", late)
    publish(place, "2020-10", ["10.5", "4"])
    # Each run has its own scratch folder, as on two machines.
    monkeypatch.setattr(flow_file, "scratch_folder", _own_scratch(place))
    state = bring(place, 10, bucket=BUCKET)
    assert state.result().rows_written == 3
    assert bring_all(place, "10", bucket=BUCKET).name == "Completed"
    assert totals(place) == {"2020-10": (3, 6.0)}


def _own_scratch(place: Path) -> Any:
    import itertools

    from core.scratch import scratch_folder

    number = itertools.count()
    return lambda month, purpose: scratch_folder(month, f"{next(number)}")


def test_a_month_that_was_killed_before_its_ledger_entry_is_completed(
    place: Path, objects: Objects
) -> None:
    """An object without an entry is still to be loaded."""
    publish(place, "2020-10", ["10.5", "4"])
    bring(place, 10, bucket=BUCKET)
    ledger = "taxi/ledger/green/green_tripdata_2020-10.json"
    objects.client.delete_object(Bucket=objects.name, Key=ledger)
    (line,) = bring_all(place, "10", bucket=BUCKET, plan=True).result()
    assert line.status == "NEW"
    assert bring_all(place, "10", bucket=BUCKET).name == "Completed"
    assert set(objects.listing()) == {OCTOBER, ledger}
    assert totals(place) == {"2020-10": (2, 14.5)}


def test_a_bucket_that_is_not_there_ends_the_run_with_its_name(place: Path, s3: S3) -> None:
    """It ends without a retry and without a download."""
    save(block(s3.url, "no-such-bucket"))
    publish(place, "2020-10", ["10.5"])
    said = failure(bring(place, 10, bucket=BUCKET))
    assert "s3://no-such-bucket/" in said
    assert "there is no such bucket; create it, or correct its name" in said


def test_a_block_that_is_not_saved_is_named_with_the_way_to_save_it(place: Path) -> None:
    """The error comes before anything is read."""
    said = failure(bring(place, 10, bucket="s3-bucket/nobody-saved-it"))
    assert "bucket block s3-bucket/nobody-saved-it cannot be loaded" in said
    assert "save it with python blocks/make_s3_block.py" in said
    assert "blocks/" in said


def test_an_object_changed_behind_the_ledger_is_mended(place: Path, objects: Objects) -> None:
    """The ETag reveals the change, the content proves it, and the month is fetched again."""
    publish(place, "2020-10", ["10.5"])
    bring(place, 10, bucket=BUCKET)
    before = objects.get(OCTOBER)
    objects.put(OCTOBER, b"PAR1PAR1")
    assert bring(place, 10, bucket=BUCKET).name == "Completed"
    assert objects.get(OCTOBER) == before
