"""The flows with saved Google blocks, some of them killed on the way."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fakes import preloaded
from fakes.google import Google
from fakes.google.answers import Fault
from fakes.tlc_facts import write_sample
from monthly.month import Month

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

BUCKET, WAREHOUSE = "gcs-bucket/taxi", "bigquery-warehouse/taxi"
FLOWS = Path(__file__).absolute().parents[1] / "flows"
BLOCKS = {"bucket": BUCKET, "warehouse": WAREHOUSE}
#: Rows of a month whose object exceeds the 8 MiB that are sent at a time.
ROWS_OF_TWO_CHUNKS = 600_000


@pytest.fixture
def blocks(google: Google) -> None:
    """Save the blocks of a user with an account."""
    from prefect_gcp import GcpCredentials
    from prefect_gcp.bigquery import BigQueryWarehouse
    from prefect_gcp.cloud_storage import GcsBucket

    account = GcpCredentials()
    bucket = GcsBucket(bucket="taxi", bucket_folder="zoom", gcp_credentials=account)
    bucket.save("taxi", overwrite=True)
    BigQueryWarehouse(gcp_credentials=account).save("taxi", overwrite=True)


def publish(folder: Path, number: int, rows: int) -> float:
    """Publish a generated month of green 2020; return the sum of its totals."""
    month = Month("green", 2020, number)
    facts = write_sample(month, folder / f"{month.stem}.csv", rows)
    assert facts.total_cents is not None
    return facts.total_cents / 100


def source(folder: Path) -> str:
    return f"file://{folder}/{{color}}_tripdata_{{year}}-{{month:02}}.csv"


def bring_all(folder: Path, months: str, **options: Any) -> Any:
    """Run the parent flow without gates and reports, whose pictures take a second each.

    A corrected month is another generated one, which shares no row with the one before.
    """
    from parameterized_flow import etl_parent_flow

    call: Any = etl_parent_flow
    options = {"source": source(folder), "report": False, "gates": "off", **BLOCKS} | options
    return call("green", 2020, months, **options, return_state=True)


def in_bigquery(google: Google) -> dict[str, tuple[int, float]]:
    rows = google.bigquery.rows(
        "SELECT strftime(file_month, '%Y-%m'), count(*), round(sum(total_amount), 2) "
        "FROM trips_data_all.green_trips GROUP BY ALL"
    )
    return {month: (count, total) for month, count, total in rows}


def loads(google: Google) -> list[str]:
    return [number for number in google.bigquery.jobs if number.startswith("trips-")]


def test_months_go_into_google_once_and_a_corrected_one_replaces_itself(
    google: Google, blocks: None, tmp_path: Path
) -> None:
    """Two months are loaded, then none, then only the corrected one."""
    october, november = publish(tmp_path, 10, 200), publish(tmp_path, 11, 150)
    assert bring_all(tmp_path, "10,11").name == "Completed"
    assert in_bigquery(google) == {"2020-10": (200, october), "2020-11": (150, november)}
    before = dict(google.storage.objects("taxi")), len(loads(google))
    assert bring_all(tmp_path, "10,11").name == "Skipped"
    assert (google.storage.objects("taxi"), len(loads(google))) == before
    october = publish(tmp_path, 10, 210)
    state = bring_all(tmp_path, "10,11")
    assert [line.status for line in state.result()] == ["loaded", "unchanged"]
    assert in_bigquery(google) == {"2020-10": (210, october), "2020-11": (150, november)}
    assert len(loads(google)) == before[1] + 1


def test_a_month_is_dropped_from_cloud_storage_and_bigquery(
    google: Google, blocks: None, tmp_path: Path
) -> None:
    """The months are listed first, then removed, and nothing else is."""
    from drop_months import drop_months

    november = publish(tmp_path, 11, 20)
    publish(tmp_path, 10, 30)
    assert bring_all(tmp_path, "10,11", report=False).name == "Completed"
    before, both = dict(google.storage.objects("taxi")), in_bigquery(google)
    call: Any = drop_months
    assert call("green", months="2020-10", **BLOCKS, return_state=True).name == "Planned"
    assert (google.storage.objects("taxi"), in_bigquery(google)) == (before, both)
    done = call("green", months="2020-10", **BLOCKS, yes=True, return_state=True)
    assert done.message == "1 of 1 months dropped"
    kept = {name: found for name, found in before.items() if "2020-11" in name}
    assert len(before) == 2 * len(kept) == 4
    assert google.storage.objects("taxi") == kept
    assert in_bigquery(google) == {"2020-11": (20, november)}
    remembered = google.bigquery.rows(
        "SELECT strftime(file_month, '%Y-%m') FROM trips_data_all.loaded_months"
    )
    assert remembered == [("2020-11",)]


def test_a_plan_creates_nothing_at_google(google: Google, blocks: None, tmp_path: Path) -> None:
    """It creates no object and no dataset, although the flow reads both."""
    publish(tmp_path, 10, 20)
    state = bring_all(tmp_path, "10", plan=True)
    assert [line.status for line in state.result()] == ["NEW"]
    assert google.storage.objects("taxi") == {}
    assert google.bigquery.tables.datasets == {}


def test_a_flow_tries_again_what_google_could_not_do(
    google: Google, blocks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that failed for Google's own reasons is run again and succeeds."""
    import etl_gcs_to_bq

    quick = etl_gcs_to_bq.load.with_options(retry_delay_seconds=0, retry_jitter_factor=None)
    monkeypatch.setattr(etl_gcs_to_bq, "load", quick)
    total = publish(tmp_path, 10, 30)
    google.bigquery.fail_job("backendError", "try again")
    assert bring_all(tmp_path, "10").name == "Completed"
    assert in_bigquery(google) == {"2020-10": (30, total)}


