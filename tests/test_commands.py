"""What a command prints, tested within this process; tests/test_cli.py starts real ones."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path

import pytest

from fakes.in_process import Commands
from test_flows import publish, source

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


def test_a_month_is_shown_as_a_table_with_paths_from_here(
    place: Path, monkeypatch: pytest.MonkeyPatch, command: Commands
) -> None:
    """It has month, status, counts and location; a path inside the current folder is relative."""
    from etl_web_to_gcs import etl_web_to_gcs

    publish(place, "2020-10", ["10.5", "4"])
    monkeypatch.chdir(place)
    options = ("--color", "green", "--year", "2020", "--month", "10", "--source", source(place))
    said = command(etl_web_to_gcs, *options)
    assert said.code == 0
    head, _, row = said.out.splitlines()[:3]
    assert head.split() == [
        "month",
        "status",
        "read",
        "written",
        "rejected",
        "bytes",
        "seconds",
        "where",
    ]
    assert row.split()[:6] == ["green", "2020-10", "loaded", "2", "2", "0"]
    assert row.split()[-1] == "bucket/data/green/green_tripdata_2020-10.parquet"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{here}/bucket/a -> {here}/trips.duckdb", "bucket/a -> trips.duckdb"),
        ("written: {here}/a.csv\n{here}/b", "written: a.csv\nb"),
        ("s3://zoom{here}/green.parquet", "s3://zoom{here}/green.parquet"),
        ("{here}-old/bucket/a", "{here}-old/bucket/a"),
    ],
)
def test_only_a_path_from_its_beginning_on_is_one_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, shown: str
) -> None:
    """An address stays whole even if its key contains the name of the current folder."""
    from orchestration import cli

    monkeypatch.chdir(tmp_path)
    assert cli._from_here(text.format(here=tmp_path)) == shown.format(here=tmp_path)


def test_from_the_root_an_address_keeps_its_slashes(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration import cli

    monkeypatch.chdir("/")
    text = "/srv/bucket/a -> gs://zoom/a, from https://host/a"
    assert cli._from_here(text) == text


def test_a_failed_month_ends_in_one_line_and_exit_code_1(place: Path, command: Commands) -> None:
    """The table shows results and reasons; the last lines count them."""
    from parameterized_flow import etl_parent_flow

    publish(place, "2020-10", ["10.5"])
    (place / "web/green_tripdata_2020-11.csv").write_text("Not,a,header\n1,2,3\n")
    options = ("--color", "green", "--months", "2020-10:2020-11", "--source", source(place))
    printed = command(etl_parent_flow, *options, "--no-report")
    assert printed.code == 1
    assert "green 2020-10  loaded" in printed.out
    assert "green 2020-11  failed" in printed.out
    assert printed.out.count("green 2020-11: failed: ") == 1
    assert printed.err.strip().splitlines()[-2:] == [
        "Error: 1 of 2 months failed",
        "Help: docs/troubleshooting.md#schemaerror",
    ]
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("option", [(), ("--traceback",)], ids=["", "asked"])
def test_a_traceback_is_printed_if_it_is_asked_for(
    place: Path, command: Commands, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...]
) -> None:
    from etl_web_to_gcs import etl_web_to_gcs
    from orchestration import flow_results, terminal

    monkeypatch.setattr(flow_results._Plain, "off", False)
    printed = io.StringIO()
    monkeypatch.setattr(terminal.console(), "file", printed)
    (place / "web/green_tripdata_2020-10.csv").write_text("<!doctype html><html></html>")
    month = ("--color", "green", "--year", "2020", "--month", "10", "--source", source(place))
    assert command(etl_web_to_gcs, *month, *option).code == 1
    assert ("Traceback" in printed.getvalue()) == bool(option)


def test_a_wrong_option_is_one_line(command: Commands) -> None:
    """The error suggests similar options."""
    from etl_gcs_to_bq import etl_gcs_to_bq

    said = command(etl_gcs_to_bq, "--yaer", "2020")
    assert (said.code, said.err) == (2, "Error: No such option: --yaer Did you mean --year?\n")


def test_a_usage_error_is_one_line(place: Path, command: Commands) -> None:
    """A usage error found by the flow is one line too; nothing of its run is printed."""
    from etl_gcs_to_bq import etl_gcs_to_bq

    said = command(etl_gcs_to_bq, "--bucket", "file/x")
    assert (said.code, said.out) == (2, "")
    (line,) = said.err.splitlines()
    assert line.startswith("Error: bucket 'file/x' is neither a block that this project loads")
    assert line.endswith("; write a path as ./folder")
    said = command(etl_gcs_to_bq, "--warehouse", "taxi")
    assert said.err.endswith("; write a path as ./file.duckdb\n")


@pytest.mark.parametrize("limit", ["reject", "outside"])
@pytest.mark.parametrize(
    ("flow", "which", "months"),
    [
        ("etl_web_to_gcs", "green 2020-10", ["--year", "2020", "--month", "10"]),
        ("parameterized_flow", "green", ["--months", "2020-10"]),
    ],
)
def test_an_invalid_share_is_a_usage_error_before_anything_is_looked_up(
    flow: str, which: str, months: list[str], limit: str, command: Commands
) -> None:
    """The publisher is not asked: there is no such folder."""
    called = getattr(import_module(flow), flow.replace("parameterized_flow", "etl_parent_flow"))
    absent = "/nowhere/{color}_{year}-{month:02}.csv"
    options = ("--color", "green", *months, "--source", absent, f"--max-{limit}-share", "5")
    said = command(called, *options)
    assert (said.code, said.out) == (2, "")
    wrong = f"{which}: max_{limit}_share 5.0 is not a share of the rows; write it from 0 to 1, "
    assert said.err.startswith(f"Error: {wrong}")


def test_a_number_too_large_for_prefect_is_one_line(command: Commands) -> None:
    from parameterized_flow import etl_parent_flow

    said = command(etl_parent_flow, "--workers", str(2**63))
    assert (said.code, said.out) == (2, "")
    assert said.err == f"Error: --workers {2**63} does not fit in 64 bits; write a smaller number\n"


def test_help_explains_every_option_in_the_words_of_the_docstring(
    command: Commands,
) -> None:
    """Each option has its help, its choices and its default."""
    from etl_gcs_to_bq import etl_gcs_to_bq

    said = command(etl_gcs_to_bq, "--help")
    assert said.code == 0
    text = " ".join(said.out.split())
    assert "--color, --dataset [yellow|green|fhv|fhvhv|" in text
    assert "] Dataset, by the name of its declaration. [default: yellow]" in text
    warehouse = "--warehouse TEXT Block of the warehouse, as TYPE/NAME, or a DuckDB file. [default:"
    assert warehouse in text
    assert "--traceback Show where a failure arose." in text


def test_a_wrong_option_is_refused_before_anything_runs(command: Commands) -> None:
    """The error lists the choices."""
    from etl_gcs_to_bq import etl_gcs_to_bq

    said = command(etl_gcs_to_bq, "--color", "purple")
    assert said.code == 2
    assert "'purple' is not one of 'yellow', 'green', 'fhv', 'fhvhv'" in said.err
