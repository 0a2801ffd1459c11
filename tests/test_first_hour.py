"""Newcomers meet neither a false success nor a dead end."""

from __future__ import annotations

import datetime as dt
import io
import logging
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest

from core.errors import TripsError, UsageError
from fakes.duckdb_files import attached
from fakes.in_process import Commands
from fakes.web import Fault, Page, Web
from orchestration import block_registry, variables
from test_flows import bring, bring_all, publish, source, totals
from test_month_report import artifacts

PROJECT = Path(__file__).absolute().parents[1]
flows_run = pytest.mark.usefixtures("prefect_server")
pytestmark = pytest.mark.flow


def failure(state: Any) -> str:
    """Return the message of a run that must have failed."""
    assert state.is_failed(), state
    return str(state.message)


# ---- no false green


@flows_run
@pytest.mark.parametrize(
    ("name", "months"),
    [("green_tripdata.csv", "2020-10,2020-11"), ("green_{month}.csv", "2019-10,2020-10")],
)
def test_one_file_for_several_months_is_refused(place: Path, name: str, months: str) -> None:
    """The error comes before anything runs, with both months and the placeholders."""
    said = failure(bring_all(place, months, source=f"file://{place}/web/{name}"))
    assert "has one file for both" in said
    assert "{year} and {month:02}" in said
    assert not (place / "bucket").exists()


@flows_run
def test_a_typo_in_the_address_fails_with_the_closest_names(place: Path) -> None:
    """This covers the name of a folder, of a file, and {month} without its zero."""
    publish(place, "2020-10", ["1"])
    publish(place, "2020-01", ["1"])
    for wrong, hint in (
        (source(place).replace("/web/", "/wbe/"), f"{place} has no wbe, but web"),
        (source(place).replace("tripdata", "tripdta"), "green_tripdata_2020-01.csv"),
        (source(place).replace("{month:02}", "{month}"), "green_tripdata_2020-01.csv"),
    ):
        said = failure(bring_all(place, "2020-01", source=wrong))
        assert "1 of 1 months failed: green 2020-01: file://" in said
        assert hint in said
    assert bring_all(place, "2020-01", source=wrong, plan=True).is_failed()
    assert not (place / "bucket").exists()


