"""The benchmark keeps its figures for each machine, and lists those that became worse."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).absolute().parents[2] / "dev" / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    for name in ("past_runs", "figure"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.usefixtures("bench")
def test_a_figure_worse_by_more_than_five_percent_is_named(tmp_path: Path) -> None:
    """Seconds may fall and a speed-up may rise; figures of another machine do not count."""
    import past_runs
    from figure import Figure

    def run(seconds: float, faster: float, memory: float) -> list[Figure]:
        return [
            Figure("a month", seconds, "s", "", ok=True),
            Figure("times as fast", faster, "x", ">= 8", ok=True),
            Figure("times as fast as others", faster, "x", "", ok=True),
            Figure("peak", memory, "MB", "<= 250", ok=True),
        ]

    path = tmp_path / "data" / "history.jsonl"
    assert past_runs.worse(run(1.0, 8.0, 200.0), past_runs.last_run(path, "mine")) == []
    past_runs.append(path, "2026-01-01", "mine", run(1.0, 10.0, 200.0))
    past_runs.append(path, "2026-01-02", "mine", run(2.0, 8.0, 100.0))
    past_runs.append(path, "2026-01-03", "other", run(0.1, 99.0, 1.0))
    before = past_runs.last_run(path, "mine")
    assert past_runs.worse(run(2.09, 7.65, 104.9), before) == []
    assert past_runs.worse(run(1.0, 9.0, 50.0), before) == []
    assert past_runs.worse(run(2.2, 7.2, 106.0), before) == [
        "worse by 10%: a month, 2.00 -> 2.20 s",
        "worse by 10%: times as fast, 8.00 -> 7.20 x",
        "worse by 10%: times as fast as others, 8.00 -> 7.20 x",
        "worse by 6%: peak, 100.00 -> 106.00 MB",
    ]
