"""Repair a folder and a DuckDB file in forks, which may be killed before any of their changes.

python -m fakes.killed_while_repairing; see fakes/forks.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakes.forks import serve
from fakes.stacks import local


def repaired(job: dict[str, Any]) -> dict[str, Any]:
    """Repair the faults; return why it stopped, and the faults that remain."""
    with local(Path(job["root"])) as stack:
        failures = [str(error) for error in stack.repair() if error]
        return {"failures": failures, "left": stack.faults()}


if __name__ == "__main__":
    serve(repaired)
