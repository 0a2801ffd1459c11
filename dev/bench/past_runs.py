"""The benchmark's history: a JSON line for each figure of each run on each machine."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from figure import Figure

#: Figures that are worse by more than this share are reported.
TOLERANCE = 0.05


def machine_name() -> str:
    """Return the machine's name and processor, on which the figures depend."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not on Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (
        f"{platform.node()}, {len(models) or '?'} x {models[0] if models else platform.machine()}"
    )


def append(path: Path, date: str, machine: str, figures: Sequence[Figure]) -> None:
    """Add a run to the history."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for figure in figures:
            run = {"date": date, "machine": machine, "figure": figure.what}
            result = {"value": figure.value, "unit": figure.unit, "target": figure.target}
            file.write(json.dumps(run | result) + "\n")


def last_run(path: Path, machine: str) -> dict[str, float]:
    """Return the latest value of each figure on a machine; empty if there is no history."""
    return {each["figure"]: each["value"] for each in _records(path) if each["machine"] == machine}


def worse(figures: Iterable[Figure], before: Mapping[str, float]) -> list[str]:
    """Return a line for each figure that is worse than before by more than the tolerance."""
    return [
        f"worse by {_loss(figure, before[figure.what]):.0%}: {figure.what}, "
        f"{before[figure.what]:.2f} -> {figure.value:.2f} {figure.unit}"
        for figure in figures
        if figure.what in before and _loss(figure, before[figure.what]) > TOLERANCE
    ]


def _loss(figure: Figure, before: float) -> float:
    """Return by what share a figure is worse; lower is better, except for gains in speed."""
    change = (figure.value - before) / abs(before) if before else 0.0
    is_gain = figure.target.startswith(">=") or "times as fast" in figure.what
    return -change if is_gain else change


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)
