"""`--json` prints one JSON value on stdout and everything else on stderr, for every command."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.editions import SMALL
from fakes.image_file import image_file
from fakes.in_process import Commands, Said
from orchestration import cli
from test_flows import publish, source, trips

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

FLOWS = Path(__file__).absolute().parents[1] / "flows"
OCTOBER = ("--color", "green", "--year", "2020", "--month", "10")
#: The fields of a month, as listed in docs/operations.md.
FIELDS = {
    "dataset",
    "month",
    "status",
    "reason",
    "rows_read",
    "rows_written",
    "rows_rejected",
    "bytes",
    "seconds",
    "where",
    "report",
    "warning",
    "generated",
    "remedies",
    "error",
    "revision",
    "kept_edition",
    "to_download",
}

Asked = Callable[..., dict[str, Any]]


@pytest.fixture
def asked(command: Commands) -> Asked:
    """Return the JSON object of a command, whose exit code is in it."""

    def ask(flow: Any, *options: str, **front: Any) -> dict[str, Any]:
        said = command(flow, *options, "--json", **front)
        found: dict[str, Any] = json.loads(said.out)
        assert found["exit_code"] == said.code
        assert (found["error"] is None) == (said.code == 0)
        return found

    return ask


def test_a_year_of_months_is_one_value_with_a_flat_record_each(place: Path, asked: Asked) -> None:
    """Failed months have their reason, remedies and class of error; the exit code is 1."""
    from parameterized_flow import etl_parent_flow

    publish(place, "2020-10", ["10.5", "4"])
    head, row = trips("2020-11", ["4"]).splitlines()
    (place / "web/green_tripdata_2020-11.csv").write_text(f"{head},odd\n{row},1\n")
    options = ("--color", "green", "--months", "2020-10:2020-11", "--source", source(place))
    found = asked(etl_parent_flow, *options, "--no-report")
    assert found["exit_code"] == 1
    assert found["state"] == "Failed"
    assert found["error"] == {
        "class": None,
        "message": "1 of 2 months failed",
        "remedies": [],
        "help": ["docs/troubleshooting.md#schemaerror"],
    }
    loaded, failed = found["months"]
    assert set(loaded) == set(failed) == FIELDS
    parquet = place / "bucket/data/green/green_tripdata_2020-10.parquet"
    assert loaded["dataset"] == "green"
    assert loaded["month"] == "2020-10"
    assert loaded["status"] == "loaded"
    assert (loaded["rows_read"], loaded["rows_written"], loaded["rows_rejected"]) == (2, 2, 0)
    assert loaded["bytes"] == parquet.stat().st_size
    assert loaded["where"] == f"{parquet} -> {place}/trips.duckdb"
    assert (failed["status"], failed["error"]) == ("failed", "SchemaError")
    assert failed["remedies"][-1].startswith("run again with --no-strict ")
    assert failed["where"] == ""


def test_a_plan_is_json_too_and_the_log_goes_to_stderr(place: Path, command: Commands) -> None:
    """Prefect's own lines go to stderr too."""
    from parameterized_flow import etl_parent_flow

    publish(place, "2020-10", ["10.5"])
    options = ("--color", "green", "--months", "2020-10", "--source", source(place))
    said = command(etl_parent_flow, *options, "--plan", "--verbose", "--json")
    found = json.loads(said.out)
    assert (found["exit_code"], found["state"], found["error"]) == (0, "Planned", None)
    assert [(m["month"], m["status"], m["reason"]) for m in found["months"]] == [
        ("2020-10", "NEW", "not in the ledger")
    ]
    size = (place / "web/green_tripdata_2020-10.csv").stat().st_size
    assert [month["to_download"] for month in found["months"]] == [size]
    assert (found["price"]["bytes_to_download"], found["price"]["seconds"]) == (size, None)
    assert not (place / "bucket").exists()


def test_one_month_has_the_same_record_when_it_fails(place: Path, asked: Asked) -> None:
    """A flow of one month fails as a whole, and the month has its record all the same."""
    from etl_web_to_gcs import etl_web_to_gcs
    from month_report import month_report

    publish(place, "2020-10", ["10.5"])
    loaded = asked(etl_web_to_gcs, *OCTOBER, "--source", source(place))
    again = asked(etl_web_to_gcs, *OCTOBER, "--source", source(place))
    missing = asked(month_report, *OCTOBER[:-1], "11")
    months = [month for run in (loaded, again, missing) for month in run["months"]]
    assert all(set(month) == FIELDS for month in months)
    assert [run["state"] for run in (loaded, again, missing)] == ["Completed", "Skipped", "Failed"]
    assert [month["status"] for month in months] == ["loaded", "unchanged", "failed"]
    assert months[2]["error"] == missing["error"]["class"] == "StorageError"
    assert months[2]["reason"] in missing["error"]["message"]


