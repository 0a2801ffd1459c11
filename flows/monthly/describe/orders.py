"""Decides between the orders of day, month and year in which times can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monthly.convert.time_formats import halves_of
from monthly.describe.addresses import YearMonth
from monthly.describe.times import Form, Reading

#: Months of a year.
_YEAR = 12


def order_of(formats: Sequence[str]) -> str:
    """Return the order of day, month and year in formats, such as dmY; empty if they differ."""
    orders = {"".join(re.findall("%([dmyY])", halves_of(text)[0])) for text in formats}
    return orders.pop() if len(orders) == 1 else ""


def most_likely(form: Form, month: YearMonth | None, order: str) -> tuple[Reading, str]:
    """Return the reading of a form with the most times in the month, and what is uncertain."""
    number = month[0] * 12 + month[1] - 1 if month else None

    def rank(reading: Reading) -> tuple[int, int, int]:
        inside = reading.months[number] if number is not None else 0
        top = max(reading.months.values(), default=0)
        inside, top = (n if n * 2 > reading.good else 0 for n in (inside, top))
        return reading.good, inside, top

    ranked = sorted(form.readings, key=rank, reverse=True)
    if len(ranked) > 1 and rank(ranked[0]) == rank(ranked[1]):
        for reading in ranked:
            if order and order_of([reading.format]) == order and rank(reading) == rank(ranked[0]):
                return reading, ""
        formats = " and ".join(reading.format for reading in ranked)
        for reading in ranked:
            if _is_monthly(reading) and rank(reading) == rank(ranked[0]):
                why = "which makes them one a month, is assumed"
                return reading, f"Nothing decides between {formats}; {reading.format}, {why}."
        return ranked[0], f"Nothing in the file decides between {formats}."
    return ranked[0], ""


def _is_monthly(reading: Reading) -> bool:
    """Return whether no two of more than a year's times are in the same month."""
    return len(reading.months) == reading.good > _YEAR


def contradict(formats: Sequence[str]) -> bool:
    """Return whether two formats read the same texts differently."""
    parts = [
        tuple("".join(sorted(re.sub("%[dm]", "%d", half))) for half in halves_of(text))
        for text in formats
    ]
    return len({*parts}) < len(parts)
