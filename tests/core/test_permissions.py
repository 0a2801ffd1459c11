"""A lack of permission is an error that names the place and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.humble import humble

FLOWS = Path(__file__).absolute().parents[2] / "flows"
#: The code of each case, with `here` as its folder; prints what was raised.
_SCRIPT = """
import sys
from pathlib import Path
from core.errors import TripsError
here = Path(sys.argv[1])
try:
    {code}
except TripsError as error:
    print(f"{{type(error).__name__}}: {{error}}")
"""
_BUCKET = "from core.storage.bucket import FolderBucket; b = FolderBucket(here / '{}'); "
CLOSED, LOCKED = _BUCKET.format("closed"), _BUCKET.format("locked")
AROUND = "from core.storage.bucket import FolderBucket; b = FolderBucket(here.parent); "
_MONTH = "from monthly.month import Month; month = Month('green', 2020, 10); "
DUCKDB = "from monthly.warehouses.duckdb import DuckDBFile; w = DuckDBFile(here / 'locked/db'); "
USABLE = "from orchestration.paths import refuse_unusable; "
LOOK = "from monthly.sources import look; look(str(here / 'unlisted/x/{year_month}.csv'), month)"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    """Yield folders that cannot be entered, listed, or written to."""
    modes = {"closed": 0o000, "unlisted": 0o311, "locked": 0o555}
    for name in modes:
        (tmp_path / name).mkdir()
    (tmp_path / "unlisted" / "other").mkdir()
    for name in ("secret", "db"):
        (tmp_path / "locked" / name).write_bytes(b"x")
    (tmp_path / "locked" / "secret").chmod(0o000)
    (tmp_path / "locked" / "db").chmod(0o444)
    for name, mode in modes.items():
        (tmp_path / name).chmod(mode)
    yield tmp_path
    for name in modes:
        (tmp_path / name).chmod(0o755)


def said(here: Path, code: str, **environment: str) -> str:
    """Return the error message that the code raises; empty if it raises none."""
    done = subprocess.run(
        humble(sys.executable, "-c", _SCRIPT.format(code=code), str(here)),
        env=os.environ | {"PYTHONPATH": str(FLOWS)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("code", "place"),
    [
        (CLOSED + "b.info('a')", "closed/a"),
        (CLOSED + "b.read('a')", "closed/a"),
        (CLOSED + "b.files('')", "closed"),
        (CLOSED + "b.keys('data')", "closed/data"),
        (AROUND + "b.keys(here.name)", ""),
        (LOCKED + "b.etag('secret')", "locked/secret"),
        (LOCKED + "b.read_part('secret', 0, 1)", "locked/secret"),
        (LOCKED + "b.download('secret', here / 'copy')", "locked/secret"),
        (LOCKED + "b.delete('secret')", "locked/secret"),
    ],
    ids=["info", "read", "files", "keys", "keys below", "etag", "read_part", "download", "delete"],
)
def test_an_object_that_may_not_be_used_is_named_with_the_setting_of_its_bucket(
    here: Path, code: str, place: str
) -> None:
    """The error does not name the setting of the scratch folder, to which a download goes."""
    found = said(here, code)
    assert found.startswith(f"StorageError: cannot use {here / place}: [Errno 13] ")
    assert found.endswith("name another folder (TRIPS_DATA, or its block)")


def test_a_warehouse_without_write_permission_is_not_out_of_space(here: Path) -> None:
    found = said(here, _MONTH + DUCKDB + "w.drop(month)")
    assert found.startswith(f"StorageError: green 2020-10: {here / 'locked/db'} cannot be opened ")
    assert found.endswith(
        "correct its permissions, or name another path (TRIPS_DATA, or its block)"
    )
    assert "MB are free" not in found


@pytest.mark.parametrize("name", ["closed", "closed/bucket"])
def test_a_place_that_may_not_be_entered_is_refused_before_anything_runs(
    here: Path, name: str
) -> None:
    found = said(here, USABLE + f"refuse_unusable(here / '{name}', 'bucket b')")
    assert found.startswith(f"UsageError: bucket b: this user may not enter {here / 'closed'}; ")
    assert "TRIPS_DATA" in found
    assert said(here, USABLE + "refuse_unusable(here / 'locked', 'bucket b')") == ""


def test_a_scratch_folder_below_a_closed_one_is_named(here: Path) -> None:
    root = here / "closed" / "scratch"
    sweep = "from core.scratch import sweep_scratch; sweep_scratch()"
    found = said(here, sweep, TRIPS_SCRATCH=str(root))
    assert found.startswith(f"StorageError: cannot keep the files of a run in {root}: ")
    assert found.endswith("or name another folder (TRIPS_SCRATCH)")


def test_what_another_user_left_in_a_shared_scratch_folder_stays(here: Path) -> None:
    """Only its owner can remove it, and it does not stop other users' runs."""
    left = here / "green_tripdata_2020-10-01234567"
    left.mkdir()
    left.with_name(f"{left.name}.lock").touch(mode=0o000)
    assert (
        said(
            here, "from core.scratch import sweep_scratch; sweep_scratch()", TRIPS_SCRATCH=str(here)
        )
        == ""
    )
    assert left.is_dir()


def test_a_missing_file_in_a_folder_that_may_not_be_listed(here: Path) -> None:
    found = said(here, _MONTH + LOOK)
    assert found.startswith("NotPublished: green 2020-10: ")
    assert found.endswith(f"{here / 'unlisted'} has no x, and this user may not list what it has")
