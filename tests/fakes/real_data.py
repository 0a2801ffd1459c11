"""Find the real published files for the tests that read them; they are never copied."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def real_folder() -> Path:
    """Return the folder of real files; skip the test if there is none."""
    folder = Path(os.environ.get("TLC_REAL_DATA") or _BESIDE)
    if not (folder / "ANSWERS.json").is_file():
        pytest.skip(f"no real files in {folder}; name their folder in TLC_REAL_DATA")
    return folder


def real_file(name: str) -> Path:
    """Return one real file; skip the test if it is absent."""
    path = real_folder() / name
    if not path.is_file():
        pytest.skip(f"the real file {path} is absent")
    return path


def answers(name: str) -> Any:
    """Return the reference answers of an independent tool for a real file."""
    return _all_answers(real_folder())[name]


@cache
def _all_answers(folder: Path) -> Any:
    return json.loads((folder / "ANSWERS.json").read_text())
