"""Every way that the benchmark compares does its job, on a month of a thousand rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from trips.months import Month
from trips.sample import write_sample

BENCH = Path(__file__).absolute().parents[2] / "bench"


@pytest.mark.parametrize("name", ["zoomcamp", "ours", "parse", "write"])
def test_a_way_brings_every_row(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    import ways

    source = tmp_path / "yellow_tripdata_2021-01.csv.gz"
    write_sample(Month("yellow", 2021, 1), source, 1000)
    (tmp_path / "out").mkdir()
    assert getattr(ways, name)(source, tmp_path / "out")() == 1000
