"""The buckets and warehouses that flows use by default."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from core.errors import UsageError
from orchestration import block_kinds, block_registry

VARIABLES = {
    block_registry: ("SOURCE", "BUCKET", "WAREHOUSE", "DATA"),
    block_kinds: ("BQ_DATASET", "BQ_LOCATION"),
}


def read_anew(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load a module as a new process would."""
    assert module.__file__
    spec = spec_from_file_location("destinations_read_anew", module.__file__)
    assert spec
    assert spec.loader
    found = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, found)  # where dataclasses look for it
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("module", VARIABLES, ids=lambda module: module.__name__)
def test_an_empty_variable_counts_as_unset(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables are empty in a copy of .env.example that a shell or `--env-file` has read."""
    names = VARIABLES[module]
    for name in names:
        monkeypatch.delenv(f"TRIPS_{name}", raising=False)
    unset = read_anew(module, monkeypatch)
    for name in names:
        monkeypatch.setenv(f"TRIPS_{name}", "")
    empty = read_anew(module, monkeypatch)
    assert [getattr(empty, name) for name in names] == [getattr(unset, name) for name in names]
    assert getattr(empty, "EMBEDDED", None) == getattr(unset, "EMBEDDED", None)


@pytest.mark.parametrize(
    ("open_it", "field", "address"),
    [
        (block_kinds._s3, "bucket_name", "s3://taxi/zoom"),
        (block_kinds._gcs, "bucket", "gs://taxi/zoom"),
    ],
)
def test_an_address_is_not_the_name_of_a_bucket(open_it: Any, field: str, address: str) -> None:
    with pytest.raises(UsageError, match=f"bucket is '{address}', .* only its name, taxi, and"):
        open_it(SimpleNamespace(**{field: address}))