def test_a_flow_survives_transient_errors(google: Google, blocks: None, tmp_path: Path) -> None:
    """It survives a 503 within the upload, a dropped read, and lost answers to ledger and load."""
    upload = "^/upload/storage/"
    faults = [
        google.fail(Fault("PUT", upload, skip=1, status=503)),
        google.fail(Fault("POST", upload, skip=1, carried_out=True)),  # ledger: second
        google.fail(Fault("POST", "/jobs$", carried_out=True)),
        google.fail(Fault("GET", "/o/", skip=2)),
    ]
    total = publish(tmp_path, 10, ROWS_OF_TWO_CHUNKS)
    state = bring_all(tmp_path, "10")
    assert [fault.reached.is_set() for fault in faults] == [True] * 4
    assert [line.status for line in state.result()] == ["loaded"]
    assert in_bigquery(google) == {"2020-10": (ROWS_OF_TWO_CHUNKS, total)}
    assert len(loads(google)) == 1
    assert bring_all(tmp_path, "10").name == "Skipped"


def test_the_quality_page_has_the_days_that_bigquery_counted(
    google: Google, blocks: None, tmp_path: Path
) -> None:
    """The page has the trips of each pickup day, as DuckDB reads them from the published file."""
    from prefect import get_client

    async def page() -> Any:
        async with get_client() as client:
            found = await client.read_latest_artifacts()
        return {artifact.key: artifact.data for artifact in found}["green-2020-10-report"]

    publish(tmp_path, 10, 60)
    assert bring_all(tmp_path, "10", report=True).name == "Completed"
    shown = re.findall(r"^\| (\d{4}-\d\d-\d\d) \| (\d+) \|", asyncio.run(page()), re.MULTILINE)
    with duckdb.connect() as db:
        days = db.execute(
            "SELECT CAST(lpep_pickup_datetime::DATE AS VARCHAR), count(*)::VARCHAR "
            "FROM read_csv(?) GROUP BY 1 ORDER BY 1",
            [str(tmp_path / "green_tripdata_2020-10.csv")],
        ).fetchall()
    assert shown == days