def test_a_usage_error_names_the_fault_and_runs_nothing(place: Path, asked: Asked) -> None:
    """The error may be an option, a parameter of the flow, or a server that does not answer."""
    from etl_gcs_to_bq import etl_gcs_to_bq

    unknown = asked(etl_gcs_to_bq, "--yaer", "2020")
    assert unknown == {
        "exit_code": 2,
        "state": None,
        "error": {
            "class": "UsageError",
            "message": "No such option: --yaer Did you mean --year?",
            "remedies": [],
            "help": [],
        },
    }
    refused = asked(etl_gcs_to_bq, "--bucket", "file/x")
    assert (refused["exit_code"], refused["state"]) == (2, "Failed")
    assert "bucket 'file/x' is neither a block" in refused["error"]["message"]
    assert "months" not in refused


@pytest.mark.parametrize(
    ("settings", "options", "said"),
    [
        ({}, ("--months", "2020-13"), "month 13 is not between 1 and 12"),
        ({"TRIPS_DATASETS": "/nowhere"}, (), "TRIPS_DATASETS is /nowhere, which is not a folder"),
    ],
)
def test_an_error_before_prefect_is_imported_is_json_too(
    settings: Mapping[str, str], options: tuple[str, ...], said: str
) -> None:
    """A real process gives a script the same stdout and stderr."""
    done = subprocess.run(
        [sys.executable, str(FLOWS / "parameterized_flow.py"), *options, "--json"],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert (done.returncode, found["exit_code"], found["state"]) == (2, 2, None)
    assert found["error"]["class"] == "UsageError"
    assert said in found["error"]["message"]
    assert done.stderr == f"Error: {found['error']['message']}\n"


def test_what_children_print_is_not_in_the_way(capfd: pytest.CaptureFixture[str]) -> None:
    """Both a library that prints and a process that inherits stdout write to stderr."""
    from orchestration.output import stdout_to_stderr

    print("before")
    with stdout_to_stderr():
        print("a library")
        subprocess.run([sys.executable, "-c", "print('a child')"], check=True)
    print("after")
    out, err = capfd.readouterr()
    assert out.split() == ["before", "after"]
    assert "a library" in err
    assert "a child" in err


class Terminal(io.StringIO):
    """A terminal with a keyboard."""

    def isatty(self) -> bool:
        """Report that somebody can answer."""
        return True


def test_a_question_is_asked_on_stderr_and_answered_as_usual(
    place: Path, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal it is a usage error; "no" gives a plan, "yes" removes."""
    from drop_months import _question, drop_months
    from etl_web_to_gcs import etl_web_to_gcs

    publish(place, "2020-10", ["10.5"])
    assert command(etl_web_to_gcs, *OCTOBER, "--source", source(place)).code == 0
    options = ("--color", "green", "--months", "2020-10", "--warehouse", "", "--json")
    drop = partial(command, drop_months, *options, confirm=_question)

    def answer(keyboard: io.StringIO) -> tuple[Said, dict[str, Any]]:
        monkeypatch.setattr(sys, "stdin", keyboard)
        said = drop()
        return said, json.loads(said.out)

    _, nobody = answer(io.StringIO())
    assert nobody["exit_code"] == 2
    assert nobody["error"]["remedies"] == ["run again with --yes"]
    assert nobody["months"][0]["status"] == "to be dropped"
    refused, no = answer(Terminal("n\n"))
    assert "Remove green 2020-10 for good?" in refused.err
    assert (no["exit_code"], no["state"], no["months"]) == (0, "Planned", nobody["months"])
    _, ended = answer(Terminal(""))
    assert (ended["exit_code"], ended["state"]) == (1, "Planned")
    _, yes = answer(Terminal("y\n"))
    assert (yes["exit_code"], yes["state"]) == (0, "Completed")
    assert [month["status"] for month in yes["months"]] == ["dropped"]
    assert not (place / "bucket/data/green/green_tripdata_2020-10.parquet").exists()


def test_files_have_a_record_each(place: Path, asked: Asked) -> None:
    """Rewriting needs a cluster, so this file is found but not due."""
    from check_for_files import check_for_files, record

    folder = place / "in"
    folder.mkdir()
    pq.write_table(
        pa.table({"hvfhs_license_num": ["HV0003"]}), folder / "fhvhv_tripdata_2021-01.parquet"
    )
    os.utime(folder / "fhvhv_tripdata_2021-01.parquet", (0, 0))
    options = ("--source", str(folder), "--sink", str(place / "out"))
    found = asked(check_for_files, *options, record=record)
    assert (found["exit_code"], found["state"]) == (0, "Skipped")
    (file,) = found["files"]
    assert file["file"] == "fhvhv_tripdata_2021-01.parquet"
    assert file["status"] == "unchanged"
    assert file["reason"]
    missing = asked(check_for_files, *options, "--pattern", "nothing*", record=record)
    assert (missing["exit_code"], missing["error"]["class"]) == (1, "NotPublished")
    assert "--skip-missing" in missing["error"]["remedies"][-1]


def test_covid_months_and_files(place: Path, asked: Asked) -> None:
    """The record has each month's totals, where the files are, and whether this run wrote them."""
    from covid_monthly import covid_monthly, record

    path = place / "edition.json"
    path.write_bytes(SMALL)
    first = asked(covid_monthly, "--url", str(path), record=record)
    again = asked(covid_monthly, "--url", str(path), record=record)
    assert (first["state"], first["written"]) == ("Completed", True)
    assert (again["state"], again["written"]) == ("Skipped", False)
    assert first["country"] == "Germany"
    lines = Path(first["csv"]).read_text().splitlines()[1:]
    assert [
        f"{m['month'].replace('-', '_')},{m['cases']},{m['deaths']}" for m in first["months"]
    ] == lines


def test_a_gif_is_reported_in_json(
    place: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record has its location, frames and bytes."""
    from image_to_gif import frames_to_gif, image_to_gif, record

    monkeypatch.chdir(place)
    (place / "images").write_bytes(image_file(2))
    options = ("--url", str(place / "images"), "--engine", "threads")
    found = asked(image_to_gif, *options, drawn=frames_to_gif, record=record)
    assert (found["exit_code"], found["frames"], found["written"]) == (0, 2, True)
    assert found["bytes"] == Path(found["gif"]).stat().st_size


def test_tidied_runs_are_counted(asked: Asked) -> None:
    """An empty database has none."""
    from tidy_runs import record, shown, tidy_runs

    found = asked(tidy_runs, "--keep-hours", "0", show=shown, record=record)
    counts = {"lost", "started_again", "containers_removed"}
    assert set(found) == {"exit_code", "state", "error", *counts}
    assert all(isinstance(found[name], int) for name in counts)


@pytest.mark.parametrize(
    "file",
    [file for file in sorted(FLOWS.glob("*.py")) if file.stem != "describe"],
    ids=lambda file: file.stem,
)
def test_each_command_has_fields_for_what_it_returns(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Months are the default; describe.py writes a declaration to stdout instead."""
    ran: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(cli, "run", lambda flow, *_, **front: ran.append((flow, front)))
    (main,) = [
        node
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.If) and "__main__" in ast.dump(node.test)
    ]
    exec(compile(ast.Module(main.body, []), file.name, "exec"), vars(import_module(file.stem)))
    ((flow, front),) = ran
    returns_months = "MonthResult" in flow.fn.__annotations__["return"]
    assert returns_months != ("record" in front)


def test_a_server_that_ends_during_a_run_is_a_reason(
    command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect's client raises what its connection raised; the run itself cannot report its end."""
    import httpx
    from prefect import Flow
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from etl_web_to_gcs import etl_web_to_gcs

    def ended(*_: object, **__: object) -> None:
        raise httpx.ConnectError("All connection attempts failed")

    monkeypatch.setattr(cli, "refuse_silent_server", lambda: None)
    monkeypatch.setattr(Flow, "__call__", ended)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:4200/api"}):
        said = command(etl_web_to_gcs, *OCTOBER, "--json")
    printed = json.loads(said.out)
    assert (said.code, printed["exit_code"], printed["state"]) == (1, 1, None)
    assert printed["error"]["message"] == (
        "Prefect's server at http://127.0.0.1:4200/api has stopped answering (All connection "
        "attempts failed); once it is back, the same command completes what is missing"
    )
