"""The verdicts of a verification as a table, as markdown, and as JSON types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from core.errors import Advice
from monthly.markdown import code, escaped
from monthly.result import Voice
from monthly.text_table import aligned
from monthly.verify.findings import Verdict

_HEAD = ("month", "verdict", "rows", "bytes", "read", "where")


def verdict_table(verdicts: Sequence[Verdict], voice: Voice) -> str:
    """Return a line for each month as a text table, then the reasons."""
    if not verdicts:
        return "nothing to verify"
    lines = aligned([_HEAD, *map(_cells, verdicts)], right=range(2, 4))
    reasons = [f"{v.month}: {said}" for v in verdicts for said in _reasons(v, voice)]
    return "\n".join([*lines, *(["", *reasons] if reasons else [])])


def verdict_markdown(verdicts: Sequence[Verdict], voice: Voice) -> str:
    """Return the same in markdown."""
    if not verdicts:
        return "Nothing to verify."
    head = ["| " + " | ".join(_HEAD) + " |", "|---|---|---:|---:|---|---|"]
    rows = ["| " + " | ".join(map(_cell, _cells(v))) + " |" for v in verdicts]
    reasons = [f"- {v.month}: {escaped(said)}" for v in verdicts for said in _reasons(v, voice)]
    return "\n".join([*head, *rows, *(["", *reasons] if reasons else [])])


def verdict_record(verdict: Verdict, worded: Callable[[Advice], str]) -> dict[str, Any]:
    """Return a verdict as flat JSON types for scripts; see docs/verify.md.

    Args:
        verdict: the verdict.
        worded: puts one remedy into words.
    """
    entry = verdict.entry
    return {
        "dataset": verdict.month.dataset,
        "month": verdict.month.year_month,
        "verdict": verdict.judgement.value,
        "faults": [
            {"kind": fault.kind.value, "what": fault.what, "where": fault.where}
            for fault in verdict.faults
        ],
        "unchecked": verdict.unchecked or None,
        "error": verdict.error or None,
        "rows": entry.rows_written if entry else None,
        "bytes": entry.loaded_size if entry else None,
        "read": verdict.is_read,
        "where": verdict.where,
        "steps": [step.value for step in verdict.steps],
        "repaired": verdict.is_repaired,
        "remedies": [worded(each) for each in verdict.advice],
    }


def _cells(verdict: Verdict) -> tuple[str, ...]:
    entry = verdict.entry
    counts = (f"{entry.rows_written:,}", f"{entry.loaded_size:,}") if entry else ("-", "-")
    said = verdict.judgement.value
    if verdict.is_repaired and not verdict.is_failed:
        said = "repaired"
    read = "full" if verdict.is_read else "-"
    return str(verdict.month), said, *counts, read, verdict.where or "-"


def _cell(text: str) -> str:
    return code(text) if "/" in text else escaped(text)


def _reasons(verdict: Verdict, voice: Voice) -> Iterator[str]:
    for fault in verdict.faults:
        yield f"{fault.kind.value}: {fault.where}: {fault.what}"
    if verdict.unchecked:
        advice = () if verdict.faults else verdict.advice
        yield voice(f"not checked: {verdict.unchecked}", advice)
    if verdict.steps:
        done = "done" if verdict.is_repaired else "to repair"
        yield f"{done}: {', then '.join(step.value for step in verdict.steps)}"
    if verdict.faults and verdict.advice:
        yield voice("not repaired", verdict.advice)
