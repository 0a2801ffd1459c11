"""The flows as people run them, against one Prefect server, on files made here."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from fakes.duckdb_files import attached
from fakes.web import Fault, Page, Web

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

TEMPLATE = "/{color}_tripdata_{year}-{month:02}.csv"
HEADER = (
    "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,"
    "PULocationID,DOLocationID,passenger_count,trip_distance,fare_amount,extra,mta_tax,"
    "tip_amount,tolls_amount,ehail_fee,improvement_surcharge,total_amount,payment_type,"
    "trip_type,congestion_surcharge\n"
)


def trips(month: str, totals: list[str]) -> str:
    """Return a green file with one trip for each total."""
    rows = "".join(
        f"2,{month}-03 10:0{i % 10}:00,{month}-03 10:30:00,N,1,74,41,1,1.5,"
        f"{total},0,0.5,0,0,,0.3,{total},1,1,0\n"
        for i, total in enumerate(totals)
    )
    return HEADER + rows


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once."""
    import etl_web_to_gcs as flow_file

    for name in ("plan", "extract", "load"):
        task = getattr(flow_file, name)
        quick = task.with_options(retry_delay_seconds=0, retry_jitter_factor=None)
        monkeypatch.setattr(flow_file, name, quick)


@pytest.fixture
def server() -> Iterator[Web]:
    """Run the test's own web server."""
    with Web() as served:
        yield served


def publish(place: Path, month: str, totals: list[str]) -> None:
    path = place / "web" / f"green_tripdata_{month}.csv"
    path.write_text(trips(month, totals))


def source(place: Path) -> str:
    return f"file://{place}/web/{{color}}_tripdata_{{year}}-{{month:02}}.csv"


def totals(place: Path) -> dict[str, tuple[int, float]]:
    """Return rows and sum of totals by month, as DuckDB itself reads them."""
    if not (place / "trips.duckdb").exists():
        return {}
    with attached(place / "trips.duckdb", read_only=True) as db:
        rows = db.execute(
            "SELECT strftime(file_month, '%Y-%m'), count(*), round(sum(total_amount), 2) "
            "FROM green_trips GROUP BY ALL"
        ).fetchall()
    return {month: (count, total) for month, count, total in rows}


def listing(folder: Path) -> dict[str, str]:
    """Return every file below a folder with the hash of its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def bring(place: Path, month: int, **options: Any) -> Any:
    from etl_web_to_gcs import etl_web_to_gcs

    options = {"source": source(place), "gates": "off"} | options
    call: Any = etl_web_to_gcs
    return call("green", 2020, month, **options, return_state=True)


def bring_all(place: Path, months: str | list[int], **options: Any) -> Any:
    """Run the parent flow without reports, whose pictures take a second each.

    Gates are off, because any correction of a few rows changes most of a month.
    """
    from parameterized_flow import etl_parent_flow

    options = {"source": source(place), "report": False, "gates": "off"} | options
    call: Any = etl_parent_flow
    return call("green", 2020, months, **options, return_state=True)


def test_a_month_goes_into_the_bucket_once_and_then_is_skipped(place: Path) -> None:
    """The second run changes no byte and ends in a state named Skipped with its reason."""
    publish(place, "2020-10", ["10.5", "4"])
    first = bring(place, 10)
    before = listing(place / "bucket")
    second = bring(place, 10)
    assert first.name == "Completed"
    assert first.result().rows_written == 2
    assert second.name == "Skipped"
    assert second.type.value == "COMPLETED"
    assert "green 2020-10: same size and modification time" in second.message
    assert listing(place / "bucket") == before


def test_a_touched_file_with_the_same_content_is_not_loaded_again(place: Path) -> None:
    """Without an ETag, the content decides whether a new modification time is a change."""
    publish(place, "2020-10", ["10.5", "4"])
    bring(place, 10)
    parquet = place / "bucket/data/green/green_tripdata_2020-10.parquet"
    before = parquet.stat().st_mtime_ns
    file = place / "web/green_tripdata_2020-10.csv"
    touched = file.stat().st_mtime + 3600
    os.utime(file, (touched, touched))
    state = bring(place, 10)
    assert state.name == "Skipped"
    assert "the same content" in state.message
    assert parquet.stat().st_mtime_ns == before
    assert "same size and modification time" in bring(place, 10).message


def test_a_corrected_file_replaces_exactly_its_month(place: Path) -> None:
    """The other month stays as it was in bucket and warehouse."""
    publish(place, "2020-10", ["10.5", "4"])
    publish(place, "2020-11", ["7", "8", "9"])
    assert bring_all(place, "10,11").name == "Completed"
    assert totals(place) == {"2020-10": (2, 14.5), "2020-11": (3, 24.0)}
    publish(place, "2020-10", ["10.5", "4", "1"])
    state = bring_all(place, "10,11")
    assert [line.status for line in state.result()] == ["loaded", "unchanged"]
    assert totals(place) == {"2020-10": (3, 15.5), "2020-11": (3, 24.0)}


def test_a_run_that_another_one_overtook_plans_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run writes its month during this one's conversion; this one is loaded last."""
    import etl_web_to_gcs as flow_file
    from fakes.one_month import bring as bring_elsewhere
    from monthly.replacement import replace_month

    publish(place, "2020-10", ["10.5", "4"])
    other = place / "other.csv"
    other.write_text(trips("2020-10", ["1", "2", "3"]))

    def replace_late(bucket: Any, download: Any, *rest: Any) -> Any:
        if other.exists():
            bring_elsewhere(other.rename(place / "brought.csv"), bucket, download.what)
        return replace_month(bucket, download, *rest)

    monkeypatch.setattr(flow_file, "replace_month", replace_late)
    state = bring(place, 10)
    assert (place / "brought.csv").exists()
    assert state.result().status == "loaded"
    parquet = place / "bucket/data/green/green_tripdata_2020-10.parquet"
    found = duckdb.execute(f"SELECT count(*), sum(total_amount) FROM '{parquet}'").fetchone()
    assert found == (2, 14.5)
    assert bring(place, 10).name == "Skipped"


