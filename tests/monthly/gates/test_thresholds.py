"""Thresholds in a declaration and a parameter: what is accepted and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from core.errors import UsageError
from monthly.gates.policy import Policy
from monthly.gates.thresholds import Gate, Gates, thresholds_of


def test_a_parameter_overrides_one_threshold_of_the_declaration() -> None:
    declared = Gates.model_validate({"nulls": {"warn": 0.05, "hold": 0.2}})
    gates = thresholds_of(declared, '{"nulls": {"hold": 0.3}, "rows_rise": {"hold": null}}')
    assert gates.nulls == Gate(warn=0.05, hold=0.3)
    assert gates.rows_rise == Gate(warn=2, hold=math.inf)
    assert gates.rows_fall == declared.rows_fall


def test_a_table_does_the_same_as_its_json() -> None:
    table: dict[str, Any] = {"mean_rise": {"warn": 1.2, "hold": 3}}
    assert thresholds_of(Gates(), table).mean_rise == Gate(warn=1.2, hold=3)


@pytest.mark.parametrize(
    ("given", "gate"),
    [({"hold": 0.3}, Gate(warn=0.3, hold=0.3)), ({"warn": 0.95}, Gate(warn=0.95, hold=0.95))],
)
def test_the_default_of_one_threshold_gives_way_to_the_other(
    given: dict[str, float], gate: Gate
) -> None:
    assert Gates.model_validate({"nulls": given}).nulls == gate


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "thresholds '{' is not JSON"),
        ("[1]", "thresholds '[1]' is not a table of gates"),
        ('{"null": {"hold": 1}}', "null does not exist; did you mean nulls?"),
        ('{"x": {"hold": 1}}', "x does not exist; write one of rows_rise, rows_fall"),
        ('{"nulls": {"holds": 1}}', "nulls.holds does not exist; did you mean hold?"),
        ('{"nulls": 5}', "nulls is 5; write it like"),
        ('{"nulls": {"hold": "0.5"}}', "nulls.hold is '0.5'; write it like"),
        ('{"nulls": {"hold": -1, "warn": 0}}', "nulls.hold is -1; write it like"),
        ('{"nulls": {"hold": NaN, "warn": 0}}', "nulls.hold is nan; write it like"),
        ('{"nulls": {"warn": 0.2, "hold": 0.1}}', "nulls warns above 0.2, but holds above 0.1"),
    ],
)
def test_an_invalid_threshold_parameter_is_refused(given: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        thresholds_of(Gates(), given)
    assert said in str(refused.value)


def test_another_mode_is_refused() -> None:
    mode: Any = "strict"
    with pytest.raises(UsageError, match="gates 'strict': write hold, warn, off"):
        Policy.of("green", mode, "{}", False)
