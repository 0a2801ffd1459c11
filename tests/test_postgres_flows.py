"""The flows with a saved Postgres block, against a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import Unavailable
from fakes.entries import published_download
from fakes.postgres import PASSWORD, Database
from fakes.web import Page, Web
from monthly import datasets
from monthly.convert.readings import Rules
from monthly.convert.rows import Rows
from monthly.month import Month
from monthly.warehouses.postgres import Postgres
from test_flows import HEADER, TEMPLATE, bring_all, publish, source, trips

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

BLOCK = "sqlalchemy-connector/tests"
SUMS = (
    "SELECT to_char(file_month, 'YYYY-MM'), count(*), sum(total_amount) "
    "FROM green_trips GROUP BY 1 ORDER BY 1"
)


@pytest.fixture
def saved(database: Database) -> Database:
    """Return a database with its saved block."""
    database.block().save("tests", overwrite=True)
    return database


def test_months_go_from_the_web_to_the_bucket_to_postgres(place: Path, saved: Database) -> None:
    """A month is loaded once, then skipped; a corrected one is replaced; no secret is printed."""
    publish(place, "2020-10", ["10.5", "4"])
    publish(place, "2020-11", ["7", "8", "9"])
    first = bring_all(place, "10,11", warehouse=BLOCK)
    assert [line.status for line in first.result()] == ["loaded", "loaded"]
    assert saved.query(SUMS) == [("2020-10", 2, 14.5), ("2020-11", 3, 24.0)]
    assert bring_all(place, "10,11", warehouse=BLOCK).name == "Skipped"
    publish(place, "2020-10", ["1"])
    again = bring_all(place, "10,11", warehouse=BLOCK)
    assert [line.status for line in again.result()] == ["loaded", "unchanged"]
    assert saved.query(SUMS) == [("2020-10", 1, 1.0), ("2020-11", 3, 24.0)]
    assert f"127.0.0.1:{saved.port}/{saved.name}" in again.result()[0].where
    assert PASSWORD not in str(again.result())


def test_a_warehouse_that_does_not_answer_at_first_is_asked_again(
    place: Path, saved: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request for what it holds is retried while the server starts."""
    import etl_gcs_to_bq

    publish(place, "2020-10", ["10.5", "4"])
    bring_all(place, "10", warehouse="")
    quick = etl_gcs_to_bq.plan.with_options(retry_delay_seconds=0, retry_jitter_factor=None)
    monkeypatch.setattr(etl_gcs_to_bq, "plan", quick)
    answers: Any = iter([Unavailable("the database system is starting up"), None])

    def loaded_month(warehouse: Postgres, month: Month) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Postgres, "loaded_month", loaded_month)
    call: Any = etl_gcs_to_bq.etl_gcs_to_bq
    state = call("green", 2020, 10, warehouse=BLOCK, report=False, return_state=True)
    assert state.name == "Completed"
    assert saved.query(SUMS) == [("2020-10", 2, 14.5)]


def ingest(place: Path, **options: Any) -> Any:
    from ingest_data import ingest_data

    call: Any = ingest_data
    options = {"source": source(place), "warehouse": BLOCK, "gates": "off"} | options
    return call("green", 2020, 10, **options, return_state=True)


def test_rows_of_postgres_that_were_deleted_by_hand_come_back(place: Path, saved: Database) -> None:
    """They are loaded again, both from the bucket and straight from the web."""
    publish(place, "2020-10", ["10.5", "4"])
    assert ingest(place).result().status == "loaded"
    saved.query("DELETE FROM green_trips WHERE total_amount < 5")
    line = ingest(place).result()
    assert (line.status, saved.query(SUMS)) == ("loaded", [("2020-10", 2, 14.5)])
    assert "has 1 rows of it where its load left 2" in line.reason
    saved.query("ALTER TABLE green_trips DETACH PARTITION green_trips_2020_10")
    line = ingest(place).result()
    assert (line.status, saved.query(SUMS)) == ("loaded", [("2020-10", 2, 14.5)])
    assert "has 0 rows of it where its load left 2" in line.reason
    bring_all(place, "10", warehouse=BLOCK)
    saved.query("TRUNCATE green_trips_2020_10")
    line = bring_all(place, "10", warehouse=BLOCK).result()[0]
    assert (line.status, saved.query(SUMS)) == ("loaded", [("2020-10", 2, 14.5)])
    assert "has 0 rows of it where its load left 2" in line.reason


