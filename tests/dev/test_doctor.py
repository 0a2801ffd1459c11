"""The doctor's answers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import doctor
from core import scratch
from core.errors import StorageError
from monthly.datasets import DATASETS


def test_the_months_of_all_datasets_count(
    monkeypatch: pytest.MonkeyPatch, prefect_server: None
) -> None:
    """A warehouse with months of one's own datasets alone is not empty."""
    warehouse = SimpleNamespace(name=lambda: "w", loaded=lambda dataset: {dataset: "checksum"})
    opened = SimpleNamespace(used=warehouse, origin="path")
    monkeypatch.setattr(doctor, "opened_warehouse", lambda name: opened)
    assert doctor._warehouse() == f"w answers (path), {len(DATASETS)} months"


def test_a_scratch_folder_that_runs_refuse_is_not_ok(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRIPS_SCRATCH", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    me = os.getuid()
    (tmp_path / f"trips-scratch-{me}").mkdir()
    monkeypatch.setattr(scratch, "this_user", lambda: str(me))
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with pytest.raises(StorageError, match="belongs to another user"):
        doctor._scratch()
