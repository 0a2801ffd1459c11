"""The report of a month in the flows: drawn after a load, and never an obstacle to it."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from fakes.commands import start, wait
from test_cli import environment as environment
from test_flows import bring, bring_all, listing, publish, source, totals

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

REPORT = "bucket/data/green/green_tripdata_2020-10.report.html"


def artifacts() -> dict[str | None, Any]:
    """Return the newest artifact of each key."""
    from prefect import get_client

    async def latest() -> dict[str | None, Any]:
        async with get_client() as client:
            return {found.key: found.data for found in await client.read_latest_artifacts()}

    return asyncio.run(latest())


def report_runs(state: Any) -> list[str]:
    """Return the state names of the report's task runs in a flow run."""
    from prefect import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    async def read() -> list[str]:
        async with get_client() as client:
            runs = await client.read_task_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[state]))
            )
        return [run.state_name or "" for run in runs if run.name.startswith("report ")]

    return asyncio.run(read())


def load(**options: Any) -> Any:
    from etl_gcs_to_bq import etl_gcs_to_bq

    call: Any = etl_gcs_to_bq
    return call("green", 2020, 10, **options, return_state=True)


def broken_table(place: Path) -> None:
    """Make the report fail with an invalid table of zones."""
    path = place / "bucket/lookup/taxi_zone_lookup.csv"
    path.parent.mkdir(parents=True)
    path.write_text("<html>")


def test_a_loaded_month_has_a_page_of_pictures_and_the_same_as_a_file(place: Path) -> None:
    """The page is an artifact, and the run's table has the path of the file."""
    publish(place, "2020-10", ["10.5", "4"])
    bring_all(place, "10", report=True)
    found = artifacts()
    page = found["green-2020-10-report"]
    assert page.count("](data:image/png;base64,") == 4
    assert "| negative total | 0 |" in page
    assert f"| 2020 |{'  |' * 9} **+** |  |  |" in page
    assert f'"report": "{place / REPORT}"' in found["months"]
    assert (place / REPORT).read_text().count('src="data:image/png;base64,') == 4


def test_a_failed_report_leaves_the_month_loaded_and_is_seen(place: Path) -> None:
    """The run completes, its task has failed, and the month's line has the reason."""
    broken_table(place)
    publish(place, "2020-10", ["10.5"])
    state = bring_all(place, "10", report=True)
    (line,) = state.result()
    assert (state.name, line.status) == ("Completed", "loaded")
    assert state.message == "1 loaded, 1 with a warning"
    assert line.warning.startswith("the report failed: ")
    assert "taxi_zone_lookup.csv is not a table of places" in line.warning
    assert totals(place) == {"2020-10": (1, 10.5)}
    assert line.warning in artifacts()["months"]
    assert not (place / REPORT).exists()
    again = load(force=True)
    assert again.name == "Completed"
    assert report_runs(again.state_details.flow_run_id) == ["Failed"]


def stopped_while_drawing(place: Path, environment: dict[str, str]) -> None:
    """Start a run of one month, and kill it (SIGKILL) once its report is being drawn.

    In place of the table of zones, the report opens a pipe, and waits there for a writer.
    """
    table = place / "bucket/lookup/taxi_zone_lookup.csv"
    table.parent.mkdir(parents=True)
    os.mkfifo(table)
    options = ["parameterized_flow.py", "--color", "green", "--months", "2020-10"]
    options += ["--bucket", str(place / "bucket"), "--warehouse", str(place / "trips.duckdb")]
    process = start(environment, [*options, "--source", source(place), "--gates", "off"])
    wait(lambda: is_read(table), process)
    process.kill()
    process.wait()
    table.unlink()