def test_a_run_without_news_is_skipped_as_a_whole(place: Path) -> None:
    """The run reads only the ledger from the bucket, and writes nothing."""
    publish(place, "2020-10", ["10.5"])
    bring_all(place, "10")
    before = listing(place)
    state = bring_all(place, "10")
    assert state.name == "Skipped"
    assert listing(place) == before


def test_a_plan_writes_nothing_and_says_why(place: Path) -> None:
    """It says NEW and NOT YET PUBLISHED before a load, UNCHANGED after; no store is created."""
    publish(place, "2020-10", ["10.5"])
    before = listing(place)
    lines = bring_all(place, "10,11", plan=True, skip_missing=True).result()
    assert [line.status for line in lines] == ["NEW", "NOT YET PUBLISHED"]
    assert all(line.reason for line in lines)
    assert {k: v for k, v in listing(place).items() if not k.startswith("scratch/")} == before
    assert not (place / "bucket").exists()


def test_a_plan_says_that_the_warehouse_would_refuse_a_month(place: Path) -> None:
    """The plan marks only months with work; nothing is loaded."""
    publish(place, "2020-10", ["10.5"])
    bring_all(place, "10")
    publish(place, "2020-11", ["4"])
    with attached(place / "trips.duckdb") as db:
        db.execute("ALTER TABLE green_trips ALTER total_amount TYPE DECIMAL(10,2)")
    before = listing(place / "bucket")
    for options in ({"plan": True}, {}):
        state = bring_all(place, "10,11", **options)
        assert state.is_failed()
        said = "1 of 2 months failed: green 2020-11: table green_trips has other types than"
        assert said in state.message
        assert "total_amount is DECIMAL(10,2), not DOUBLE" in state.message
    assert listing(place / "bucket") == before


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("DELETE FROM green_trips WHERE total_amount < 5", 1),
        ("INSERT INTO green_trips SELECT * FROM green_trips WHERE file_month < '2020-11-01'", 4),
        ("TRUNCATE green_trips", 0),
    ],
)
def test_a_month_whose_rows_were_changed_by_hand_is_due_again_with_that_reason(
    place: Path, harm: str, found: int
) -> None:
    publish(place, "2020-10", ["10.5", "4"])
    publish(place, "2020-11", ["7"])
    bring_all(place, "10,11")
    before = totals(place)
    with attached(place / "trips.duckdb") as db:
        db.execute(harm)
    reason = f"{place / 'trips.duckdb'} has {found} rows of it where its load left 2"
    planned = bring_all(place, "10,11", plan=True).result()[0]
    assert (planned.status, planned.reason) == ("CHANGED", reason)
    line = bring_all(place, "10,11").result()[0]
    assert (line.status, line.reason) == ("loaded", reason)
    assert totals(place) == before
    assert bring_all(place, "10,11").name == "Skipped"


def test_a_month_of_the_bucket_that_the_warehouse_lacks_is_new(place: Path) -> None:
    """A run into the bucket alone leaves it new; loading it then needs no download."""
    publish(place, "2020-10", ["10.5"])
    bring_all(place, "10", warehouse="")
    assert totals(place) == {}
    lines = bring_all(place, "10", plan=True).result()
    assert (lines[0].status, "not yet in" in lines[0].reason) == ("NEW", True)
    bring_all(place, "10")
    assert totals(place) == {"2020-10": (1, 10.5)}


