"""The figures of a warehouse's month are those of the object, apart from rounding."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fakes.entries import entry_of
from fakes.one_month import MONTH
from monthly.columns import Column, Kind
from monthly.figures import Figures
from monthly.verify.findings import FaultKind
from monthly.verify.warehouse_checks import compare
from monthly.warehouses import Recorded
from monthly.warehouses.month_figures import MonthFigures

#: Values whose sum is about 0, in an order in which it grows before it cancels.
DRAWN = np.random.default_rng(1).normal(0, 10, 200_000)
VALUES = np.sort(DRAWN - DRAWN.mean())
ENDS = (float(VALUES[0]), float(VALUES[-1]))


@pytest.mark.parametrize("kind", ["int64", "string"])
def test_a_kept_column_that_has_a_type_now_is_no_difference(kind: Kind) -> None:
    """Its text is in another column until the month is converted again."""
    drift = {"kept": ["fee"], "unknown": ["Fee"]}
    entry = entry_of(MONTH, rows_written=1, columns={"fee": Figures(1, "7", "7", 1)}, drift=drift)
    assert "fee" in entry.kept
    recorded = Recorded(entry.loaded_sha256, 1, "", entry)
    found = MonthFigures(1, {"fee": Figures(0)})
    fault = compare(entry, recorded, found, [Column("fee", kind, "")], "w")
    assert (fault is None) is (kind != "string")


@pytest.mark.parametrize("value", ["7", "8"])
def test_a_column_that_months_kept_in_another_case_is_compared_once(value: str) -> None:
    """DuckDB and BigQuery have one column for both names."""
    figures, drift = Figures(1, "7", "7", 1), {"kept": ["Fee"]}
    entry = entry_of(MONTH, rows_written=1, columns={"Fee": figures}, drift=drift)
    recorded = Recorded(entry.loaded_sha256, 1, "", entry)
    there = Figures(1, value, value, 1)
    columns = [Column(name, "string", "") for name in ("fee", "Fee")]
    fault = compare(entry, recorded, MonthFigures(1, {"fee": there, "Fee": there}), columns, "w")
    said = [] if value == "7" else ["Fee has the minimum '8', the object '7'"]
    assert [each.what for each in [fault] if each] == said


@pytest.mark.parametrize(
    ("moved", "is_fault"),
    [({}, False), ({"fee_as_text": Figures(1, "7", "7", 1)}, False)]
    + [({"fee_as_text": found}, True) for found in (Figures(0), Figures(1, "8", "8", 1))],
)
def test_the_text_of_a_kept_column_is_compared_where_a_load_moved_it(
    moved: dict[str, Figures], is_fault: bool
) -> None:
    """If no month of the table was converted again yet, the texts are not there."""
    drift = {"kept": ["fee"], "unknown": ["Fee"]}
    entry = entry_of(MONTH, rows_written=1, columns={"fee": Figures(1, "7", "7", 1)}, drift=drift)
    recorded = Recorded(entry.loaded_sha256, 1, "", entry)
    found = MonthFigures(1, {"fee": Figures(0), **moved})
    fault = compare(entry, recorded, found, [Column("fee", "int64", "")], "w")
    assert (fault is not None and "fee_as_text has the" in fault.what) is is_fault


@pytest.mark.parametrize(
    ("total", "kinds"),
    [(float(np.cumsum(VALUES)[-1]), []), (math.fsum(VALUES) + 0.01, [FaultKind.VALUES])],
    ids=["added in the order of the rows", "a cent more"],
)
def test_rounding_of_values_that_cancel_is_not_a_difference(
    total: float, kinds: list[FaultKind]
) -> None:
    count, exact = len(VALUES), math.fsum(VALUES)
    assert not math.isclose(total, exact, rel_tol=1e-9)
    entry = entry_of(MONTH, rows_written=count, columns={"x": Figures(count, *ENDS, exact)})
    found = MonthFigures(count, {"x": Figures(count, *ENDS, total)})
    recorded = Recorded(entry.loaded_sha256, count, "", entry)
    fault = compare(entry, recorded, found, [Column("x", "float64", "")], "w")
    assert [each.kind for each in [fault] if each] == kinds
