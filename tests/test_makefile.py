"""What make prints before it installs anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).absolute().parents[1]


needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
#: Without the variables that make passes to its children, as these tests run under make.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


@needs_make
def test_a_home_that_cannot_be_created_is_named_with_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = str(tmp_path / "file" / "home")
    done = subprocess.run(
        ["make", home],
        cwd=PROJECT,
        env=ENVIRONMENT | {"PREFECT_HOME": home},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert line.startswith(f"Error: {home} cannot be created; ")
    assert line.endswith("export PREFECT_HOME=FOLDER TRIPS_DATA=FOLDER")


@needs_make
@pytest.mark.parametrize(
    ("version", "refused"),
    [((3, 9, 19), True), ((3, 10, 0), False), ((3, 13, 9), False), ((3, 14, 0), True)],
)
def test_a_python_outside_the_range_gets_one_line_and_no_environment(
    tmp_path: Path, version: tuple[int, ...], refused: bool
) -> None:
    """The line names the range, what was found, and what to try."""
    python = tmp_path / "python"
    other = f"import sys; sys.version_info = {version}; exec(sys.argv[-1])"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{other}" "$2"\n')
    python.chmod(0o755)
    target = "run" if refused else "python-version"  # `run` would install for the others
    command = ["make", "--no-print-directory", target, f"PYTHON={python}", f"VENV={tmp_path}/v"]
    done = subprocess.run(
        command, cwd=PROJECT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("make: ")]
    found = f"{version[0]}.{version[1]}"
    hint = f"Python 3.10 to 3.13 is needed, {python} is {found}; try make run PYTHON=python3.12"
    assert (said, done.stdout) == ([hint] if refused else [], "")
    assert (done.returncode != 0) == refused
    assert {path.name for path in tmp_path.iterdir()} == {"python"}
