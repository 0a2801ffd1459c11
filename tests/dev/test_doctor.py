"""The doctor's answers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import doctor
from monthly.datasets import DATASETS


def test_the_months_of_all_datasets_count(
    monkeypatch: pytest.MonkeyPatch, prefect_server: None
) -> None:
    """A warehouse with months of one's own datasets alone is not empty."""
    warehouse = SimpleNamespace(name=lambda: "w", loaded=lambda dataset: {dataset: "checksum"})
    opened = SimpleNamespace(used=warehouse, origin="path")
    monkeypatch.setattr(doctor, "opened_warehouse", lambda name: opened)
    assert doctor._warehouse() == f"w answers (path), {len(DATASETS)} months"