def test_a_month_goes_from_the_web_straight_into_postgres(place: Path, saved: Database) -> None:
    """It is loaded once, then skipped with its reason; a corrected file replaces only its month."""
    publish(place, "2020-10", ["10.5", "4"])
    publish(place, "2020-11", ["7"])
    first = ingest(place).result()
    assert (first.status, first.rows_read, first.rows_written) == ("loaded", 2, 2)
    assert bring_all(place, "11", warehouse=BLOCK).name == "Completed"
    loaded = saved.query("SELECT loaded_at FROM loaded_months ORDER BY 1")
    again = ingest(place)
    assert again.name == "Skipped"
    assert "green 2020-10: same size and modification time" in again.message
    assert saved.query("SELECT loaded_at FROM loaded_months ORDER BY 1") == loaded
    publish(place, "2020-10", ["10.5", "4", "1"])
    assert ingest(place).result().status == "loaded"
    assert saved.query(SUMS) == [("2020-10", 3, 15.5), ("2020-11", 1, 7.0)]
    assert not (place / "bucket" / "data" / "green" / "green_tripdata_2020-10.parquet").exists()


def test_a_month_of_the_bucket_need_not_be_ingested_again(place: Path, saved: Database) -> None:
    """Both ways into the warehouse record the same published file."""
    publish(place, "2020-10", ["10.5", "4"])
    bring_all(place, "10", warehouse=BLOCK)
    assert ingest(place).name == "Skipped"


def publish_over(place: Path, loaded_before: bool) -> None:
    """Publish a month, of which an earlier file is loaded or not."""
    if loaded_before:
        publish(place, "2020-10", ["7"])
        ingest(place)
    publish(place, "2020-10", ["10.5", "4"])


@pytest.mark.parametrize("loaded_before", [False, True], ids=["new", "replaced"])
def test_a_correction_that_another_machine_loads_meanwhile_stays(
    place: Path, saved: Database, monkeypatch: pytest.MonkeyPatch, loaded_before: bool
) -> None:
    """The older file is not loaded over it; the month is planned again."""
    import ingest_data
    from etl_web_to_gcs import extract

    publish_over(place, loaded_before)
    downloads: list[Any] = []

    def overtaken(*arguments: Any) -> Any:
        found = extract(*arguments)
        downloads.append(found)
        if len(downloads) == 1:
            publish(place, "2020-10", ["1"])
            corrected = place / "web" / "green_tripdata_2020-10.csv"
            month = Month("green", 2020, 10)
            with Rows(month, corrected, place, Rules()) as rows:
                saved.warehouse().ingest(rows, published_download(month, corrected))
        return found

    monkeypatch.setattr(ingest_data, "extract", overtaken)
    assert ingest(place).name == "Skipped"
    assert saved.query(SUMS) == [("2020-10", 1, 1.0)]
    assert len(downloads) == 2


@pytest.mark.parametrize("loaded_before", [False, True], ids=["new", "replaced"])
def test_a_month_is_loaded_even_if_the_answer_to_its_commit_is_lost(
    place: Path, saved: Database, monkeypatch: pytest.MonkeyPatch, loaded_before: bool
) -> None:
    """The retry recognizes its own load and reports what that changed."""
    import ingest_data

    publish_over(place, loaded_before)
    load, lost = Postgres.ingest, [True]

    def cut_off(*arguments: Any) -> Any:
        entry = load(*arguments)
        if lost:
            lost.clear()
            raise Unavailable("server closed the connection unexpectedly")
        return entry

    monkeypatch.setattr(Postgres, "ingest", cut_off)
    task = ingest_data.transform_and_load
    quick = task.with_options(retry_delay_seconds=0, retry_jitter_factor=None)
    monkeypatch.setattr(ingest_data, "transform_and_load", quick)
    line = ingest(place).result()
    assert (line.status, bool(line.revision)) == ("loaded", loaded_before)
    assert saved.query(SUMS) == [("2020-10", 2, 14.5)]


def test_a_pinned_month_is_not_ingested_over(place: Path, saved: Database) -> None:
    """Neither a forced run nor missing rows nor a load from the bucket replace it."""
    from history import history
    from ingest_data import ingest_data

    ingest: Any = ingest_data
    show: Any = history
    which = ("green", 2020, 10)
    publish(place, "2020-10", ["10.5", "4"])
    options = {"source": source(place), "warehouse": BLOCK, "return_state": True}
    assert ingest(*which, **options).name == "Completed"
    database = {"bucket": "", "warehouse": BLOCK, "return_state": True}
    assert show("green", 2020, "10", pin=True, **database).is_completed()
    publish(place, "2020-10", ["1"])
    state = ingest(*which, force=True, **options)
    assert (state.name, state.result().status) == ("Pinned", "pinned")
    assert "where it was loaded without a bucket" in bring_all(place, "10", warehouse=BLOCK).message
    saved.query("DELETE FROM green_trips WHERE total_amount = 4 RETURNING 1")
    lost = ingest(*which, **options).message
    assert "and not fetched again: " in lost
    assert 'run history with unpin=True for this warehouse and the bucket ""' in lost
    assert "edition" not in lost
    assert show("green", 2020, "10", unpin=True, **database).is_completed()
    assert ingest(*which, **options).name == "Completed"
    assert saved.query(SUMS) == [("2020-10", 1, 1.0)]
    (line,) = show("green", 2020, "10", **database).result()
    assert [revision.rows_added for revision in line.entry.history] == [None]
    refused = show("green", 2020, "10", restore="0a1b", **database)
    assert "has no editions to restore" in refused.message


