"""Judging a month: which of its figures are outside the range of its own history."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from monthly.dataset import term
from monthly.datasets import DATASETS
from monthly.gates.thresholds import Gate, Gates
from monthly.ledger import Entry

#: The fewest months that a figure is compared with.
ENOUGH = 3
#: Figures that are shares; the others are judged by a factor.
_SHARES = ("nulls", "outside", "rejected", "duplicates")


class Figure(NamedTuple):
    """A figure to compare, of a month or of one of its columns."""

    name: str
    column: str = ""

    def __str__(self) -> str:
        """Return the figure in words, such as `share of nulls of VendorID`."""
        return _WORDS[self.name].format(column=self.column)


_WORDS = {
    "rows": "rows",
    "amount": "sum of {column}",
    "mean": "mean of {column}",
    "nulls": "share of nulls of {column}",
    "outside": "share of rows outside the month",
    "rejected": "share of rejected rows",
    "duplicates": "share of duplicates",
}


@dataclass(frozen=True)
class Finding:
    """A figure beyond a threshold of its gate.

    Attributes:
        gate: name of the gate.
        beyond: how far beyond the range it is, in the gate's unit: a factor or a share.
        limit: the threshold that it exceeds.
        is_held: whether it holds the month, or only warns.
        text: what was found, in words.
    """

    gate: str
    beyond: float
    limit: float
    is_held: bool
    text: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Finding:
        """Return the finding that `to_json` wrote."""
        beyond = math.inf if record["beyond"] is None else record["beyond"]
        return cls(**{**record, "beyond": beyond})

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON types, which have no infinity."""
        return asdict(self) | {"beyond": self.beyond if math.isfinite(self.beyond) else None}


def judge(entry: Entry, history: Sequence[Entry], gates: Gates) -> list[Finding]:
    """Return the figures of a month that are outside the range of its history.

    Args:
        entry: the month.
        history: months of the same kind; a figure that fewer than `ENOUGH` have is not judged.
        gates: the thresholds.
    """
    known = [figures_of(each) for each in history]
    is_first = all(each.year_month > entry.year_month for each in history)
    found: list[Finding] = []
    for figure, value in figures_of(entry).items():
        if is_first and figure.name == "nulls":
            continue  # earlier months lack columns that publishers started to fill later
        past = [each[figure] for each in known if figure in each]
        if len(past) >= ENOUGH:
            found += _of_figure(figure, value, past, gates, is_first)
    return found


def figures_of(entry: Entry) -> dict[Figure, float]:
    """Return the figures of a month that are compared with its history."""
    quality, words = entry.quality, DATASETS[entry.dataset].words
    rows = max(entry.rows_written, 1)
    shares = {
        Figure("rows"): float(entry.rows_written),
        Figure("rejected"): entry.rows_rejected / max(entry.rows_read, 1),
    }
    for name, key in (("outside", f"{term(words.time)}_outside_month"), ("duplicates",) * 2):
        count = quality.get(key)
        if isinstance(count, int):
            shares[Figure(name)] = count / rows
    return shares | dict(_of_nulls(entry, rows)) | dict(_of_amount(entry))


def _of_nulls(entry: Entry, rows: int) -> Iterator[tuple[Figure, float]]:
    """Yield the share of nulls of the columns that the published file has and should fill."""
    nulls = _nulls(entry)
    absent = {*entry.drift.get("missing", ()), *entry.drift.get("unknown", ())}
    declared = DATASETS[entry.dataset].columns
    for column in declared:
        if column.name not in absent and not column.derived and not column.sparse:
            yield Figure("nulls", column.name), nulls.get(column.name, 0) / rows


def _of_amount(entry: Entry) -> Iterator[tuple[Figure, float]]:
    dataset = DATASETS[entry.dataset]
    amount, total = dataset.roles.amount, entry.quality.get(term(dataset.words.amount))
    if not amount or not isinstance(total, int | float):
        return
    yield Figure("amount", amount), float(total)
    if count := entry.rows_written - _nulls(entry).get(amount, 0):
        yield Figure("mean", amount), total / count


def _nulls(entry: Entry) -> Mapping[str, int]:
    nulls = entry.quality.get("nulls")
    return nulls if isinstance(nulls, Mapping) else {}


def _of_figure(
    figure: Figure, value: float, past: Sequence[float], gates: Gates, is_first: bool
) -> Iterator[Finding]:
    least, most = min(past), max(past)
    if figure.name in _SHARES:
        gate, beyond = figure.name, value - most
        how = f"{100 * beyond:.1f} points above the maximum"
    else:
        name, beyond = _factor(value, least, most)
        below = f"a factor of {beyond:.4g} below the minimum" if value else "unlike any"
        how = f"{beyond:.4g} times the maximum" if name == "rise" else below
        # Compared with later months, a value that has fallen since counts as a rise.
        gate = f"{figure.name}_{_MIRRORED[name] if is_first else name}"
    limits: Gate = getattr(gates, gate)
    if beyond > limits.warn:
        shown = _shown(figure, value), *(_shown(figure, x) for x in (least, most))
        usual = f"{shown[1]} to {shown[2]}, median {_shown(figure, statistics.median(past))}"
        text = f"{figure} {shown[0]}, {how} of {len(past)} months ({usual})"
        yield finding(gate, beyond, limits, text)


_MIRRORED = {"rise": "fall", "fall": "rise"}


def _factor(value: float, least: float, most: float) -> tuple[str, float]:
    """Return whether a value is above or below a range, and by what factor; 0 inside it.

    If the sign differs, there is no ratio: the distance from the range is used, as a multiple of
    the largest value.
    """
    if least <= value <= most:
        return "rise", 0.0
    if 0 <= value < least or most < value <= 0:
        nearest = least if value < least else most
        return "fall", nearest / value if value else math.inf
    distance, scale = max(value - most, least - value), max(abs(least), abs(most))
    return "rise", 1 + distance / scale if scale else 0.0


def finding(gate: str, beyond: float, limits: Gate, text: str) -> Finding:
    """Return the finding for a figure beyond the lower threshold of a gate."""
    is_held = beyond > limits.hold
    limit = limits.hold if is_held else limits.warn
    said = f"{text}; {gate} {'holds' if is_held else 'warns'} above {limit:g}"
    return Finding(gate, beyond, limit, is_held, said)


def _shown(figure: Figure, value: float) -> str:
    if figure.name in _SHARES:
        return f"{value:.1%}"
    return f"{value:,.0f}" if figure.name == "rows" else f"{value:,.2f}"