def is_read(pipe: Path) -> bool:
    """Return whether a process waits for what is written into a pipe."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return False
    return True


@pytest.mark.slow
def test_a_run_killed_between_load_and_report_has_its_report_drawn_by_the_next(
    place: Path, environment: dict[str, str]
) -> None:
    """Nothing is loaded again, and a run after that finds nothing to do."""
    publish(place, "2020-10", ["10.5"])
    stopped_while_drawing(place, environment)
    assert totals(place) == {"2020-10": (1, 10.5)}
    assert not (place / REPORT).exists()
    before = listing(place / "bucket/data")
    (planned,) = bring_all(place, "10", report=True, plan=True).result()
    assert planned.status == "UNCHANGED"
    assert planned.reason.endswith(", but its report is missing")
    state = bring_all(place, "10", report=True)
    (line,) = state.result()
    assert (state.name, state.message, line.status) == ("Completed", "1 drawn", "drawn")
    assert (line.reason, line.report) == (planned.reason, (place / REPORT).as_uri())
    assert (place / REPORT).exists()
    after = listing(place / "bucket/data")
    report = after.pop("green/" + Path(REPORT).name)
    assert (after, bool(report)) == (before, True)
    assert bring_all(place, "10", report=True).name == "Skipped"


def test_a_month_of_the_bucket_alone_that_lacks_its_report_has_it_drawn(place: Path) -> None:
    publish(place, "2020-10", ["10.5"])
    bring_all(place, "10", warehouse="", report=False)
    assert bring_all(place, "10", warehouse="", report=False).name == "Skipped"
    (line,) = bring_all(place, "10", warehouse="", report=True).result()
    assert (line.status, line.report) == ("drawn", (place / REPORT).as_uri())
    assert bring_all(place, "10", warehouse="", report=True).name == "Skipped"


def test_a_loaded_month_that_lacks_its_report_has_it_drawn(place: Path) -> None:
    """A failure to draw it is a warning, as after a load."""
    publish(place, "2020-10", ["10.5"])
    bring_all(place, "10", report=False)
    broken_table(place)
    failed = load()
    assert (failed.name, failed.result().status) == ("Skipped", "unchanged")
    assert "taxi_zone_lookup.csv is not a table of places" in failed.message
    assert failed.result().warning in failed.message
    (place / "bucket/lookup/taxi_zone_lookup.csv").unlink()
    assert load(report=False).name == "Skipped"
    drawn = load()
    assert (drawn.name, drawn.result().status) == ("Completed", "drawn")
    assert drawn.result().report == (place / REPORT).as_uri()
    assert load().name == "Skipped"


def test_a_report_of_the_bucket_alone_fails_no_month_either(place: Path) -> None:
    broken_table(place)
    publish(place, "2020-10", ["10.5"])
    state = bring_all(place, "10", warehouse="", report=True)
    (line,) = state.result()
    assert (state.name, line.status) == ("Completed", "loaded")
    assert "taxi_zone_lookup.csv is not a table of places" in line.warning


def test_a_month_in_the_bucket_alone_has_its_report(place: Path) -> None:
    publish(place, "2020-10", ["10.5"])
    (line,) = bring_all(place, "10", warehouse="", report=True).result()
    assert line.report == (place / REPORT).as_uri()
    assert (place / REPORT).exists()


def test_without_reports_none_is_drawn(place: Path) -> None:
    before = artifacts().get("green-2020-10-report")
    publish(place, "2020-10", ["10.5"])
    (line,) = bring_all(place, "10", report=False).result()
    assert (line.report, line.warning) == ("", "")
    assert not (place / REPORT).exists()
    assert artifacts().get("green-2020-10-report") == before


def test_bringing_a_month_to_the_bucket_draws_nothing(place: Path) -> None:
    """It does not import matplotlib, which takes a second and belongs to the load."""
    publish(place, "2020-10", ["10.5"])
    assert bring(place, 10).name == "Completed"
    assert not (place / REPORT).exists()


def test_a_month_of_the_bucket_is_drawn_again_the_same(place: Path) -> None:
    from month_report import month_report

    publish(place, "2020-10", ["10.5"])
    bring_all(place, "10", report=True)
    before = listing(place / "bucket")
    call: Any = month_report
    line = call("green", 2020, 10)
    assert (line.status, line.where) == ("drawn", str(place / REPORT))
    assert line.report == (place / REPORT).as_uri()
    assert listing(place / "bucket") == before


def test_a_month_that_is_in_no_bucket_cannot_be_drawn(place: Path) -> None:
    from month_report import month_report

    call: Any = month_report
    state = call("green", 2020, 10, return_state=True)
    assert state.is_failed()
    assert "green 2020-10 is not in the bucket" in str(state.result(raise_on_failure=False))


def test_zones_go_by_name_once_the_table_is_in_the_bucket(place: Path) -> None:
    path = place / "bucket/lookup/taxi_zone_lookup.csv"
    path.parent.mkdir(parents=True)
    path.write_text('"LocationID","Borough","Zone","service_zone"\n74,"Manhattan","East","x"\n')
    publish(place, "2020-10", ["10.5"])
    bring_all(place, "10", report=True)
    assert "First is East, Manhattan, with 1 of 1 trips." in artifacts()["green-2020-10-report"]
