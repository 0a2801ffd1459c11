"""The buckets and warehouses that flows use by default."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest

from orchestration import block_registry

VARIABLES = ("SOURCE", "BUCKET", "WAREHOUSE", "BQ_DATASET", "BQ_LOCATION", "DATA")


def read_anew(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the module as a new process would."""
    spec = spec_from_file_location("destinations_read_anew", block_registry.__file__)
    assert spec
    assert spec.loader
    found = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, found)  # where dataclasses look for it
    spec.loader.exec_module(found)
    return found


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are empty in a copy of .env.example that a shell or `--env-file` has read."""
    for name in VARIABLES:
        monkeypatch.delenv(f"TRIPS_{name}", raising=False)
    unset = read_anew(monkeypatch)
    for name in VARIABLES:
        monkeypatch.setenv(f"TRIPS_{name}", "")
    empty = read_anew(monkeypatch)
    assert [getattr(empty, name) for name in VARIABLES] == [
        getattr(unset, name) for name in VARIABLES
    ]
    assert empty.EMBEDDED == unset.EMBEDDED