def test_a_run_that_is_late_to_the_ledger_plans_again(
    google: Google, blocks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run writes the month's entry first; this one then finds nothing to do."""
    import etl_web_to_gcs
    from fakes.google.months import bring
    from fakes.google.places import open_store

    month = Month("green", 2020, 10)
    publish(tmp_path, 10, 40)
    path = tmp_path / f"{month.stem}.csv"
    convert = etl_web_to_gcs.transform.fn

    @functools.wraps(convert)
    def overtaken(*arguments: Any, **named: Any) -> Any:
        if not google.storage.objects("taxi"):
            (tmp_path / "other").mkdir()
            bring(open_store(), month, path, tmp_path / "other")
        return convert(*arguments, **named)

    monkeypatch.setattr(etl_web_to_gcs.transform, "fn", overtaken)
    call: Any = etl_web_to_gcs.etl_web_to_gcs
    state = call("green", 2020, 10, source=source(tmp_path), bucket=BUCKET, return_state=True)
    assert state.name == "Skipped"
    entries = [name for name in google.storage.objects("taxi") if name.endswith(".json")]
    assert entries == ["zoom/ledger/green/green_tripdata_2020-10.json"]


def test_a_machine_without_an_account_is_told_what_to_do(
    google: Google, blocks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks name no key, so each machine uses its own account."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    for place in BLOCKS:
        ours = {"bucket": str(tmp_path / "bucket"), "warehouse": "", place: BLOCKS[place]}
        state = bring_all(tmp_path, "10", **ours)
        assert state.message.startswith(
            f"{place} block {BLOCKS[place]}: no Google account can be used "
            f"(File {tmp_path / 'gone.json'} was not found.); set GCP_SERVICE_ACCOUNT"
        )
        assert "correct GOOGLE_APPLICATION_CREDENTIALS or run gcloud" in state.message


#: Where a run is killed: method and path of the request, how many such requests come before it,
#: whether it still takes effect, and whether the month was already loaded.
_KILLS = {
    "before the object": ("POST", "^/upload/storage", 0, False, True),
    "after the object": ("POST", "^/upload/storage", 0, True, False),
    "after the entry": ("POST", "^/upload/storage", 1, True, True),
    "before the load": ("GET", "/jobs/trips-", 0, False, False),
    "after the load": ("GET", "/jobs/trips-", 1, False, True),
}


@pytest.mark.slow
@pytest.mark.parametrize("kill", _KILLS)
def test_a_run_that_is_killed_anywhere_is_completed_by_the_next(
    google: Google, blocks: None, tmp_path: Path, kill: str
) -> None:
    """Bucket, ledger and BigQuery have the month exactly once."""
    method, path, skip, carried_out, corrected = _KILLS[kill]
    if corrected:
        publish(tmp_path, 10, 30)
        assert bring_all(tmp_path, "10").name == "Completed"
    total = publish(tmp_path, 10, 50)
    fault = google.fail(Fault(method, path, skip, carried_out=carried_out, hold=True))
    _kill_at(fault, tmp_path)
    assert bring_all(tmp_path, "10").name == "Completed"
    assert in_bigquery(google) == {"2020-10": (50, total)}
    assert len(loads(google)) == 1 + corrected
    assert bring_all(tmp_path, "10").name == "Skipped"


def _kill_at(fault: Fault, folder: Path) -> None:
    """Run the flow as a process, and kill it when it meets the fault."""
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    options = ["--months", "10", "--source", source(folder), "--gates", "off", *_options()]
    command = [
        sys.executable,
        str(FLOWS / "parameterized_flow.py"),
        "--color",
        "green",
        "--year",
        "2020",
    ]
    database = {"PREFECT_API_DATABASE_CONNECTION_URL": PREFECT_API_DATABASE_CONNECTION_URL.value()}
    log = folder / "log"
    with log.open("wb") as file:
        run = preloaded.start([*command, *options], os.environ | database, stdout=file, stderr=file)
        try:
            assert fault.reached.wait(90), log.read_text()
        finally:
            run.send_signal(signal.SIGKILL)
            run.wait()


def _options() -> list[str]:
    return [word for name, value in BLOCKS.items() for word in (f"--{name}", value)]
