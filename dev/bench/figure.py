"""One line of the benchmark's result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the result: what was measured, and what it must not exceed or fall below."""

    what: str
    value: float
    unit: str
    target: str
    ok: bool
