"""The log as JSON: one object a line, the same keys in every flow, and no secrets."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import prefect.logging
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from core.errors import UsageError
from fakes.editions import SMALL
from fakes.image_file import image_file
from fakes.in_process import Commands
from orchestration import json_log, variables
from orchestration.json_log import KEYS, JsonLines, line_of
from orchestration.secret_values import remember_block
from test_cli import _prefect_settings
from test_flows import publish, source, trips

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

PROJECT = Path(__file__).absolute().parents[1]
FLOWS = PROJECT / "flows"
FIRST = ("time", "level", "logger", "message")
OCTOBER = ("--color", "green", "--year", "2020", "--month", "10")
Lines = list[dict[str, Any]]


@pytest.fixture
def logged(command: Commands, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Lines]]:
    """Yield a function that runs a command and returns its log, one object with all keys a line."""
    monkeypatch.setenv("TRIPS_LOG", "json")
    root, lines = logging.getLogger(), JsonLines()
    before = [*root.handlers]
    root.handlers = [h for h in before if type(h).__name__ != "PrefectConsoleHandler"] + [lines]

    def run(flow: Any, *options: str, code: int = 0, **front: Any) -> Lines:
        said = command(flow, *options, **front)
        lines.filters.clear()  # a command adds its own
        assert said.code == code, said
        found: Lines = [json.loads(line) for line in said.err.splitlines()]
        assert found
        assert {tuple(line) for line in found} == {(*FIRST, *KEYS)}
        return found

    yield run
    root.handlers = before


def of_stage(lines: Lines, stage: str) -> dict[str, Any]:
    (line,) = [line for line in lines if line["stage"] == stage and line["seconds"] is not None]
    return line


def test_each_stage_of_a_month_ends_in_a_line_with_its_counts(
    place: Path, logged: Callable[..., Lines]
) -> None:
    """The line also has the ids of its run, its month, and its seconds."""
    from etl_gcs_to_bq import etl_gcs_to_bq
    from etl_web_to_gcs import etl_web_to_gcs
    from month_report import month_report

    publish(place, "2020-10", ["10.5", "4"])
    lines = logged(etl_web_to_gcs, *OCTOBER, "--source", source(place))
    file = place / "web/green_tripdata_2020-10.csv"
    assert of_stage(lines, "extract")["counts"] == {"bytes": file.stat().st_size}
    rows = {"rows_read": 2, "rows_written": 2, "rows_rejected": 0}
    assert of_stage(lines, "load")["counts"].items() >= rows.items()
    run = of_stage(lines, "run")
    assert run["counts"].items() >= rows.items()
    assert (run["status"], run["error"]) == ("Completed", None)
    assert {line["month"] for line in lines} == {"2020-10"}
    assert {line["dataset"] for line in lines} == {"green"}
    assert {line["flow_run_id"] for line in lines} == {run["flow_run_id"]}
    assert run["flow_name"] == "etl-web-to-gcs"
    assert of_stage(lines, "plan")["task_run_id"] != of_stage(lines, "load")["task_run_id"]
    assert all(0 <= of_stage(lines, s)["seconds"] <= run["seconds"] for s in ("plan", "extract"))
    loaded = logged(etl_gcs_to_bq, *OCTOBER)
    size = (place / "bucket/data/green/green_tripdata_2020-10.parquet").stat().st_size
    assert of_stage(loaded, "extract")["counts"] == {"bytes": size}
    assert of_stage(loaded, "load")["counts"] == {"rows": 2, "bytes": size}
    assert of_stage(loaded, "run")["counts"]["rows_written"] == 2
    again = logged(etl_web_to_gcs, *OCTOBER, "--source", source(place))
    assert of_stage(again, "run")["status"] == "Skipped"
    drawn = logged(month_report, *OCTOBER)
    assert of_stage(drawn, "report")["month"] == "2020-10"


def test_a_failed_month_is_logged_with_the_class_of_its_error(
    place: Path, logged: Callable[..., Lines]
) -> None:
    """Its stage, the parent run and the command each log a line about it."""
    from parameterized_flow import etl_parent_flow

    publish(place, "2020-10", ["10.5", "4"])
    head, row = trips("2020-11", ["4"]).splitlines()
    (place / "web/green_tripdata_2020-11.csv").write_text(f"{head},odd\n{row},1\n")
    options = ("--color", "green", "--months", "2020-10:2020-11", "--source", source(place))
    lines = logged(etl_parent_flow, *options, "--no-report", "--gates", "off", code=1)
    failed = of_stage([line for line in lines if line["month"] == "2020-11"], "transform")
    assert (failed["level"], failed["status"], failed["error"]) == (
        "ERROR",
        "Failed",
        "SchemaError",
    )
    (parent,) = [x for x in lines if x["flow_name"] == "etl-parent-flow" and x["stage"] == "run"]
    assert parent["counts"]["items"] == 2
    assert parent["counts"]["rows_written"] == 2
    assert lines[-2]["message"] == "Error: 1 of 2 months failed"


def test_all_other_commands_log_the_same_keys(
    place: Path, logged: Callable[..., Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each ends with a line about its run."""
    from catalog import catalog
    from check_for_files import check_for_files
    from covid_monthly import covid_monthly
    from drop_months import _question, drop_months
    from history import history
    from image_to_gif import frames_to_gif, image_to_gif
    from tidy_runs import tidy_runs
    from verify import verify

    monkeypatch.chdir(place)
    months = ("--color", "green", "--months", "2020-10")
    (place / "in").mkdir()
    pq.write_table(pa.table({"a": [1]}), place / "in/fhvhv_tripdata_2021-01.parquet")
    os.utime(place / "in/fhvhv_tripdata_2021-01.parquet", (0, 0))
    (place / "edition.json").write_bytes(SMALL)
    (place / "images").write_bytes(image_file(2))
    files = ("--source", str(place / "in"), "--sink", str(place / "out"))
    image = ("--url", str(place / "images"), "--engine", "threads")
    for run in (
        partial(logged, catalog),
        partial(logged, verify, *months, code=1),
        partial(logged, history, *months),
        partial(logged, drop_months, *months, confirm=_question),
        partial(logged, check_for_files, *files),
        partial(logged, covid_monthly, "--url", str(place / "edition.json")),
        partial(logged, image_to_gif, *image, drawn=frames_to_gif),
        partial(logged, tidy_runs, "--keep-hours", "0"),
    ):
        ends = [line for line in run(show=str) if line["stage"] == "run"]
        assert ends
        assert all(line["flow_run_id"] and line["seconds"] >= 0 for line in ends)


