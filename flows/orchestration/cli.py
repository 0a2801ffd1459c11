"""Flows as commands: parameters as options, results as tables, failures in one line."""

from __future__ import annotations

import gc
import inspect
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from gzip import GzipFile
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args, get_type_hints

import typer
from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.logging.configuration import setup_logging
from prefect.utilities.callables import parameter_docstrings

from core.errors import Remedy, TripsError, UsageError, page_of
from monthly.result import MonthResult, table
from orchestration.flow_results import error_of, keep_tracebacks
from orchestration.graph import draw
from orchestration.interrupts import ended_by_ctrl_c
from orchestration.prefect_server import refuse_silent_server
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
    app_of(flow, show, drawn, confirm)()


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

    def command(*, traceback: bool, graph: Path | None = None, **parameters: Any) -> None:
        if graph and drawn:
            _draw(drawn, graph)
            return
        _refuse_silent_server()
        if traceback:
            keep_tracebacks()
        else:
            _hide_tracebacks()
        _hide_prefects_noise()
        _collect_seldom()
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
    code = 2 if isinstance(error, UsageError) else 1
    _end(on_command_line(error.message, error.remedies), filter(None, [error.page]), code)


def _end(reason: str, pages: Iterable[str], code: int = 1) -> NoReturn:
    sys.stdout.flush()
    print(f"Error: {reason}", file=sys.stderr)
    for page in pages:
        print(f"Help: {page}", file=sys.stderr)
    raise typer.Exit(code)


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
    traceback = inspect.Parameter(
        "traceback",
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[bool, typer.Option("--traceback", help="Show where a failure arose.")],
    )
    graph = inspect.Parameter(
        "graph",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            Path | None,
            typer.Option(help="Draw the tasks into this file (svg, png, pdf) and run nothing."),
        ],
    )
    return inspect.Signature([*options, *([graph] if can_be_drawn else []), traceback])


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


def _collect_seldom() -> None:
    """Make Python's garbage collector run rarely in a short-lived process.

    While it starts its API, Prefect creates about a million objects that live until the end.
    Scanning them repeatedly takes a tenth of the whole command's time.
    """
    gc.freeze()
    gc.set_threshold(50_000)


def _hide_prefects_noise() -> None:
    """Hide harmless messages that Prefect's own API prints when it runs in a flow's process."""
    # Printed by the very first run, which creates the database.
    warnings.filterwarnings("ignore", "Skipped unsupported reflection")
    # Google's libraries, which Prefect imports, print this on Python 3.10.
    warnings.filterwarnings("ignore", "You are using a non-supported Python version")
    # Python 3.13 finalizes the API's gzip streams again after they were closed.
    shown = sys.unraisablehook
    sys.unraisablehook = lambda found: None if type(found.object) is GzipFile else shown(found)


def _hide_tracebacks() -> None:
    """Print failures without their traceback."""
    setup_logging()
    for name in ("", "prefect"):
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(_WithoutTraceback(handler.formatter or logging.Formatter()))


class _WithoutTraceback(logging.Formatter):
    """A formatter that works on a copy: the record sent to the server keeps its traceback."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        """Return the formatted record, with the exception in one line."""
        if not record.exc_info:
            return self._formatter.format(record)
        short = logging.makeLogRecord(record.__dict__ | {"exc_info": None, "exc_text": None})
        short.msg, short.args = f"{record.getMessage()} {record.exc_info[1]}", None
        return self._formatter.format(short)
