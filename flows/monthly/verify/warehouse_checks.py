"""Checks of a month in a warehouse against what the object holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from monthly.columns import Column, Kind
from monthly.figures import Figures
from monthly.ledger import Entry
from monthly.verify.findings import Fault, FaultKind
from monthly.warehouses import Recorded
from monthly.warehouses.month_figures import MonthFigures
from monthly.warehouses.table_columns import texts_aside

#: Warehouses add floats in a different order and round differently.
TOLERANCE = 1e-9
#: Half the distance between 1 and the next float.
_ROUNDING = 2.0**-53
_NAMES = ("values", "minimum", "maximum", "sum")
_SHOWN = 3


def compare(
    entry: Entry,
    recorded: Recorded | None,
    found: MonthFigures | None,
    columns: Sequence[Column],
    warehouse: str,
) -> Fault | None:
    """Return how the warehouse's month differs from the object, or None.

    Only the first difference is returned: loading the month again repairs any of them, and the
    later ones follow from it.

    Args:
        entry: entry of the object, with its column figures.
        recorded: the warehouse's ledger row of the month.
        found: what the table has of the month.
        columns: the columns that were compared.
        warehouse: its name.
    """
    rows = found.rows if found else 0
    if recorded is None:
        kind = FaultKind.LEDGER_ROW_MISSING if rows else FaultKind.NOT_LOADED
        said = f"it has {rows:,} rows, but no row in its ledger" if rows else "it has no rows"
    elif recorded.elsewhere:
        kind, other = FaultKind.ROWS_MISSING, f"it has the rows in table {recorded.elsewhere}"
        said = f"{other}, not in the one that is declared now"
    elif found is None and entry.rows_written:
        kind, said = FaultKind.ROWS_MISSING, f"all of its {recorded.rows:,} rows are gone"
    elif recorded.sha256 != entry.loaded_sha256:
        kind, said = FaultKind.LOADED_ANOTHER, "its month was loaded from another object"
    elif rows != entry.rows_written:
        kind = FaultKind.ROW_COUNT
        said = f"it has {rows:,} rows, and the object has {entry.rows_written:,}"
    elif entry.columns and (different := _differences(entry, found, columns)):
        more = f" and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        kind, said = FaultKind.VALUES, "; ".join(different[:_SHOWN]) + more
    elif recorded.touched:
        kind, said = FaultKind.TOUCHED, "something other than a load changed it"
    else:
        return None
    return Fault(kind, said, warehouse)


def _differences(entry: Entry, found: MonthFigures | None, columns: Sequence[Column]) -> list[str]:
    # A column that was kept as text has another type now; the plan converts the month again, and
    # until then the table has its texts in another column, unless no month was converted yet.
    same = [c for c in columns if c.kind == "string" or c.name not in entry.kept]
    there = found.columns if found else {}
    moved = {n: c for n, c in texts_aside(columns, entry).items() if c.name in there}
    texts = {c.name: entry.columns[n] for n, c in moved.items() if n in entry.columns}
    return [
        *_different(entry.columns, there, same),
        *_different(texts, there, [*moved.values()]),
    ]


def _different(
    expected: Mapping[str, Figures], found: Mapping[str, Figures], columns: Sequence[Column]
) -> Iterator[str]:
    """Yield the columns that differ; one that the published file lacks has no value.

    In a warehouse that ignores the case of names, a column that another month kept in a different
    case is this month's column, which is compared once.
    """
    own = {name.lower() for name in expected}
    for column in columns:
        if column.name not in expected and column.name.lower() in own:
            continue
        one = expected.get(column.name, Figures(0))
        other = found.get(column.name, Figures(0))
        for what, here, there in zip(_NAMES, _values(one), _values(other)):
            if not _is_same(column.kind, what, here, there, one):
                yield f"{column.name} has the {what} {_shown(there)}, the object {_shown(here)}"
                break


def _values(figures: Figures) -> tuple[Any, ...]:
    return figures.count, figures.least, figures.most, figures.total


def _is_same(kind: Kind, what: str, here: Any, there: Any, figures: Figures) -> bool:
    if here is None and figures.least is not None:
        return True  # a sum beyond the largest float
    if here is None or there is None or what == "values":
        return bool(here == there)
    if kind == "decimal":
        return Decimal(here) == Decimal(there)
    if kind == "float64":
        return math.isclose(here, there, rel_tol=TOLERANCE, abs_tol=_rounding(what, figures))
    return bool(here == there)


def _rounding(what: str, figures: Figures) -> float:
    """Return the largest rounding error of a sum whose values may cancel each other out.

    Each addition rounds the sum so far, which no order of the values makes larger than the
    total plus what cancels.
    """
    if what != "sum" or figures.least is None or figures.most is None:
        return 0.0
    cancelled = figures.count * max(0.0, min(float(figures.most), -float(figures.least)))
    return _ROUNDING * figures.count * (abs(float(figures.total or 0)) + cancelled)


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return repr(value) if isinstance(value, str) else str(value)
