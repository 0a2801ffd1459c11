"""Write the section on flows: their parameters, with types, defaults and help."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from prefect import Flow
from prefect.utilities.callables import parameter_docstrings

from reference.markdown import code, one_line, prose, shown, table

_FOLDER = Path(__file__).absolute().parents[2] / "flows"
_INTRODUCTION = """\
A parameter is `max_reject_share` in the UI and in Python, and the option `--max-reject-share 0.01`
on the command line. One that is yes or no is a pair of options, `--strict` and `--no-strict`.
"""
_WORDS = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "yes or no",
    list: "list",
    dict: "JSON object",
    NoneType: "empty",
}


def section() -> str:
    """Describe every flow of the commands in flows/."""
    found = sorted(flows(), key=lambda pair: pair[1].name)
    return "\n".join([_INTRODUCTION, *(_described(file, flow) for file, flow in found)])


def flows() -> Iterator[tuple[Path, Flow[..., Any]]]:
    """Yield the flows of all commands, with the command's file."""
    for file in sorted(_FOLDER.glob("*.py")):
        module = import_module(file.stem)
        for found in vars(module).values():
            if isinstance(found, Flow) and found.fn.__module__ == module.__name__:
                yield file, found


def _described(file: Path, flow: Flow[..., Any]) -> str:
    about = inspect.cleandoc(flow.fn.__doc__ or "").split("\n\nArgs:")[0]
    entrypoint = f"Entrypoint: `flows/{file.name}:{flow.fn.__name__}`"
    rows = table(("parameter", "description", "type", "default"), _parameters(flow))
    return f"### {flow.name}\n\n{prose(about)}\n{entrypoint}\n\n{rows}"


def _parameters(flow: Flow[..., Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the cells of each parameter.

    Raises:
        KeyError: the docstring does not explain a parameter.
    """
    helps = parameter_docstrings(flow.fn.__doc__)
    types = get_type_hints(flow.fn, include_extras=True)
    for name, parameter in inspect.signature(flow.fn).parameters.items():
        about = one_line(helps[name]).replace(" - ", ": ")  # Prefect would split it at a colon
        yield code(name), about, kind(types[name]), shown(parameter.default)


def kind(annotation: Any) -> str:
    """Return a parameter's type in words, with the values that it accepts."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return f"{kind(arguments[0])}{_bounds(arguments[1].json_schema_extra)}"
    if origin is Literal:
        return ", ".join(map(shown, arguments))
    if origin in (Union, UnionType):
        return " or ".join(map(kind, arguments))
    return _WORDS[origin or annotation]


def _bounds(schema: dict[str, Any]) -> str:
    least, most = schema["minimum"], schema.get("maximum")
    return f", {least} or more" if most is None else f", {least} to {most}"