def test_a_new_etag_for_the_same_content_is_remembered(place: Path, saved: Database) -> None:
    """The next run downloads nothing, unless the rows are gone and have to be loaded again."""
    body, address = trips("2020-10", ["3"]).encode(), "/green_tripdata_2020-10.csv"
    with Web() as server:
        url = server.url(TEMPLATE)
        server.serve(address, Page(body, etag='"one"'))
        assert ingest(place, source=url).name == "Completed"
        server.serve(address, Page(body, etag='"two"'))
        assert "but the same content" in ingest(place, source=url).message
        assert "same ETag" in ingest(place, source=url).message
        saved.query("TRUNCATE green_trips_2020_10")
        server.serve(address, Page(body, etag='"three"'))
        assert ingest(place, source=url).result().status == "loaded"
    assert saved.query(SUMS) == [("2020-10", 1, 3.0)]


@pytest.mark.parametrize("amount", ["much", "m" * 140_000], ids=["short", "long"])
def test_rejected_rows_are_kept_in_the_database(place: Path, saved: Database, amount: str) -> None:
    """Without a bucket, a table has line, reason and text of the last load's rejected rows."""
    good = trips("2020-10", ["3"])
    bad = trips("2020-10", [amount]).removeprefix(HEADER)
    published = place / "web" / "green_tripdata_2020-10.csv"
    published.write_text(good + bad)
    line = ingest(place, max_reject_share=0.5).result()
    assert (line.rows_read, line.rows_written, line.rows_rejected) == (2, 1, 1)
    query = "SELECT dataset, to_char(file_month, 'YYYY-MM'), line, reason, text FROM rejected_rows"
    ((*which, reason, text),) = saved.query(query)
    assert which == ["green", "2020-10", 3]
    assert f"'{amount[:4]}" in reason
    assert text == bad.strip()
    published.write_text(good)
    assert ingest(place).result().rows_rejected == 0
    assert saved.query(query) == []


def test_rows_that_the_declaration_rejects_log_no_warning(
    place: Path,
    saved: Database,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor do those of another run that was faster, which this one only finds."""
    column, path = "[columns.store_and_fwd_flag]\n", place / "green.toml"
    text = (datasets.SHIPPED / path.name).read_text()
    path.write_text(text.replace(column, f'{column}reject = ["Sum"]\n'))
    totals = trips("2020-10", ["3"]).removeprefix(HEADER).replace(",N,", ",Sum,")
    published = place / "web" / "green_tripdata_2020-10.csv"
    published.write_text(trips("2020-10", ["3"]) + totals)
    with datasets.drafted(path):
        assert ingest(place).result().rows_rejected == 1
        monkeypatch.setattr(Postgres, "ingest", lambda found, rows, *_: found.entry(rows.month))
        assert ingest(place, force=True).result().rows_rejected == 1
    said = [each for each in caplog.records if "rows rejected" in each.getMessage()]
    assert [(each.levelname, each.getMessage()) for each in said] == [
        ("INFO", "green 2020-10: rows rejected: 1, 1 as declared")
    ]


def test_a_bad_file_leaves_the_month_as_it_was(place: Path, saved: Database) -> None:
    """The error quotes the response; the database keeps the month."""
    publish(place, "2020-10", ["10.5"])
    ingest(place)
    (place / "web/green_tripdata_2020-10.csv").write_text("<html><body>moved</body></html>")
    state = ingest(place)
    assert state.is_failed()
    assert "web page" in str(state.result(raise_on_failure=False))
    assert saved.query(SUMS) == [("2020-10", 1, 10.5)]


@pytest.mark.parametrize("block", ["duckdb-warehouse/zoom", "sqlalchemy-connector/absent"])
def test_a_block_of_another_type_is_refused(place: Path, block: str) -> None:
    """The error names the value and what to write instead."""
    state = ingest(place, warehouse=block)
    assert state.is_failed()
    assert block in str(state.result(raise_on_failure=False))
