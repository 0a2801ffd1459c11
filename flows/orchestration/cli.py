"""Flows as commands: parameters as options, results as tables, failures in one line."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args, get_type_hints

import click
import typer
from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.utilities.callables import parameter_docstrings

from core.errors import Remedy, TripsError, UsageError, page_of
from monthly.result import MonthResult, table
from orchestration.exit_codes import ExitCode
from orchestration.flow_results import error_of, keep_tracebacks
from orchestration.graph import draw
from orchestration.interrupts import ended_by_ctrl_c
from orchestration.prefect_server import refuse_silent_server
from orchestration.terminal import collect_seldom, hide_noise, show_own_lines
from orchestration.wording import on_command_line

Show = Callable[[Any], str]


def run(
    flow: Flow[..., Any],
    show: Show | None = None,
    drawn: Flow[..., Any] | None = None,
    confirm: Show | None = None,
) -> None:
    """Run a flow with the options of the command line, and exit with code 1 if it fails.

    See `app_of` for the arguments.
    """
    app = app_of(flow, show, drawn, confirm)
    try:
        sys.exit(app(standalone_mode=False))
    except click.ClickException as error:
        _fail(UsageError(" ".join(error.format_message().split())))
    except typer.Abort:  # Ctrl-C, or the end of the input, at a question
        sys.exit(1)


def app_of(
    flow: Flow[..., Any],
    show: Show | None = None,
    drawn: Flow[..., Any] | None = None,
    confirm: Show | None = None,
) -> typer.Typer:
    """Return the command of a flow.

    Args:
        flow: the flow; its parameters become options, documented by its docstring.
        show: formats the flow's result as text; a table of its months by default.
        drawn: the flow whose graph the option --graph draws instead of running; None to omit
            the option.
        confirm: turns the flow's result into a question, empty for none; if the user answers
            yes, the flow runs again with its parameter `yes`.
    """

    def command(
        *, traceback: bool, verbose: bool, graph: Path | None = None, **parameters: Any
    ) -> None:
        if graph and drawn:
            _draw(drawn, graph)
            return
        _refuse_silent_server()
        _set_up_log(traceback, verbose)
        collect_seldom()
        call: Any = flow  # its overloads for return_state do not hold for any flow
        with ended_by_ctrl_c():
            state: State[Any] = call(**parameters, return_state=True)
        _show(state, show)
        if confirm and not parameters["yes"] and state.is_completed():
            if not _confirmed(confirm(state.result())):
                return
            with ended_by_ctrl_c():
                state = call(**{**parameters, "yes": True}, return_state=True)
            _show(state, show)
        if state.is_failed() or state.is_crashed():
            _fail_as(state)

    command.__signature__ = _signature(flow, drawn is not None)  # type: ignore[attr-defined] # what typer reads
    about = inspect.cleandoc(flow.fn.__doc__ or "").split("\n\nArgs:")[0]
    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command(help=about)(command)
    return app


def _show(state: State[Any], show: Show | None) -> None:
    """Print the result of a flow: months as a table, anything else as `show` formats it."""
    result = state.result(raise_on_failure=False)
    if isinstance(result, MonthResult):
        result = [result]
    if isinstance(result, list):
        result = [replace(line, where=_from_here(line.where)) for line in result]
        print(_from_here(show(result) if show else table(result, on_command_line)))
    elif show and not isinstance(result, BaseException | State):
        print(_from_here(show(result)))


def _confirmed(question: str) -> bool:
    """Ask on a terminal; elsewhere, fail and name the option that answers."""
    if not question:
        return False
    if not sys.stdin.isatty():
        nobody = f"{question} There is no terminal to answer on"
        _fail(UsageError(nobody, Remedy("yes", True)))
    sys.stdout.flush()
    return typer.confirm(question)


def _draw(flow: Flow[..., Any], path: Path) -> None:
    try:
        draw(flow, path)
    except TripsError as error:
        _fail(error)
    print(f"drawn: {path}")


def _refuse_silent_server() -> None:
    try:
        refuse_silent_server()
    except UsageError as error:
        _fail(error)


def _set_up_log(traceback: bool, verbose: bool) -> None:
    if traceback:
        keep_tracebacks()
    if not verbose:
        show_own_lines(traceback)
    hide_noise()


def _fail_as(state: State[Any]) -> NoReturn:
    """End as a flow did; its table has the reasons of single months or files."""
    lines = state.result(raise_on_failure=False)
    if not isinstance(lines, list):
        _fail(error_of(state))
    failed = [line for line in lines if line.is_failed]
    what = "months" if isinstance(lines[0], MonthResult) else "files"
    pages = sorted({page_of(line.error) for line in failed} - {""})
    _end(f"{len(failed)} of {len(lines)} {what} failed", pages)


def _fail(error: TripsError) -> NoReturn:
    """Print an error; exit with code 2 if a parameter is to blame."""
    said = on_command_line(error.message, error.remedies)
    if isinstance(error, UsageError):
        _end(said, code=ExitCode.USAGE)
    _end(said, filter(None, [error.page]))


def _end(reason: str, pages: Iterable[str] = (), code: ExitCode = ExitCode.FAILED) -> NoReturn:
    sys.stdout.flush()
    print(f"Error: {reason}", file=sys.stderr)
    for page in pages:
        print(f"Help: {page}", file=sys.stderr)
    sys.exit(code)


_SWITCHES = {
    "traceback": "Show where a failure arose.",
    "verbose": "Show Prefect's own log lines too.",
}


def _signature(flow: Flow[..., Any], can_be_drawn: bool) -> inspect.Signature:
    helps = parameter_docstrings(flow.fn.__doc__)
    types = get_type_hints(flow.fn)
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=parameter.default,
            annotation=Annotated[
                _option_type(types[name]),
                typer.Option(
                    *_spellings(name), help=_one_line(helps.get(name, "")), case_sensitive=False
                ),
            ],
        )
        for name, parameter in inspect.signature(flow.fn).parameters.items()
    ]
    switches = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[bool, typer.Option(f"--{name}", help=about)],
        )
        for name, about in _SWITCHES.items()
    ]
    graph = inspect.Parameter(
        "graph",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            Path | None,
            typer.Option(help="Draw the tasks into this file (svg, png, pdf) and run nothing."),
        ],
    )
    return inspect.Signature([*options, *([graph] if can_be_drawn else []), *switches])


def _spellings(name: str) -> list[str]:
    """Return the spellings of an option that has more than one; else Typer makes it."""
    return ["--color", "--dataset"] if name == "color" else []


def _option_type(annotation: Any) -> Any:
    """Return the type of an option: a union that includes str becomes str on the command line."""
    return str if str in get_args(annotation) else annotation


def _from_here(text: str) -> str:
    """Return the text with paths inside the current folder made relative."""
    here = Path.cwd()
    if here == here.parent:
        return text  # everything is inside the root
    # Only at the start of a path: from /data, s3://zoom/data/green is not a local file.
    return re.sub(rf"(?<!\S){re.escape(f'{here}{os.sep}')}", "", text)


def _one_line(text: str) -> str:
    return " ".join(text.split())
