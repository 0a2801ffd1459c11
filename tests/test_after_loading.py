"""The code in docs/after-loading.md runs as a reader would run it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.storage.bucket import FolderBucket
from fakes.entries import entry_of
from monthly.convert.to_parquet import convert
from monthly.ledger import object_key, write_entry
from monthly.month import Month
from monthly.sample import write_sample
from orchestration.block_registry import EMBEDDED_BUCKET

PROJECT = Path(__file__).absolute().parents[1]
PAGE = PROJECT / "docs" / "after-loading.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
#: The environment that the Makefile creates from dev/readers-requirements.txt.
READERS = Path(sys.prefix, "readers", "bin", "python")
OCTOBER = Month("green", 2020, 10)
pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with the flows and, in its default bucket, the month that the page reads."""
    store = FolderBucket(tmp_path / "data" / "bucket")
    write_sample(OCTOBER, tmp_path / "october.csv.gz", 1_000)
    found = convert(OCTOBER, tmp_path / "october.csv.gz", tmp_path)
    store.upload(found.path, object_key(OCTOBER))
    entry = entry_of(OCTOBER, object_key=object_key(OCTOBER), object_sha256=found.sha256)
    write_entry(store, OCTOBER, entry, None)
    (tmp_path / "flows").symlink_to(PROJECT / "flows")
    return tmp_path


def test_three_lines_of_each_library_read_the_bucket(project: Path) -> None:
    pandas, polars, duckdb, _ = SNIPPETS
    assert re.search(r"^1\.0 +\d+\.\d+$", printed(READERS, pandas, project), re.MULTILINE)
    assert "2020-10-01 ┆ " in printed(READERS, polars, project)
    assert re.search(r"2020-10-01 +│ +\d+\.\d+", printed(READERS, duckdb, project))


def test_a_notebook_opens_a_month(project: Path) -> None:
    *_, notebook = SNIPPETS
    assert EMBEDDED_BUCKET == "local-bucket/zoom"
    assert "count    1000.0" in printed(Path(sys.executable), notebook, project)


def printed(python: Path, code: str, folder: Path) -> str:
    """Run code in a folder; return its output."""
    done = subprocess.run([python, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