@flows_run
def test_a_missing_month_is_forgiven_where_it_is_expected(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is expected if the parameter says so, and for months that are due or recent."""
    import parameterized_flow
    from monthly.datasets import DATASETS

    monkeypatch.setattr(parameterized_flow, "_today", lambda: dt.date(2021, 1, 31))
    publish(place, "2020-09", ["1"])
    assert bring_all(place, "9,10", skip_missing=True).name == "Completed"
    assert bring_all(place, "due", due_months=3).name == "Skipped"
    assert failure(bring_all(place, "9,10")).startswith("1 of 2 months failed: green 2020-10: ")
    monkeypatch.setitem(DATASETS["green"].declared.sources, "tlc", source(place))
    assert bring_all(place, "10,11", source="tlc").name == "Skipped"
    assert failure(bring_all(place, "8,10", source="tlc")).startswith("1 of 2 months failed: green")


@flows_run
def test_a_pattern_without_a_match_fails_and_names_the_files(place: Path) -> None:
    from check_for_files import check_for_files

    (place / "web" / "fhvhv_tripdata_2021-01.parquet").write_bytes(b"")
    call: Any = check_for_files
    options = {"source": str(place / "web"), "sink": str(place / "out"), "return_state": True}
    said = failure(call(pattern="fhvhv_tripdata_2022-01.parquet", **options))
    assert "it has 1 files, fhvhv_tripdata_2021-01.parquet among them" in said
    assert call(pattern="x*", skip_missing=True, **options).name == "Skipped"


@flows_run
def test_generated_months_are_called_so_everywhere(place: Path) -> None:
    """This covers the run's table, the plan, the warehouse's ledger and the report."""
    publish(place, "2020-10", ["1"])
    (published,) = bring_all(place, "10", report=True).result()
    (planned,) = bring_all(place, "11", report=True, source="sample:10", plan=True).result()
    (made,) = bring_all(place, "11", report=True, source="sample:10").result()
    assert [line.generated for line in (published, planned, made)] == [False, True, True]
    with attached(place / "trips.duckdb", read_only=True) as db:
        rows = db.execute("SELECT source FROM loaded_months ORDER BY file_month").fetchall()
    assert [row[0].partition(":")[0] for row in rows] == ["file", "sample"]
    found = artifacts()
    assert '"status": "loaded, GENERATED"' in found["months"]
    for page in ("green-2020-11-quality", "green-2020-11-report"):
        assert found[page].startswith("# green 2020-11 (GENERATED, not published data)")
    html = (place / "bucket/data/green/green_tripdata_2020-11.report.html").read_text()
    assert "<title>green 2020-11 (GENERATED, not published data)</title>" in html


@flows_run
def test_a_month_of_the_future_is_refused(place: Path) -> None:
    assert "green 2999-01 has not begun" in failure(bring_all(place, "2999-01", source="sample"))
    assert not (place / "bucket").exists()


def test_an_older_ledger_gets_the_source_of_months(place: Path) -> None:
    """The table of an older version has no such column."""
    from fakes.entries import entry_of
    from monthly.convert.to_parquet import convert
    from monthly.month import Month
    from monthly.warehouses.duckdb import DuckDBFile
    from test_flows import trips

    month, file = Month("green", 2020, 10), DuckDBFile(place / "trips.duckdb")
    (place / "green.csv").write_text(trips("2020-10", ["1"]))
    path = convert(month, place / "green.csv", place).path
    file.load(month, entry_of(month, rows_written=1), path)
    file.query("ALTER TABLE loaded_months DROP COLUMN source")
    file.load(month, entry_of(month, rows_written=1, url="https://h/x"), path)
    assert file.query("SELECT source FROM loaded_months") == [("https://h/x",)]


# ---- settings


@pytest.fixture
def in_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Return the variables of .env."""
    found: dict[str, str | None] = {}
    monkeypatch.setattr(variables, "_IN_FILE", found)
    monkeypatch.setattr(variables, "FILE", Path("/x/.env"))
    monkeypatch.delenv("TRIPS_DATA", raising=False)
    return found


def test_settings_have_one_order(
    in_file: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is parameter, environment, .env, default; what is overridden is named."""
    data = variables.Variable("TRIPS_DATA", default="d", help="")
    assert str(variables.setting(data)) == "d (default)"
    in_file["TRIPS_DATA"] = "f"
    assert str(variables.setting(data)) == "f (TRIPS_DATA in .env)"
    monkeypatch.setenv("TRIPS_DATA", "e")
    known = variables.setting(data)
    assert str(known) == "e (TRIPS_DATA in the environment, overrides TRIPS_DATA in .env)"
    assert variables.parameter("e", known) is known
    said = "p (parameter, overrides TRIPS_DATA in the environment)"
    assert str(variables.parameter("p", known)) == said
    in_file["TRIPS_DATA"] = ""
    monkeypatch.setenv("TRIPS_DATA", "")
    assert variables.setting(data).is_default


@flows_run
def test_a_variable_outweighs_a_saved_block(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """TRIPS_DATA applies although make serve has saved blocks; the first line shows the origin."""
    from orchestration.embedded_blocks import LocalBucket

    block: Any = LocalBucket(folder=str(tmp_path / "saved"))
    block.save("zoom", overwrite=True)
    try:
        publish(place, "2020-10", ["1"])
        bring(place, 10)
        assert (tmp_path / "saved" / "ledger").exists()
        assert f"at {tmp_path / 'saved'} (saved block)" in caplog.text
        set_by = variables.Setting(str(place), "TRIPS_DATA in .env")
        monkeypatch.setattr(block_registry, "DATA_SETTING", set_by)
        bring(place, 10)
        assert (place / "bucket" / "ledger").exists()
        assert f"at {place / 'bucket'} (TRIPS_DATA in .env)" in caplog.text
    finally:
        LocalBucket.delete("zoom")  # type: ignore[unused-coroutine] # not a coroutine outside flows


def test_the_doctor_shows_the_settings_and_what_does_not_answer(
    tmp_path: Path, prefect_server: None
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "rides.toml").write_text('title = "Rides"\n')
    settings = {"TRIPS_DATA": str(file / "data"), "PREFECT_HOME": str(tmp_path / "home")}
    settings["TRIPS_DATASETS"] = str(tmp_path)
    done = run_script(PROJECT / "dev" / "doctor.py", settings)
    lines = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert done.returncode == 1
    assert lines["home"] == f"ok  home       {tmp_path / 'home'} (PREFECT_HOME)"
    assert f"{file / 'data'} (TRIPS_DATA in the environment): {file} is a file" in lines["data"]
    assert lines["scratch"].startswith("ok  scratch")
    assert lines["datasets"].startswith(f"NO  datasets   {tmp_path} (TRIPS_DATASETS in the env")
    assert f"{tmp_path / 'rides.toml'}, line 1: " in lines["datasets"]
    assert [lines[name][:2] for name in ("bucket", "warehouse")] == ["NO", "NO"]


# ---- what a run says


@flows_run
def test_an_error_of_ours_is_the_message_of_its_run_without_a_traceback(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the message of the flow's state and the log of its task."""
    (place / "web" / "green_tripdata_2020-10.csv").write_text("<!doctype html><html></html>")
    state = bring(place, 10)
    assert failure(state) == str(state.result(raise_on_failure=False))
    assert failure(state).startswith("green 2020-10: ")
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert not [error for error in errors if isinstance(error, TripsError)]
    assert failure(state) in caplog.messages


@flows_run
def test_an_unknown_error_keeps_its_traceback(
    place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import etl_web_to_gcs

    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(etl_web_to_gcs, "opened_bucket", broken)
    state = bring(place, 10)
    assert "Flow run encountered an exception. ZeroDivisionError: by nought" in failure(state)
    assert [record for record in caplog.records if record.exc_info]


@flows_run
def test_the_parents_log_has_a_line_a_month(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    publish(place, "2020-10", ["1", "2"])
    (place / "web" / "green_tripdata_2020-11.csv").write_text("<html></html>")
    with caplog.at_level(logging.INFO):
        state = bring_all(place, "10,11")
    said = [
        record
        for record in caplog.records
        if record.name == "prefect.flow_runs" and record.getMessage().startswith("green 2020-1")
    ]
    loaded, failed = said
    counts = "green 2020-10: loaded, 2 rows read = 2 written + 0 rejected, "
    assert loaded.getMessage().startswith(counts)
    assert (failed.levelname, failed.getMessage()[:22]) == ("ERROR", "green 2020-11: failed ")
    assert state.is_failed()


@flows_run
def test_seconds_are_those_of_the_month(place: Path) -> None:
    publish(place, "2020-10", ["1"])
    assert 0 < bring(place, 10).result().seconds < bring_all(place, "10").result()[0].seconds + 60
    assert bring(place, 10).result().seconds > 0


@flows_run
def test_no_artifact_links_to_a_file_of_this_machine(place: Path) -> None:
    """Browsers refuse file links, so the report itself is an artifact next to the quality page."""
    publish(place, "2020-03", ["1"])  # a month that no other test makes a report of
    bring_all(place, "3", report=True)
    found = artifacts()
    path = place / "bucket/data/green/green_tripdata_2020-03.report.html"
    assert f"This page as a file: `{path}`" in found["green-2020-03-report"]
    assert "## Nulls" in found["green-2020-03-quality"]
    assert str(path) in found["months"]
    assert "green-2020-03-report-link" not in found
    assert not [
        key
        for key, data in found.items()
        if key and "2020-03" in key and "file://" in (data.replace(f"file://{place}/web", ""))
    ]


# ---- dead ends


def run_script(script: Path, settings: dict[str, str], *options: str) -> Any:
    return subprocess.run(
        [sys.executable, str(script), *options],
        env=os.environ | {"PYTHONWARNINGS": "ignore"} | settings,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def silent() -> Iterator[str]:
    """Yield the address of a server that is gone."""
    with socket.socket() as taken:  # nobody else gets the port, and nobody listens
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/api"


def run_here(script: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> SystemExit:
    """Run a script within this process, as a command; test_cli.py starts real ones."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(block_registry, "DATA", Path(settings["TRIPS_DATA"]))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", [str(script)])
    api = {PREFECT_API_URL: settings["PREFECT_API_URL"]}
    with temporary_settings(api), pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    return ended.value


def test_a_command_whose_server_is_gone_prints_one_line(silent: str, tmp_path: Path) -> None:
    """In a real process, neither Prefect nor the log adds a line."""
    settings = {"PREFECT_API_URL": silent, "TRIPS_DATA": str(tmp_path / "data")}
    done = run_script(PROJECT / "flows" / "tidy_runs.py", settings)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    "script",
    [
        "flows/tidy_runs.py",
        "blocks/make_embedded_blocks.py",
        "deployments/local_deploy.py",
        "dev/local_postgres.py",
    ],
)
def test_a_server_that_is_gone_is_one_line(
    silent: str,
    script: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It offers two ways out, with exit code 2, and nothing is created."""
    data = tmp_path / "data"
    settings = {"PREFECT_API_URL": silent, "TRIPS_DATA": str(data)}
    assert run_here(PROJECT / script, settings, monkeypatch).code == 2
    assert not data.exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: Prefect's server at {silent} does not answer (")
    start = f"make serve PORT={urlsplit(silent).port}"
    assert line.endswith(f"; start it ({start}), or run without one: unset PREFECT_API_URL")


@pytest.mark.parametrize(
    ("url", "way_out"),
    [
        ("http://127.0.0.1:4200/api", "start it (make serve)"),
        ("http://localhost:4201/api", "start it (make serve PORT=4201)"),
        (
            "https://api.prefect.cloud/api/accounts/a/workspaces/b",
            "see that it runs and can be reached, correct PREFECT_API_URL",
        ),
    ],
)
def test_only_a_server_of_this_machine_can_be_started_here(
    url: str, way_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make serve` starts it on the port of the address; it cannot start Prefect Cloud."""
    import httpx

    from orchestration import prefect_server

    def silent(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("no route")

    monkeypatch.setattr(prefect_server, "PREFECT_API_URL", SimpleNamespace(value=lambda: url))
    monkeypatch.setattr(httpx, "get", silent)
    with pytest.raises(UsageError) as refused:
        prefect_server.refuse_silent_server()
    assert f" (no route); {way_out}, or run without one: " in str(refused.value)


def test_a_server_that_is_not_prefects_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration import prefect_server

    with Web() as other:
        url = other.url("/api")

        class Fixed:
            def value(self) -> str:
                return url

        monkeypatch.setattr(prefect_server, "PREFECT_API_URL", Fixed())
        with pytest.raises(UsageError, match=r"another server answers there, .*\); correct PREF"):
            prefect_server.refuse_silent_server()


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (
            Page(b"<html>", headers={"Content-Type": "text/html; charset=utf-8"}),
            "the address of Prefect's API ends in /api); correct PREFECT_API_URL",
        ),
        (
            Page(b"", 301, headers={"Location": "https://taxi/api"}),
            "redirects to https://taxi/api; name an address of Prefect's API that does not",
        ),
        (Page(b"", 502), "does not answer (502 Bad Gateway); start it"),
        (Page(b"", 503), "does not answer (503 Service Unavailable); start it"),
        (Page(b"", 401), "requires a login (401 Unauthorized); log in (prefect cloud login)"),
        (Page(b"", 403), "requires a login (403 Forbidden); log in (prefect cloud login)"),
    ],
    ids=["page", "redirect", "502", "503", "401", "403"],
)
def test_a_server_that_answers_without_prefects_api_is_one_line(page: Page, said: str) -> None:
    """Prefect's UI answers at any path outside /api; a proxy answers for a server that is gone."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from orchestration.prefect_server import refuse_silent_server

    with Web() as other:
        other.serve("/health", page)
        with (
            temporary_settings({PREFECT_API_URL: other.url("")}),
            pytest.raises(UsageError) as caught,
        ):
            refuse_silent_server()
    assert said in str(caught.value)
    assert "unset" in str(caught.value)


def test_a_server_that_wants_a_login_is_used_with_one() -> None:
    """Prefect's client has the key, which is not sent without its check of the certificate."""
    from prefect.settings import PREFECT_API_KEY, PREFECT_API_URL, temporary_settings

    from orchestration.prefect_server import refuse_silent_server

    with Web() as cloud:
        cloud.serve("/health", Page(b"true"))
        cloud.fail(Fault(Page(b"", 401)))
        with temporary_settings({PREFECT_API_URL: cloud.url(""), PREFECT_API_KEY: "pnu_1"}):
            refuse_silent_server()
        without, with_key = cloud.requests
    assert "authorization" not in without.headers
    assert with_key.headers["authorization"] == "Bearer pnu_1"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(Page(b"", 503)), "does not answer (503 Service Unavailable); start it"),
        (Fault(after=0), "does not answer (peer closed connection"),
        (Fault(Page(b"", 403)), "requires a login (401 Unauthorized); log in"),
    ],
    ids=["503", "transport", "403"],
)
def test_a_login_is_not_blamed_for_another_failure(fault: Fault, said: str) -> None:
    """Nor does the one request with the key wait for Prefect's retries."""
    from prefect.settings import PREFECT_API_KEY, PREFECT_API_URL, temporary_settings

    from orchestration.prefect_server import refuse_silent_server

    with Web() as cloud:
        cloud.serve("/health", Page(b"true"))
        cloud.fail(Fault(Page(b"", 401)))
        cloud.fail(fault)
        with (
            temporary_settings({PREFECT_API_URL: cloud.url(""), PREFECT_API_KEY: "pnu_1"}),
            pytest.raises(UsageError) as caught,
        ):
            refuse_silent_server()
        assert len(cloud.requests) == 2
    assert said in str(caught.value)


def test_a_database_in_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings

    from orchestration.prefect_server import refuse_silent_server

    file = tmp_path / "nowhere" / "prefect.db"
    settings: dict[Any, Any] = {PREFECT_API_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{file}"}
    with temporary_settings(settings), pytest.raises(UsageError) as caught:
        refuse_silent_server()
    assert str(caught.value) == (
        f"Prefect's database {file} cannot be written: the folder {file.parent} does not exist; "
        "create it, or name another home: export PREFECT_HOME=FOLDER"
    )


def test_a_block_that_is_not_there_is_looked_for_in_a_named_place(prefect_server: None) -> None:
    with pytest.raises(UsageError, match=r"gcs-bucket/nowhere cannot be loaded from the database"):
        block_registry.open_bucket("gcs-bucket/nowhere")


def test_data_below_a_file_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for open_one, name in (
        (block_registry.open_bucket, str(file / "bucket")),
        (block_registry.opened_warehouse, str(file / "my.duckdb")),
    ):
        with pytest.raises(UsageError, match=f"{file} is a file, so there can be no folder"):
            open_one(name)


def test_a_folder_is_not_a_warehouse(tmp_path: Path) -> None:
    """Nobody is told to remove it."""
    with pytest.raises(UsageError, match=f"{tmp_path} is a folder; name .*{tmp_path}/trips.duckdb"):
        block_registry.opened_warehouse(str(tmp_path))


@flows_run
def test_a_bucket_and_a_warehouse_need_no_block(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are used unchanged; relative ones start at the current folder."""
    publish(place, "2020-10", ["1", "2"])
    (place / "here").mkdir()
    monkeypatch.chdir(place / "here")
    state = bring_all(place, "10", bucket="./taxi", warehouse="my.duckdb")
    assert state.result()[0].where.endswith(f"-> {place / 'here' / 'my.duckdb'}")
    assert (place / "here/taxi/data/green/green_tripdata_2020-10.parquet").exists()
    with duckdb.connect("my.duckdb", read_only=True) as db:
        assert db.execute("SELECT count(*) FROM green_trips").fetchall() == [(2,)]
    assert not (place / "bucket").exists()
    assert totals(place) == {}


@flows_run
def test_months_are_dropped_when_somebody_says_yes(place: Path) -> None:
    """Without confirmation the run lists what it would remove; a second run finds nothing."""
    from drop_months import drop_months

    publish(place, "2020-10", ["1", "2"])
    publish(place, "2020-11", ["3"])
    bring_all(place, "10,11")
    call: Any = drop_months
    wanted = {"color": "green", "months": "2020-10,2020-12", "return_state": True}
    shown = call(**wanted)
    assert (shown.name, shown.message) == ("Planned", "1 of 2 months would be dropped")
    assert [line.status for line in shown.result()] == ["to be dropped", "not there"]
    assert totals(place) == {"2020-10": (2, 3.0), "2020-11": (1, 3.0)}
    assert call(**wanted, yes=True).message == "1 of 2 months dropped"
    assert totals(place) == {"2020-11": (1, 3.0)}
    assert call(**wanted, yes=True).name == "Skipped"
    assert "no months given" in failure(call(color="green", yes=True, return_state=True))
    assert bring_all(place, "10").result()[0].status == "loaded"


@flows_run
def test_a_command_that_drops_asks_or_takes_yes(
    place: Path, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal the error names the option; GREEN means green."""
    from drop_months import _question, drop_months

    publish(place, "2020-10", ["1", "2"])
    bring_all(place, "10")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    drop = partial(
        command, drop_months, "--color", "GREEN", "--months", "2020-10", confirm=_question
    )
    asked = drop()
    assert asked.code == 2
    question = "Remove green 2020-10 for good?"
    assert f"cannot ask '{question}' without a terminal; run again with --yes" in asked.err
    assert totals(place) == {"2020-10": (2, 3.0)}
    done = drop("--yes")
    assert done.code == 0, done.err
    assert "green 2020-10  dropped" in done.out
    assert totals(place) == {}
