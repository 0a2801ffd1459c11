"""Formats the price of a plan as text and as JSON types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from monthly.price import STAGES, Estimate, Need, Price
from monthly.result import MonthResult


class PlannedMonths(list[MonthResult]):
    """The months of a plan, and the price of its run.

    Attributes:
        price: the price; None if there is nothing to do.
    """

    price: Price | None = None

    @classmethod
    def of(cls, lines: list[MonthResult], price: Price | None) -> PlannedMonths:
        """Return the months with their price."""
        planned = cls(lines)
        planned.price = price
        return planned


def price_lines(price: Price) -> list[str]:
    """Return the price as lines of text."""
    queries = [_queries(price)] if price.queries else []
    warnings = [f"WARNING: {each}" for each in price.warnings]
    taken = {"to download": _download, "time": _time, "disk": _disk}
    return [*(f"{what}: {said(price)}" for what, said in taken.items()), *queries, *warnings]


def public_price(price: Price) -> dict[str, Any]:
    """Return the price as flat JSON types for scripts; see docs/operations.md."""
    return {
        "months": price.months,
        "bytes_to_download": price.download,
        "months_of_unknown_size": price.unknown,
        "workers": price.workers,
        "months_of_history": price.history,
        "seconds": _ends(price.total_seconds),
        "seconds_of_work": {stage: _ends(price.seconds.get(stage)) for stage in STAGES},
        "disk": {need.place: _ends(need.size) for need in price.needs},
        "bigquery": asdict(price.queries) if price.queries else None,
        "warnings": [*price.warnings],
    }


def _ends(found: Estimate | None) -> list[float] | None:
    return [round(found.least, 1), round(found.most, 1)] if found else None


def _download(price: Price) -> str:
    unknown = f", and {price.unknown} of {_months(price.months)} of unknown size"
    return f"{price.download:,} bytes" + (unknown if price.unknown else "")


def _time(price: Price) -> str:
    total = price.total_seconds
    if total is None:
        return "unknown: the ledger has no timings of such months yet"
    stages = ", ".join(f"{stage} {_seconds(each)}" for stage, each in price.seconds.items())
    by, at_once = f"from {_months(price.history)} of the ledger", _months(price.workers)
    missing = [stage for stage in STAGES if stage not in price.seconds]
    without = f"; without {' and '.join(missing)}, whose speed is unknown" if missing else ""
    return f"{_seconds(total)}, {at_once} at a time ({stages} of work, {by}{without})"


def _disk(price: Price) -> str:
    return ", ".join(map(_place, price.needs))


def _place(need: Need) -> str:
    return f"{need.place} {_between(need.size, _megabytes) if need.size else 'unknown'}"


def _queries(price: Price) -> str:
    found = price.queries
    assert found is not None  # noqa: S101 - the caller has checked
    how = [
        f"{_months(found.tried)} from a dry run" if found.tried else "",
        f"{_months(found.computed)} from columns and rows" if found.computed else "",
    ]
    return (
        f"BigQuery: verify.py would bill {_megabytes(found.verify)}, the reports "
        f"{_megabytes(found.reports)} ({', '.join(filter(None, how))})"
    )


def _months(count: int) -> str:
    return f"{count} month{'s' * (count != 1)}"


def _between(found: Estimate, worded: Callable[[float], str]) -> str:
    least, most = worded(found.least), worded(found.most)
    return f"about {most}" if least == most else f"{least} to {most}"


def _seconds(found: Estimate) -> str:
    return _between(found, _duration)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB" if size < 1e8 else f"{size / 1e6:,.0f} MB"


def price_text(months: object) -> Iterator[str]:
    """Yield the lines below the table of a plan, or none for months that ran."""
    if isinstance(months, PlannedMonths) and months.price:
        yield from ("", *price_lines(months.price))
