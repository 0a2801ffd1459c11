"""The options of a flow's command, from the flow's parameters and docstring."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer
from prefect import Flow
from prefect.utilities.callables import parameter_docstrings

_SWITCHES = {
    "traceback": "Show where a failure arose.",
    "verbose": "Show Prefect's own log lines too.",
    "json": "Print the result as one JSON object on stdout, and everything else on stderr.",
}
_GRAPH = typer.Option(help="Draw the tasks into this file (svg, png, pdf) and run nothing.")


def signature_of(flow: Flow[..., Any], can_be_drawn: bool) -> inspect.Signature:
    """Return the signature of a flow's command, from which Typer makes its options.

    Args:
        flow: the flow; its docstring explains each option.
        can_be_drawn: whether there is an option to draw its tasks.
    """
    graph = [_option("graph", None, Path | None, _GRAPH)] if can_be_drawn else []
    switches = [
        _option(name, False, bool, typer.Option(f"--{name}", help=about))
        for name, about in _SWITCHES.items()
    ]
    return inspect.Signature([*_parameters(flow), *graph, *switches])


def _parameters(flow: Flow[..., Any]) -> Iterator[inspect.Parameter]:
    helps, types = parameter_docstrings(flow.fn.__doc__), get_type_hints(flow.fn)
    for name, parameter in inspect.signature(flow.fn).parameters.items():
        about = " ".join(helps.get(name, "").split())
        option = typer.Option(*_spellings(name), help=about, case_sensitive=False)
        yield _option(name, parameter.default, _type_of(types[name]), option)


def _option(name: str, default: object, kind: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _spellings(name: str) -> list[str]:
    """Return the spellings of an option that has more than one; else Typer makes it."""
    return ["--color", "--dataset"] if name == "color" else []


def _type_of(annotation: Any) -> Any:
    """Return the type of an option: a union that includes str becomes str on the command line."""
    return str if str in get_args(annotation) else annotation
