"""Flows as commands: parameters as options, results as tables, failures in one line."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
import typer
from prefect import Flow
from prefect.client.schemas.objects import State

from core.errors import Remedy, TripsError, UsageError, page_of
from monthly.month import Month
from monthly.price_words import PlannedMonths, price_text, public_price
from monthly.result import MonthResult, failed_month, public_record, table
from monthly.shortfall import shortfall
from monthly.verify.findings import Verdict
from orchestration.caching_client import use_caching_client
from orchestration.embedded_api import tune_embedded_api
from orchestration.exit_codes import UNCHECKED, ExitCode
from orchestration.flow_results import error_of, keep_tracebacks
from orchestration.graph import draw
from orchestration.interrupts import ended_by_ctrl_c
from orchestration.options import signature_of
from orchestration.output import Failure, print_json, stdout_to_stderr, wants_json
from orchestration.prefect_server import noticing_its_end, refuse_silent_server
from orchestration.terminal import collect_seldom, hide_noise, show_own_lines
from orchestration.wording import advice_on_command_line, on_command_line

Show = Callable[[Any], str]
#: Converts a flow's result to fields of the object that --json prints.
Record = Callable[[Any], Mapping[str, Any]]
#: Prefect stores parameters as JSON, whose integers orjson limits to 64 bits.
_LARGEST = 2**63 - 1
#: Takes the state of a run, and the parameters that it ran with.
Report = Callable[[State[Any], Mapping[str, Any]], None]


def run(
    flow: Flow[..., Any],
    show: Show | None = None,
    drawn: Flow[..., Any] | None = None,
    confirm: Show | None = None,
    record: Record | None = None,
) -> None:
    """Run a flow with the options of the command line, and exit with code 1 if it fails.

    Args:
        flow: the flow; its parameters become options, documented by its docstring.
        show: formats the flow's result as text; a table of its months by default.
        drawn: see `app_of`.
        confirm: see `app_of`.
        record: converts the flow's result to the fields that --json prints; by default those of
            its months.
    """
    if wants_json(sys.argv[1:]):
        _run_for_json(flow, drawn, confirm, record or months_record)
    failure = _failure(app_of(flow, partial(_print, show), drawn, confirm))
    sys.stdout.flush()
    if failure:
        failure.tell()
    sys.exit(failure.code if failure else ExitCode.DONE)


def _run_for_json(
    flow: Flow[..., Any], drawn: Flow[..., Any] | None, confirm: Show | None, record: Record
) -> NoReturn:
    """Run a flow with only its result on stdout, as one JSON object."""
    runs: list[tuple[State[Any], Mapping[str, Any]]] = []
    with stdout_to_stderr():
        failure = _failure(app_of(flow, lambda *run: runs.append(run), drawn, confirm))
        if failure:
            failure.tell()
    state, fields = (runs[-1][0].name, _fields(*runs[-1], record)) if runs else (None, {})
    print_json(state, failure, fields)
    sys.exit(failure.code if failure else ExitCode.DONE)


def _failure(app: typer.Typer) -> Failure | None:
    """Run a command and return why it failed, or None."""
    try:
        return app(standalone_mode=False) or None  # --help returns 0
    except click.ClickException as error:
        return Failure.of(UsageError(" ".join(error.format_message().split())))
    except TripsError as error:
        return Failure.of(error)
    except typer.Abort:  # Ctrl-C, or the end of the input, at a question
        return Failure("stopped: the question was not answered")


def app_of(
    flow: Flow[..., Any],
    report: Report,
    drawn: Flow[..., Any] | None = None,
    confirm: Show | None = None,
) -> typer.Typer:
    """Return the command of a flow, which returns why it failed, or None.

    Args:
        flow: the flow; its parameters become options, documented by its docstring.
        report: tells the result of a run.
        drawn: the flow whose graph the option --graph draws instead of running; None to omit
            the option.
        confirm: turns the flow's result into a question, empty for none; if the user answers
            yes, the flow runs again with its parameter `yes`.

    Raises:
        TripsError: called as a command, nothing ran.
    """

    def command(
        *,
        traceback: bool,
        verbose: bool,
        json: bool,  # read by `run`, for the errors of other options too
        graph: Path | None = None,
        **parameters: Any,
    ) -> Failure | None:
        if graph and drawn:
            draw(drawn, graph)
            print(f"drawn: {graph}")
            return None
        refuse_silent_server()
        _set_up_log(traceback, verbose)
        collect_seldom()
        tune_embedded_api()
        use_caching_client()
        state = _reported(flow, parameters, report)
        if confirm and not parameters["yes"] and state.is_completed():
            if not _confirmed(confirm(state.result())):
                return None
            state = _reported(flow, {**parameters, "yes": True}, report)
        return _failure_of(state) if state.is_failed() or state.is_crashed() else None

    command.__signature__ = signature_of(flow, drawn is not None)  # type: ignore[attr-defined] # what typer reads
    about = inspect.cleandoc(flow.fn.__doc__ or "").split("\n\nArgs:")[0]
    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command(help=about)(command)
    return app


def _reported(flow: Flow[..., Any], parameters: Mapping[str, Any], report: Report) -> State[Any]:
    _refuse_large_numbers(parameters)
    call: Any = flow  # its overloads for return_state do not hold for any flow
    with ended_by_ctrl_c(), noticing_its_end():
        state: State[Any] = call(**parameters, return_state=True)
    report(state, parameters)
    return state


def _refuse_large_numbers(parameters: Mapping[str, Any]) -> None:
    """Raise for a number that Prefect cannot store with the run."""
    for name, value in parameters.items():
        if isinstance(value, int) and abs(value) > _LARGEST:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} {value} does not fit in 64 bits; write a smaller number")


def _print(show: Show | None, state: State[Any], parameters: Mapping[str, Any]) -> None:
    """Print the result of a flow: months as a table, anything else as `show` formats it."""
    result = state.result(raise_on_failure=False)
    if isinstance(result, MonthResult):
        result = [result]
    if isinstance(result, list):
        lines = [replace(line, where=_from_here(line.where)) for line in result]
        text = show(lines) if show else table(lines, on_command_line)
        print(_from_here("\n".join([text, *price_text(result)])))
    elif show and not isinstance(result, BaseException | State):
        print(_from_here(show(result)))


def _fields(state: State[Any], parameters: Mapping[str, Any], record: Record) -> Mapping[str, Any]:
    """Return the result of a flow as fields of a JSON object; none if it failed as a whole."""
    result = state.result(raise_on_failure=False)
    if not isinstance(result, BaseException | State):
        return record(result)
    error = error_of(state)
    if isinstance(error, UsageError) or not {"color", "year", "month"} <= parameters.keys():
        return {}
    month = Month(*(parameters[name] for name in ("color", "year", "month")))
    return months_record(failed_month(month, error))


def months_record(result: Any) -> Mapping[str, Any]:
    """Return the months that a flow returned as `months`, and the price of a plan as `price`."""
    lines = result if isinstance(result, list) else [result]
    months = {"months": [public_record(line, advice_on_command_line) for line in lines]}
    if not isinstance(result, PlannedMonths):
        return months
    return months | {"price": public_price(result.price) if result.price else None}


def _confirmed(question: str) -> bool:
    """Ask on a terminal; elsewhere, fail and name the option that answers."""
    if not question:
        return False
    if not sys.stdin.isatty():
        nobody = f"cannot ask {question!r} without a terminal"
        raise UsageError(nobody, Remedy("yes", True))
    sys.stdout.flush()
    return typer.confirm(question)


def _set_up_log(traceback: bool, verbose: bool) -> None:
    if traceback:
        keep_tracebacks()
    if not verbose:
        show_own_lines(traceback)
    hide_noise()


def _failure_of(state: State[Any]) -> Failure:
    """Return why a flow failed; its table has the reasons of single months or files."""
    lines, is_unchecked = state.result(raise_on_failure=False), state.name == UNCHECKED
    if not isinstance(lines, list):
        failure = Failure.of(error_of(state))
        return replace(failure, code=ExitCode.USAGE) if is_unchecked else failure
    pages = sorted({page_of(line.error) for line in lines if line.error} - {""})
    code = ExitCode.USAGE if is_unchecked else ExitCode.FAILED
    if isinstance(lines[0], MonthResult):
        return Failure(shortfall(lines), code, pages=tuple(pages))
    if isinstance(lines[0], Verdict):  # faulty and unchecked months are not failed ones
        return Failure(state.message or "", code, pages=tuple(pages))
    failed = sum(line.is_failed for line in lines)
    return Failure(f"{failed} of {len(lines)} files failed", code, pages=tuple(pages))


def _from_here(text: str) -> str:
    """Return the text with paths inside the current folder made relative."""
    here = Path.cwd()
    if here == here.parent:
        return text  # everything is inside the root
    # Only at the start of a path: from /data, s3://zoom/data/green is not a local file.
    return re.sub(rf"(?<!\S){re.escape(f'{here}{os.sep}')}", "", text)
