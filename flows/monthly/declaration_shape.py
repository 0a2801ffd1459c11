"""Checks the shape of a declaration: keys that are missing, unknown or of the wrong type."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError as Refused

from monthly.declaration import Declaration
from monthly.toml_lines import Path

if TYPE_CHECKING:
    from jsonschema import ValidationError


@dataclass(frozen=True)
class Fault:
    """One fault of a declaration.

    Attributes:
        path: the key.
        message: what is wrong with it and what is expected.
    """

    path: Path
    message: str


def faults_of_shape(declared: Mapping[str, Any], refused: Refused) -> Iterator[Fault]:
    """Yield the keys that are missing, unknown or of the wrong type.

    Args:
        declared: the parsed declaration.
        refused: the models' validation error, which does not name keys inside a union.
    """
    # Imported here because only an invalid declaration needs it.
    from jsonschema import Draft202012Validator

    errors = list(Draft202012Validator(Declaration.model_json_schema()).iter_errors(declared))
    for error in errors:
        for inner in _inner(error):
            yield from _faults_of(tuple(inner.absolute_path), inner)
    # JSON does not distinguish 2 from 2.0, so the schema misses these.
    for each in () if errors else refused.errors():
        yield Fault(each["loc"], f"is {each['input']!r}; write {_described(each['loc'])}")


def _inner(error: ValidationError) -> list[ValidationError]:
    """Return the errors inside a table that may take several forms, else the error itself."""
    if not isinstance(error.instance, dict):
        return [error]
    inner = [e for e in error.context or () if e.absolute_path != error.absolute_path]
    return inner or [e for e in error.context or () if e.validator != "type"] or [error]


def _faults_of(path: Path, error: ValidationError) -> Iterator[Fault]:
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    properties, there = schema.get("properties", {}), cast(Any, error.instance)
    if error.validator == "additionalProperties":
        for key in there.keys() - properties.keys():
            yield Fault((*path, key), f"is not a key here{near(key, properties)}")
    elif error.validator == "required":
        for key in schema["required"]:
            if key not in there:
                yield Fault((*path, key), f"is missing; write {properties[key]['description']}")
    else:
        text = schema.get("description") or _described(path)
        choices = schema.get("enum", text.split(", ") if path[-1:] == ("type",) else ())
        guess = near(str(there), [str(choice) for choice in choices])
        yield Fault(path, f"is {_shown(there)}; write {text}{guess}")


def _described(path: Path) -> str:
    """Return the description of the innermost key of a path that has one."""
    schema: Any = Declaration.model_json_schema()
    definitions, text = schema["$defs"], ""
    for part in path:
        schema = schema.get("properties", {}).get(part) or schema.get("additionalProperties") or {}
        text = schema.get("description", text)
        for inner in [schema, *schema.get("anyOf", ())]:
            if "$ref" in inner:
                schema = definitions[inner["$ref"].rpartition("/")[2]]
    return str(text)


def _shown(value: object) -> str:
    text = "a table" if isinstance(value, dict) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def near(key: str, known: Collection[str]) -> str:
    """Return a guess at what a misspelt key means; empty if there is none."""
    found = difflib.get_close_matches(key, list(known), 1)
    return f", did you mean {found[0]}?" if found else ""
