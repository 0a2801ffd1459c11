"""A loaded month whose published file was then replaced."""

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
    """Return a bucket with the month, whose published file was then replaced."""
    there = FolderBucket(tmp_path / "bucket")
    publish(source, OLD)
    assert bring(source, there) == "loaded"
    publish(source, NEW)
    return there
