"""Load four months in sequence and on a running Dask cluster, in one warm process.

    python dev/bench/four_months.py ADDRESS SOURCE WAREHOUSE ROUNDS

Prints the seconds of each run of the parent flow as JSON. Without a warehouse (""), it loads the
bucket only.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "flows"))

from parameterized_flow import etl_parent_flow

MONTHS = "2021-01:2021-04"


def main(address: str, source: str, warehouse: str, rounds: int) -> None:
    """Run both ways in turn; the first round warms up and does not count."""
    ways: dict[str, dict[str, Any]] = {
        "in sequence": {"engine": "threads", "workers": 1},
        "on two workers": {"engine": "dask", "cluster": address},
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, options in ways.items():
            took = _run(source=source, warehouse=warehouse, **options)
            if turn:
                seconds[way].append(took)
    print(json.dumps(seconds))


def _run(**options: Any) -> float:
    call: Any = etl_parent_flow
    started = time.perf_counter()
    lines = call("yellow", months=MONTHS, force=True, max_outside_share=1.0, **options)
    took = time.perf_counter() - started
    assert [line.status for line in lines] == ["loaded"] * 4  # noqa: S101 - or it measures nothing
    return took


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
