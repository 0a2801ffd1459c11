"""The grid of a dataset: years down, months across, a symbol for each month."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monthly.catalog.contents import Mark
from monthly.month import Month

_MONTHS = range(1, 13)


def grid_text(marks: Mapping[Month, Mark]) -> str:
    """Return the grid as lines of text."""
    head = " ".join(["    ", *(f"{number:>2}" for number in _MONTHS)])
    lines = [
        " ".join([f"{year:04}", *(f"{cell:>2}" for cell in cells)]).rstrip()
        for year, cells in _years(marks, None)
    ]
    return "\n".join([head, *lines])


def grid_markdown(marks: Mapping[Month, Mark], shown: Month | None = None) -> str:
    """Return the grid as a Markdown table; the month `shown` is in bold."""
    rows = [f"| {year:04} | {' | '.join(cells)} |" for year, cells in _years(marks, shown)]
    head = " | ".join(f"{number:02}" for number in _MONTHS)
    return "\n".join([f"| | {head} |", f"|---|{':-:|' * 12}", *rows])


def legend(marks: Iterable[Mark]) -> str:
    """Return the meaning of the marks in use, one a line."""
    used = {*marks}
    return "\n".join(f"{mark.symbol} {mark.value}: {mark.meaning}" for mark in Mark if mark in used)


def legend_markdown(marks: Iterable[Mark]) -> str:
    """Return the meaning of the marks in use, as a Markdown paragraph."""
    used = {*marks}
    said = (f"`{mark.symbol}` {mark.value}: {mark.meaning}" for mark in Mark if mark in used)
    return "; ".join(said)


def _years(marks: Mapping[Month, Mark], shown: Month | None) -> Iterable[tuple[int, list[str]]]:
    """Yield each year with the symbols of its months, a blank for one outside the grid."""
    symbols = {
        (month.year, month.month): f"**{mark.symbol}**" if month == shown else mark.symbol
        for month, mark in marks.items()
    }
    for year in range(min(symbols)[0], max(symbols)[0] + 1) if symbols else ():
        yield year, [symbols.get((year, number), "") for number in _MONTHS]