def test_a_plan_has_a_price_in_the_result_and_in_the_ui(place: Path) -> None:
    """One month is loaded first, so the ledger has its timings."""
    from prefect import get_client

    async def page() -> str:
        async with get_client() as client:
            found = await client.read_latest_artifacts()
        return str({artifact.key: artifact.data for artifact in found}["plan"])

    publish(place, "2020-10", ["10.5"])
    bring_all(place, "10")
    publish(place, "2020-11", ["7"])
    planned = bring_all(place, "10,11", plan=True).result()
    size = (place / "web/green_tripdata_2020-11.csv").stat().st_size
    assert [line.to_download for line in planned] == [0, size]
    price = planned.price
    assert (price.months, price.download, price.history) == (1, size, 1)
    assert price.seconds.keys() == {"download", "conversion", "upload", "load"}
    sizes = {need.place: bool(need.size) for need in price.needs}
    assert sizes == dict.fromkeys(("scratch", "bucket", "warehouse"), True)
    shown = asyncio.run(page())
    assert f"to download: {size:,} bytes" in shown.replace("\\", "")
    assert "green 2020-11" in shown.replace("\\", "")


def test_a_run_that_may_not_fit_says_so_before_it_begins(
    place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publish(place, "2020-10", ["10.5"])
    bring_all(place, "10")
    publish(place, "2020-11", ["7"])
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    assert bring_all(place, "11").name == "Completed"
    assert "scratch and bucket and warehouse may take" in caplog.text


def test_one_failed_month_does_not_stop_the_others_and_is_named(place: Path) -> None:
    """The run fails at the end with the reason of each failed month."""
    publish(place, "2020-10", ["10.5"])
    (place / "web/green_tripdata_2020-11.csv").write_text("<html><body>moved</body></html>")
    publish(place, "2020-12", ["2"])
    state = bring_all(place, "10:12")
    assert state.is_failed()
    assert state.message.startswith("1 of 3 months failed: green 2020-11: ")
    assert "web page" in state.message
    assert totals(place) == {"2020-10": (1, 10.5), "2020-12": (1, 2.0)}


def test_a_bad_file_leaves_the_month_as_it_was(place: Path) -> None:
    """Bucket and warehouse keep the old month, byte for byte."""
    publish(place, "2020-10", ["10.5"])
    bring_all(place, "10")
    before = listing(place / "bucket")
    (place / "web/green_tripdata_2020-10.csv").write_text(HEADER + "1,2,3\n" * 50)
    state = bring_all(place, "10")
    assert state.is_failed()
    assert "green 2020-10: 50 of 50 rows" in state.message
    assert listing(place / "bucket") == before
    assert totals(place) == {"2020-10": (1, 10.5)}


def test_a_transient_error_is_retried(place: Path, server: Web, no_waiting: None) -> None:
    """After two answers of 503, the same run loads the month."""
    server.serve("/green_tripdata_2020-10.csv", trips("2020-10", ["3"]).encode())
    server.fail(Fault(Page(b"", status=503)), times=2)
    state = bring(place, 10, source=server.url(TEMPLATE))
    assert state.name == "Completed"
    assert state.result().rows_written == 1


def test_a_retry_plans_only_the_months_that_failed(
    place: Path, server: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publisher is not asked for the others again."""
    import parameterized_flow as flow_file
    from orchestration.planning import plan_all

    quick = plan_all.with_options(retry_delay_seconds=0, retry_jitter_factor=None)
    monkeypatch.setattr(flow_file, "plan_all", quick)
    for month in ("2020-10", "2020-11", "2020-12"):
        server.serve(f"/green_tripdata_{month}.csv", trips(month, ["3"]).encode())
    server.fail(Fault(Page(b"", status=503)))
    call: Any = flow_file.etl_parent_flow
    months = {"months": "2020-10:2020-12", "source": server.url(TEMPLATE)}
    state = call("green", **months, plan=True, return_state=True)
    assert [line.status for line in state.result()] == ["NEW"] * 3
    assert len(server.requests) == 4


def test_a_bucket_that_is_unavailable_for_a_moment_is_asked_again_before_a_load(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request of a load goes over the network too, and is retried."""
    import etl_gcs_to_bq as flow_file
    from core.errors import Unavailable
    from monthly.warehouses.load import kept_entry

    publish(place, "2020-10", ["3"])
    bring(place, 10)
    asked: list[Any] = []

    def away_at_first(*which: Any) -> Any:
        asked.append(which)
        if len(asked) == 1:
            raise Unavailable("the bucket answered 503")
        return kept_entry(*which)

    quick = flow_file.plan.with_options(retry_delay_seconds=0, retry_jitter_factor=None)
    monkeypatch.setattr(flow_file, "plan", quick)
    monkeypatch.setattr(flow_file, "kept_entry", away_at_first)
    call: Any = flow_file.etl_gcs_to_bq
    assert call("green", 2020, 10, return_state=True).name == "Completed"
    assert len(asked) == 2
    assert totals(place) == {"2020-10": (1, 3.0)}


def test_a_permanent_error_is_not_retried(place: Path, server: Web) -> None:
    """After a 404 to HEAD and to GET the flow fails and says that the month is not published."""
    state = bring(place, 10, source=server.url(TEMPLATE))
    assert state.is_failed()
    assert "there is no such file" in str(state.result(raise_on_failure=False))
    assert [request.method for request in server.requests] == ["HEAD", "GET"]


def test_the_artifacts_show_the_months_and_their_quality(place: Path) -> None:
    """The UI shows a table for the run and a page for the month."""
    from prefect import get_client

    async def latest() -> dict[str | None, Any]:
        async with get_client() as client:
            return {found.key: found.data for found in await client.read_latest_artifacts()}

    publish(place, "2020-10", ["10.5", "-4"])
    bring_all(place, "10")
    by_key = asyncio.run(latest())
    assert json.loads(by_key["months"])[0]["month"] == "green 2020-10"
    assert "| negative total | 1 |" in by_key["green-2020-10-quality"]


def test_due_months_are_the_latest_that_are_new(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run in January looks at the months before it, however late it is."""
    import parameterized_flow

    monkeypatch.setattr(parameterized_flow, "_today", lambda: dt.date(2021, 1, 15))
    publish(place, "2020-11", ["1"])
    publish(place, "2020-12", ["2"])
    lines = bring_all(place, "due", due_months=3).result()
    assert [(str(line.month), line.status) for line in lines] == [
        ("green 2020-10", "not yet published"),
        ("green 2020-11", "loaded"),
        ("green 2020-12", "loaded"),
    ]


def test_no_month_is_due_yet_of_a_dataset_that_begins_with_this_month(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import parameterized_flow

    monkeypatch.setattr(parameterized_flow, "_today", lambda: dt.date(2013, 8, 15))
    state = bring_all(place, "due")
    assert (state.name, state.message) == ("Skipped", "green: no month is due yet")
    assert state.result() == []


@pytest.mark.parametrize("count", [0, -3])
def test_no_month_is_due_in_no_months(place: Path, count: int) -> None:
    said = str(bring_all(place, "due", due_months=count).result(raise_on_failure=False))
    assert said == f"green: due_months {count} selects no month; write 1 or more"


@pytest.mark.parametrize(
    ("months", "name"),
    [
        ("10:11", "green 2020: 10:11"),
        ("10, 11", "green 2020: 10, 11"),
        ([10, 11], "green 2020: [10, 11]"),
        ("2020-10:2020-11", "green 2020-10:2020-11"),
        ("due", "green due"),
    ],
)
def test_a_run_is_named_by_its_months_and_by_the_year_of_those_without_one(
    place: Path, months: str | list[int], name: str
) -> None:
    from prefect import get_client

    async def read(run_id: Any) -> str:
        async with get_client() as client:
            return str((await client.read_flow_run(run_id)).name)

    state = bring_all(place, months, plan=True)
    assert asyncio.run(read(state.state_details.flow_run_id)) == name


def test_an_object_that_another_run_replaced_meanwhile_is_planned_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object changes between reading the ledger and the download; the newer one is loaded."""
    import etl_gcs_to_bq as flow_file
    from monthly.month import Month
    from monthly.warehouses.load import kept_entry
    from orchestration.block_registry import open_bucket

    publish(place, "2020-10", ["10.5"])
    bring(place, 10)
    bucket = open_bucket("local-bucket/zoom")
    answers = [kept_entry(bucket, Month("green", 2020, 10))]
    publish(place, "2020-10", ["3", "4"])
    bring(place, 10)
    monkeypatch.setattr(
        flow_file, "kept_entry", lambda *which: answers.pop() if answers else kept_entry(*which)
    )
    call: Any = flow_file.etl_gcs_to_bq
    assert call("green", 2020, 10, return_state=True).name == "Completed"
    assert totals(place) == {"2020-10": (2, 7.0)}


def test_a_load_that_another_run_overtakes_leaves_the_newer_month(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on two machines: one has loaded a correction before the other loads the older object."""
    import etl_gcs_to_bq as flow_file
    from fakes import one_month
    from monthly.month import Month
    from monthly.warehouses.duckdb import DuckDBFile
    from monthly.warehouses.load import load_object
    from orchestration.block_registry import open_bucket

    publish(place, "2020-10", ["10.5"])
    bring(place, 10)
    overtaken: list[str] = []

    def load_late(*which: Any) -> int:
        if not overtaken:
            bucket, month = open_bucket("local-bucket/zoom"), Month("green", 2020, 10)
            publish(place, "2020-10", ["3", "4"])
            overtaken.append(one_month.bring(source(place), bucket, month))
            overtaken.append(one_month.load(bucket, DuckDBFile(place / "trips.duckdb"), month))
        return load_object(*which)

    monkeypatch.setattr(flow_file, "load_object", load_late)
    call: Any = flow_file.etl_gcs_to_bq
    assert call("green", 2020, 10, return_state=True).name == "Completed"
    assert overtaken == ["loaded", "loaded"]
    assert totals(place) == {"2020-10": (2, 7.0)}


@pytest.mark.parametrize("is_before", [True, False])
def test_a_month_that_is_dropped_while_it_is_loaded_is_not_reported_as_replaced(
    place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_before: bool
) -> None:
    """The error says whether the warehouse has it, and how to remove it or bring it back."""
    import etl_gcs_to_bq as flow_file
    from monthly.dropping import drop_month, find_remains
    from monthly.month import Month
    from monthly.warehouses.load import load_object
    from orchestration.block_registry import open_bucket

    publish(place, "2020-10", ["10.5"])
    bring(place, 10)

    def load_beside_a_drop(warehouse: Any, month: Month, *which: Any) -> int:
        bucket, rows = open_bucket("local-bucket/zoom"), 0
        if not is_before:
            rows = load_object(warehouse, month, *which)
        drop_month(find_remains(month, bucket, warehouse), bucket, warehouse)
        return rows or load_object(warehouse, month, *which)

    monkeypatch.setattr(flow_file, "load_object", load_beside_a_drop)
    call: Any = flow_file.etl_gcs_to_bq
    said = str(call("green", 2020, 10, return_state=True).result(raise_on_failure=False))
    left = f", but is now in {place / 'trips.duckdb'}" if is_before else ""
    assert said == (
        "green 2020-10 was dropped from the bucket while it was being loaded"
        f"{left}; run flows/drop_months.py to remove what is left of the month; "
        "run flows/etl_web_to_gcs.py to bring the month back"
    )
    assert "was replaced" not in caplog.text
    assert totals(place) == ({"2020-10": (1, 10.5)} if is_before else {})


def test_the_warehouse_refuses_an_object_that_the_ledger_does_not_have(place: Path) -> None:
    """An object that changed outside a run is not loaded; the next run repairs it."""
    from etl_gcs_to_bq import etl_gcs_to_bq

    publish(place, "2020-10", ["10.5"])
    bring(place, 10)
    (place / "bucket/data/green/green_tripdata_2020-10.parquet").write_bytes(b"PAR1PAR1")
    call: Any = etl_gcs_to_bq
    state = call("green", 2020, 10, return_state=True)
    assert "is not the object that the ledger names" in str(state.result(raise_on_failure=False))
    assert bring_all(place, "10").name == "Completed"
    assert totals(place) == {"2020-10": (1, 10.5)}


@pytest.mark.slow
def test_the_first_run_loads_three_generated_months(place: Path) -> None:
    """It loads two months of green and one of yellow, and does nothing the second time."""
    from first_run import first_run

    call: Any = first_run
    first = call("sample:300", return_state=True).result()
    assert [(str(line.month), line.status) for line in first] == [
        ("green 2020-10", "loaded"),
        ("green 2020-11", "loaded"),
        ("yellow 2021-01", "loaded"),
    ]
    assert {line.rows_read for line in first} == {300}
    second = call("sample:300", return_state=True).result()
    assert {line.status for line in second} == {"unchanged"}


def test_a_first_run_that_fails_before_any_month_fails_with_the_reason(place: Path) -> None:
    """The reason appears once, not for each dataset."""
    from core.errors import UsageError
    from first_run import first_run

    call: Any = first_run
    error = call("tlcc", return_state=True).result(raise_on_failure=False)
    assert isinstance(error, UsageError)
    assert str(error).count("no source is named 'tlcc'") == 1


def test_a_first_run_without_months_does_not_say_that_they_were_generated() -> None:
    import first_run

    assert "generated" not in first_run._shown([])
