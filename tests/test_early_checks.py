"""Usage errors that a command finds before it imports Prefect."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from monthly import month
from orchestration import early_checks
from orchestration.early_checks import COMMANDS, refuse_early

FLOWS = Path(__file__).absolute().parents[1] / "flows"


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("parameterized_flow.py", ["--months", "2020-13"], "yellow: month 13 is not between"),
        ("parameterized_flow.py", ["--months=2020-12:2020-10"], "'2020-12:2020-10' is not a range"),
        ("parameterized_flow.py", ["--months", "2"], None),
        ("parameterized_flow.py", ["--months", "due"], None),
        ("parameterized_flow.py", ["--source", "dtcc"], "no source is named 'dtcc' (did you mean"),
        ("parameterized_flow.py", ["--months", "13", "--help"], None),
        ("parameterized_flow.py", ["--color", "purple", "--months", "13"], None),
        ("etl_web_to_gcs.py", ["--color", "green", "--month", "0"], "month 0 is not between"),
        ("etl_web_to_gcs.py", ["--color", "GREEN", "--year", "2012"], "green"),
        ("etl_web_to_gcs.py", ["--month", "ten"], None),
        ("etl_web_to_gcs.py", [], None),
        ("drop_months.py", [], None),
        ("history.py", ["--months", "2020-13"], "yellow: month 13 is not between"),
        ("covid_monthly.py", ["--months", "13"], None),
        ("history.py", ["--color", "fhv", "--year", "2022"], None),
    ],
)
def test_an_invalid_option_is_one_line_and_exit_code_2(
    command: str, arguments: list[str], said: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parser or the flow decides what the early check cannot."""
    if said is None:
        refuse_early(command, arguments)
        return
    with pytest.raises(SystemExit) as ended:
        refuse_early(command, arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert said in line


@pytest.mark.parametrize(
    ("command", "arguments", "option"),
    [
        ("parameterized_flow.py", [], "--months 2024-03"),
        ("history.py", ["--month", "2024-03"], "--months 2024-03"),
        ("etl_web_to_gcs.py", ["--source", "web"], "--year 2024 --month 3"),
    ],
)
def test_a_default_month_before_a_datasets_first_one_is_not_what_the_user_named(
    command: str,
    arguments: list[str],
    option: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The error asks for a month instead of complaining about one that nobody named."""
    young = SimpleNamespace(first_month=(2024, 3))
    for module in (early_checks, month):
        monkeypatch.setattr(module, "dataset", lambda name: young)
    with pytest.raises(SystemExit):
        refuse_early(command, ["--color", "green", *arguments])
    said = f"Error: green: name a month from 2024-03 on, such as {option}\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"first_run.py"}))  # has no months
def test_its_defaults_are_those_of_the_flow(command: str) -> None:
    """`months` is the exception, because any value serves to check a source."""
    name = command.removesuffix(".py")
    flow = getattr(import_module(name), {"parameterized_flow": "etl_parent_flow"}.get(name, name))
    known = inspect.signature(flow.fn).parameters
    defaults = {name: value for name, value in COMMANDS[command].items() if name != "months"}
    assert {name: str(known[name].default) for name in defaults} == defaults


@pytest.mark.parametrize(
    ("month", "variables", "said"),
    [
        ("2020-13", {}, "month 13 is not between"),
        ("2020-12", {"TRIPS_HOST_REQUESTS": "0"}, "TRIPS_HOST_REQUESTS '0' is not a number"),
    ],
)
def test_no_prefect_is_imported_for_it(month: str, variables: dict[str, str], said: str) -> None:
    """Importing Prefect takes seconds; -X importtime lists the imports."""
    command = [sys.executable, "-X", "importtime", str(FLOWS / "parameterized_flow.py")]
    done = subprocess.run(
        [*command, "--months", month],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
    assert "monthly.datasets" in done.stderr
    assert "prefect.flows" not in done.stderr
