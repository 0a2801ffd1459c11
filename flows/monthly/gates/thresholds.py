"""The thresholds of the gates: how far a month may be from its history."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import UsageError

#: How to write the parameter.
_WRITE = 'write it like {"nulls": {"warn": 0.1, "hold": 0.3}}, null for never'

Limit = Annotated[float, Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Gate(_Table):
    """The thresholds of one gate; one that is left out keeps its default."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))

    warn: Limit = Field(description="above it a month is loaded with a warning; inf for never")
    hold: Limit = Field(description="above it a month is held; inf for never")


def _gate(warn: float, hold: float, what: str) -> Any:
    return Field(default=Gate(warn=warn, hold=hold), description=f"a table, warn and hold: {what}")


class Gates(_Table):
    """How far a month may be outside the range of the twelve before it.

    Rows and amounts are judged by a factor, shares by a difference.
    """

    rows_rise: Gate = _gate(2, 4, "rows, as a multiple of the maximum; a number such as 2")
    rows_fall: Gate = _gate(15, 25, "rows, as a factor below the minimum; a number such as 3")
    amount_rise: Gate = _gate(
        2, 4, "sum of the amount, as a multiple of the maximum; a number such as 2"
    )
    amount_fall: Gate = _gate(
        15, 25, "sum of the amount, as a factor below the minimum; a number such as 3"
    )
    mean_rise: Gate = _gate(
        2, 2.5, "mean of the amount, as a multiple of the maximum; a number such as 1.5"
    )
    mean_fall: Gate = _gate(
        2, 2.5, "mean of the amount, as a factor below the minimum; a number such as 1.5"
    )
    nulls: Gate = _gate(0.5, 0.9, "share of nulls in a column, above the maximum; from 0 to 1")
    outside: Gate = _gate(
        0.05, 0.2, "share of times outside the month, above the maximum; from 0 to 1"
    )
    rejected: Gate = _gate(0.005, 0.05, "share of rejected rows, above the maximum; from 0 to 1")
    duplicates: Gate = _gate(0.02, 0.2, "share of duplicates, above the maximum; from 0 to 1")
    changed: Gate = _gate(0.1, 0.25, "share of the rows that a correction changes; from 0 to 1")

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        known = {name: field.default for name, field in cls.model_fields.items()}
        return {n: _complete(known[n], each) if n in known else each for n, each in given.items()}


def _complete(default: Gate, given: Any) -> Any:
    """Return both thresholds of a gate; a default is adjusted to fit a given one."""
    if not isinstance(given, Mapping):
        return given
    warn, hold = given.get("warn", default.warn), given.get("hold", default.hold)
    if isinstance(warn, float | int) and isinstance(hold, float | int):
        warn = warn if "warn" in given else min(warn, hold)
        hold = hold if "hold" in given else max(warn, hold)
    return {**given, "warn": warn, "hold": hold}


def contradictions(gates: Gates) -> Iterator[tuple[str, str]]:
    """Yield the gates whose hold threshold is below warn, and what is wrong with them."""
    for name, gate in gates:
        if gate.warn > gate.hold:
            yield name, f"warns above {gate.warn:g}, but holds above {gate.hold:g}; lower warn"


def thresholds_of(declared: Gates, given: str | Mapping[str, Any]) -> Gates:
    """Return the declared thresholds, overridden by those of a parameter.

    Args:
        declared: the dataset's.
        given: a table of gates, or its JSON: {"nulls": {"hold": 0.3}}; null for never.

    Raises:
        UsageError: it is not JSON, has an unknown gate, or a threshold that is not a number.
    """
    tables: dict[str, Any] = {name: gate.model_dump() for name, gate in declared}
    for name, table in _parsed(given).items():
        known = getattr(declared, name) if name in tables else None
        tables[name] = _complete(known, _never(table)) if known else table
    try:
        gates = Gates.model_validate(tables)
    except ValidationError as error:
        raise _meant(error) from error
    for name, message in contradictions(gates):
        raise UsageError(f"thresholds: {name} {message}")
    return gates


def _parsed(given: str | Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        tables = json.loads(given or "{}") if isinstance(given, str) else given
    except ValueError as error:
        raise UsageError(f"thresholds {given!r} is not JSON ({error}); {_WRITE}") from error
    if not isinstance(tables, Mapping):
        raise UsageError(f"thresholds {given!r} is not a table of gates; {_WRITE}")
    return tables


def _never(table: Any) -> Any:
    if not isinstance(table, Mapping):
        return table
    return {key: math.inf if value is None else value for key, value in table.items()}


def _meant(error: ValidationError) -> UsageError:
    """Return the first fault of a parameter, reworded as a usage error."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] != "extra_forbidden":
        return UsageError(f"thresholds: {where} is {first['input']!r}; {_WRITE}")
    names = Gates.model_fields if len(first["loc"]) == 1 else Gate.model_fields
    near = difflib.get_close_matches(str(first["loc"][-1]), list(names), 1)
    guess = f"did you mean {near[0]}?" if near else f"write one of {', '.join(names)}"
    return UsageError(f"thresholds: {where} does not exist; {guess}")
