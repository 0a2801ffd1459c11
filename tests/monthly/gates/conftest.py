"""A month that is loaded, and its published file, which was replaced by another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.storage.bucket import FolderBucket
from fakes.gated_month import NEW, OLD, bring
from fakes.one_month import publish


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "published" / "yellow.csv.gz"


@pytest.fixture
def bucket(tmp_path: Path, source: Path) -> FolderBucket:
    """A bucket with the month, whose file was then replaced by another one."""
    there = FolderBucket(tmp_path / "bucket")
    publish(source, OLD)
    assert bring(source, there) == "loaded"
    publish(source, NEW)
    return there
