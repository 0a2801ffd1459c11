"""One line of the benchmark's result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the result: a measurement, and the most or the least that it may be."""

    what: str
    value: float
    unit: str
    target: str
    ok: bool
