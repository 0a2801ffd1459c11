"""A command prints some lines of the log."""

from __future__ import annotations

import inspect
import logging
from contextlib import suppress
from pathlib import Path

import prefect
import prefect.engine
import pytest
from prefect import flow, task

import etl_web_to_gcs
from core.errors import Conflict, SchemaError, Unreachable
from monthly.month import Month
from orchestration import flow_results, terminal
from orchestration.retries import can_pass, planned_again, replanning
from orchestration.stages import stage

ENGINE = str(Path(prefect.__file__).with_name("engine.py"))
OURS = str(Path(terminal.__file__).with_name("run_log.py"))


def record(path: str, level: int, function: str = "orchestrate_task_run") -> logging.LogRecord:
    return logging.LogRecord("prefect.task_runs", level, path, 1, "said", (), None, function)


@pytest.mark.parametrize(
    ("path", "level", "function", "shown"),
    [
        (OURS, logging.INFO, "emit", True),
        (OURS, logging.ERROR, "emit", True),
        (ENGINE, logging.INFO, "orchestrate_task_run", False),
        (ENGINE, logging.ERROR, "orchestrate_task_run", False),
        (ENGINE, logging.INFO, "_run_flow_hooks", False),
        (ENGINE, logging.ERROR, "_run_flow_hooks", True),
        (ENGINE, logging.WARNING, "begin_task_map", True),
    ],
)
def test_a_command_shows_the_projects_lines(
    path: str, level: int, function: str, shown: bool
) -> None:
    """Prefect's lines show problems only, except the failure that the command itself reports."""
    hide = terminal._OwnLines(tracebacks=False)
    assert hide.filter(record(path, level, function)) is shown


def test_with_tracebacks_failures_are_shown_where_they_arise() -> None:
    assert terminal._OwnLines(tracebacks=True).filter(record(ENGINE, logging.ERROR))


@pytest.mark.flow
def test_an_attempt_that_is_repeated_is_a_warning_that_is_shown(
    prefect_server: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise a run would wait in silence; the command itself reports the last attempt."""
    flow_results.install()

    @task(retries=2, retry_delay_seconds=0, retry_condition_fn=can_pass)
    def fail() -> None:
        raise Unreachable("it does not answer")

    @flow
    def run() -> None:
        fail()

    run(return_state=True)
    said = [each for each in caplog.records if each.getMessage().startswith("it does not answer")]
    shown = terminal._OwnLines(tracebacks=False).filter
    assert [
        (each.levelname, each.getMessage(), shown(each))
        for each in said
        if each.name == "prefect.task_runs"
    ] == [
        ("WARNING", "it does not answer (attempt 1 of 3)", True),
        ("WARNING", "it does not answer (attempt 2 of 3)", True),
        ("ERROR", "it does not answer", False),
    ]


@task
def collide() -> None:
    """Fail like the task of a month that another run has changed."""
    raise Conflict("green 2020-10 was changed by another run; run again")


def said_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the levels and messages about what `collide` met."""
    found = [each for each in caplog.records if "was changed by another run" in each.getMessage()]
    return [(each.levelname, each.getMessage()) for each in found]


@pytest.mark.flow
def test_a_conflict_after_which_the_month_is_planned_again_is_a_warning(
    prefect_server: None, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not tell the user to run again; a second conflict is an error that does."""
    flow_results.install()

    @flow
    def run() -> None:
        planned_again(collide)

    run(return_state=True)
    changed = "green 2020-10 was changed by another run"
    failed = f"Finished in state Failed('Task run encountered an exception Conflict: {changed}"
    assert said_of(caplog)[:5] == [
        ("WARNING", f"{changed}; planning the month again"),
        ("WARNING", f"{failed}')"),
        ("INFO", f"{changed}; planning the month again"),
        ("ERROR", f"{changed}; run again"),
        ("ERROR", f"{failed}; run again')"),
    ]


@pytest.mark.flow
def test_a_conflict_of_a_month_that_is_not_planned_again_is_an_error(
    prefect_server: None, caplog: pytest.LogCaptureFixture
) -> None:
    """So is that of a report, which does not fail its month."""
    flow_results.install()

    def bring() -> None:
        with replanning(is_enabled=False), suppress(Conflict):
            collide()

    @flow
    def run() -> None:
        planned_again(bring)

    run(return_state=True)
    assert [level for level, _ in said_of(caplog)] == ["ERROR", "ERROR"]


@pytest.mark.flow
def test_the_end_of_a_stage_that_is_tried_again_is_a_warning(
    prefect_server: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPS_LOG", "json")

    @task(retries=1, retry_delay_seconds=0, retry_condition_fn=can_pass)
    @stage
    def load() -> None:
        raise Unreachable("it does not answer")

    @flow
    def run() -> None:
        load()

    run(return_state=True)
    said = [each for each in caplog.records if each.getMessage() == "load: Failed"]
    assert [each.levelname for each in said] == ["WARNING", "ERROR"]


@pytest.mark.parametrize("error", [Unreachable, SchemaError])
def test_an_attempt_that_is_not_repeated_is_not_shown(error: type[Exception]) -> None:
    """The command itself reports it."""
    said = record(ENGINE, logging.ERROR)
    said.exc_info = (error, error("it does not answer"), None)
    assert flow_results._Plain().filter(said)
    assert not terminal._OwnLines(tracebacks=False).filter(said)


def test_the_functions_whose_reports_are_hidden_are_those_of_prefect() -> None:
    for name in terminal.REPORTS:
        assert inspect.isfunction(getattr(prefect.engine, name))


def test_a_line_can_read_otherwise_on_a_terminal() -> None:
    """The server's log keeps the reason and the traceback."""
    said = record(OURS, logging.ERROR)
    said.terminal = "short"
    formatter = terminal._ForTerminal(logging.Formatter("%(levelname)s %(message)s"))
    assert formatter.format(said) == "ERROR short"
    assert said.getMessage() == "said"
    failed = record(OURS, logging.ERROR)
    failed.exc_info = (ValueError, ValueError("five"), None)
    assert formatter.format(failed) == "ERROR said five"
    assert failed.exc_info


def test_a_column_is_one_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A published name may have a line break, or characters that command a terminal."""
    monkeypatch.setattr(etl_web_to_gcs, "get_run_logger", logging.getLogger)
    with caplog.at_level(logging.INFO):
        etl_web_to_gcs.tell(Month("green", 2020, 10), {"kept": ["fee\n(USD)", "a\x1b[31m"]}, 0, 0)
    assert caplog.messages == ["green 2020-10: columns kept: fee (USD), a [31m"]
