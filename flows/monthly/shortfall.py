"""The shortfall of a run over months: months that failed, and months that are held."""

from __future__ import annotations

from collections.abc import Sequence

from monthly.result import MonthResult, Voice


def shortfall(lines: Sequence[MonthResult]) -> str:
    """Count the months that failed or are held, such as `1 of 12 months failed, 2 held`."""
    counts = {
        "failed": sum(line.is_failed for line in lines),
        "held": sum(line.is_held for line in lines),
    }
    said = [f"{count} {word}" for word, count in counts.items() if count]
    return ", ".join(said).replace(" ", f" of {len(lines)} months ", 1)


def complaint(lines: Sequence[MonthResult], voice: Voice) -> str:
    """Count the months that failed or are held, and name the reason of each."""
    odd = [line for line in lines if line.is_failed] + [line for line in lines if line.is_held]
    named = "; ".join(f"{line.month}: {voice(line.reason, line.remedies)}" for line in odd)
    return f"{shortfall(lines)}: {named}"