def test_a_month_straight_to_postgres_logs_the_same_keys(
    place: Path, database: Any, logged: Callable[..., Lines]
) -> None:
    """Its task and its run have a line each."""
    from ingest_data import ingest_data

    publish(place, "2020-10", ["10.5", "4"])
    database.block().save("json-log", overwrite=True)
    options = ("--source", source(place), "--warehouse", "sqlalchemy-connector/json-log")
    lines = logged(ingest_data, *OCTOBER, *options)
    assert of_stage(lines, "run")["counts"]["rows_written"] == 2
    stage = of_stage(lines, "transform_and_load")
    size = (place / "web/green_tripdata_2020-10.csv").stat().st_size
    rows = {"rows_read": 2, "rows_written": 2, "rows_rejected": 0}
    assert (stage["month"], stage["counts"]) == ("2020-10", rows | {"bytes": size})


def test_a_real_process_logs_nothing_but_json_on_stderr(place: Path) -> None:
    """This holds from Prefect's first line to the command's last; the table stays on stdout."""
    publish(place, "2020-10", ["10.5", "4"])
    settings = {"TRIPS_LOG": "json", "TRIPS_DATA": str(place / "data")}
    options = ("--color", "green", "--months", "2020-10:2020-11", "--source", source(place))
    done = subprocess.run(
        [sys.executable, FLOWS / "parameterized_flow.py", *options, "--no-report"],
        env=os.environ | settings | _prefect_settings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("month ")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {tuple(line) for line in lines} == {(*FIRST, *KEYS)}
    assert {"extract", "transform", "load", "run"} <= {line["stage"] for line in lines}


def record(message: str, **fields: Any) -> logging.LogRecord:
    found = logging.LogRecord("prefect.flow_runs", logging.ERROR, "", 1, "%s", (message,), None)
    found.__dict__.update(fields)
    return found


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HTTPS_PROXY", "http://me:pr0xy-pw@proxy:3128", "proxy http://me:pr0xy-pw@proxy:3128"),
        ("HTTPS_PROXY", "http://me:pr0xy-pw@proxy:3128", "407 for me, pr0xy-pw"),
        ("POSTGRES_PASSWORD", "pr0xy-pw", 'FATAL: no "pr0xy-pw"'),
        ("AWS_SECRET_ACCESS_KEY", "a/b+pr0xy-pw", "signed with a/b+pr0xy-pw"),
        ("PREFECT_API_KEY", "pnu_pr0xy-pw", "Bearer pnu_pr0xy-pw"),
        ("TRIPS_SECRET_PORTAL", "pr0xy-pw", "Basic pr0xy-pw"),
        ("NOTHING", "", "GET https://h/f?X-Amz-Signature=pr0xy-pw&X-Amz-Date=1 failed"),
        ("NOTHING", "", "GET https://h/f?sv=1&sig=pr0xy-pw: 403"),
        ("NOTHING", "", "postgresql://root:pr0xy-pw@db/taxi is silent"),
    ],
)
def test_a_line_has_no_secret_of_an_address_or_a_variable(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This covers its message, the text of its error, and its traceback."""
    monkeypatch.setenv(name, value)
    try:
        raise ValueError(message)
    except ValueError:
        failed = record(message, exc_info=sys.exc_info(), flow_run_name=message)
    line = line_of(failed)
    assert "pr0xy-pw" not in line
    assert line.count("***") >= 3
    assert json.loads(line)["error"] == "ValueError"


def test_a_secret_like_an_ordinary_word_is_masked_in_texts_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time, level, dataset and month stay readable for programs."""
    plain = json.loads(line_of(record("of 2026", dataset="green", month="2026-10")))
    for name, value in {
        "A": plain["time"][:4],
        "B": plain["level"],
        "C": "green",
        "D": "2026",
    }.items():
        monkeypatch.setenv(f"TRIPS_SECRET_{name}", value)
    line = json.loads(line_of(record("of 2026", dataset="green", month="2026-10")))
    assert line["message"] == "of ***"
    assert line["level"] == plain["level"]
    assert (line["dataset"], line["month"]) == ("green", "2026-10")
    assert dt.datetime.fromisoformat(line["time"]).tzinfo == dt.timezone.utc


def test_a_line_outside_a_run_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line break is in the same write, so that no other thread's line ends up within it."""
    written: list[str] = []

    class Console(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    monkeypatch.setenv("TRIPS_LOG", "json")
    monkeypatch.setattr(sys, "stderr", Console())
    json_log.say("one")
    (line,) = filter(None, written)
    assert line.endswith("}\n")


def test_a_line_has_no_secret_of_a_block() -> None:
    """This covers the blocks of buckets and warehouses, once they are opened."""
    from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver

    from fakes import s3

    driver = SyncDriver.POSTGRESQL_PSYCOPG2
    known = ConnectionComponents(driver=driver, database="taxi", password="bl0ck-password")
    remember_block(SqlAlchemyConnector(connection_info=known))
    remember_block(s3.block("http://127.0.0.1:1", "taxi", secret="bl0ck-secret"))
    url = "postgresql+psycopg2://root:ur1-password@db/taxi"
    remember_block(SqlAlchemyConnector(connection_info=url))
    line = line_of(record("refused bl0ck-password, bl0ck-secret and ur1-password"))
    assert "refused ***, *** and ***" in line


def test_an_unknown_format_of_the_log_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the variable and its valid values."""
    monkeypatch.setenv("TRIPS_LOG", "jsno")
    with pytest.raises(UsageError, match=r"TRIPS_LOG: jsno \(.*write text or json"):
        variables.refuse_unknown_log()


def test_the_console_of_text_is_replaced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps its name, by which Prefect configures it again."""
    monkeypatch.setenv("TRIPS_LOG", "json")
    logger, console = logging.getLogger("of-this-test"), logging.StreamHandler(sys.stderr)
    console.name = "console-of-this-test"
    logger.addHandler(console)
    # The consoles of other loggers stay, for the tests that follow.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging.root.manager, "loggerDict", {logger.name: logger})
    try:
        json_log.install()
        json_log.install()
        (lines,) = logger.handlers
        assert isinstance(lines, JsonLines)
        assert lines.name == "console-of-this-test"
    finally:
        logging.captureWarnings(False)
        logger.handlers.clear()


def test_the_configuration_for_agents_differs_from_prefects_in_the_console_alone() -> None:
    """The logs for the UI are the same, and stay text."""
    theirs = yaml.safe_load(Path(prefect.logging.__file__).with_name("logging.yml").read_text())
    ours = yaml.safe_load((FLOWS / "orchestration/logging.yml").read_text())
    own = {"level": 0, "class": "orchestration.json_log.JsonLines"}
    assert ours["handlers"] == {**theirs["handlers"], "console": own, "debug": own}
    for key in ("loggers", "root", "version", "disable_existing_loggers"):
        assert ours[key] == theirs[key]
