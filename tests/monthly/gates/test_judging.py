"""Each gate trips alone just above its threshold, and not just below it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from fakes.entries import entry_of, revision_of
from monthly.datasets import DATASETS
from monthly.gates.correction import correction_in, judge_correction
from monthly.gates.judging import Finding, figures_of, judge
from monthly.gates.policy import Policy
from monthly.gates.thresholds import Gates
from monthly.gates.verdict import verdict
from monthly.ledger import Entry
from monthly.month import Month

ROWS = 10_000
JANUARY = Month("yellow", 2021, 1)
BEFORE = [Month("yellow", 2020, number) for number in range(1, 13)]
SAMPLE = "sample:///yellow_tripdata_2021-01.csv.gz?rows=10000"


def month_of(month: Month = JANUARY, rows: int = ROWS, **figures: Any) -> Entry:
    """Return the entry of a plain month at 20 dollars a trip, changed by `figures`."""
    rejected = figures.pop("rejected", 0)
    quality = {"rows": rows, "nulls": {}, "pickup_outside_month": 0, "duplicates": 0}
    counts = {"rows_read": rows + rejected, "rows_written": rows, "rows_rejected": rejected}
    fields = {name: figures.pop(name) for name in ("url", "etag") if name in figures}
    total = {"total": 20.0 * rows} | figures
    return entry_of(month, quality=quality | total, **counts, **fields)


def rows_of(rows: int) -> Entry:
    """Return a month without amounts, which would rise and fall with the rows."""
    return month_of(rows=rows, total=None)


def mean_of(dollars: float) -> Entry:
    """Return a month with fewer rows, so that the mean amount is unusual before their sum is."""
    return month_of(rows=9_000, total=dollars * 9_000)


HISTORY = [month_of(month) for month in BEFORE]
#: For each gate, a month just below a warning, one just above it, and one that is just held.
TRIPS = {
    "rows_rise": (rows_of(20_000), rows_of(20_001), rows_of(40_001)),
    "rows_fall": (rows_of(667), rows_of(666), rows_of(399)),
    "amount_rise": (
        month_of(rows=14_000, total=400_000.0),
        month_of(rows=14_000, total=400_001.0),
        month_of(rows=19_999, total=800_001.0),
    ),
    "amount_fall": (
        month_of(rows=1_000, total=13_334.0),
        month_of(rows=1_000, total=13_333.0),
        month_of(rows=700, total=7_999.0),
    ),
    "mean_rise": (mean_of(40), mean_of(40.01), mean_of(50.01)),
    "mean_fall": (mean_of(10), mean_of(9.99), mean_of(7.99)),
    "nulls": tuple(month_of(nulls={"VendorID": n}) for n in (5_000, 5_001, 9_001)),
    "outside": tuple(month_of(pickup_outside_month=n) for n in (500, 501, 2_001)),
    "duplicates": tuple(month_of(duplicates=n) for n in (200, 201, 2_001)),
    "rejected": tuple(month_of(rejected=n) for n in (50, 51, 527)),
}


def found(entry: Entry, history: Sequence[Entry] = HISTORY) -> list[Finding]:
    return judge(entry, history, Gates())


def held(findings: Sequence[Finding]) -> list[str]:
    return [each.gate for each in findings if each.is_held]


def test_every_gate_is_tried_here() -> None:
    assert {*TRIPS, "changed"} == set(Gates.model_fields)


@pytest.mark.parametrize("gate", TRIPS)
def test_each_gate_trips_alone_above_its_threshold_and_not_below(gate: str) -> None:
    below, warned, above = TRIPS[gate]
    assert found(below) == []
    (warning,) = found(warned)
    assert (warning.gate, warning.is_held) == (gate, False)
    assert warning.beyond > warning.limit == getattr(Gates(), gate).warn
    assert held(found(above)) == [gate]


def test_a_finding_has_the_value_and_the_usual_one() -> None:
    history = [month_of(month, rows=ROWS + number) for number, month in enumerate(BEFORE)]
    (finding,) = found(rows_of(45_000), history)
    assert finding.text == (
        "rows 45,000, 4.495 times the maximum of 12 months (10,000 to 10,011, median 10,006); "
        "rows_rise holds above 4"
    )


@pytest.mark.parametrize(
    ("added", "removed", "before", "gates"),
    [
        (100, 100, 1_000, []),
        (0, 101, 1_000, [("changed", False)]),
        (250, 250, 1_000, [("changed", False)]),
        (251, 0, 1_000, [("changed", True)]),
        (5, 0, 0, [("changed", True)]),
        (0, 0, 1_000, []),
        (None, None, 1_000, []),  # the object before was missing and could not be compared
    ],
)
def test_a_correction_is_held_if_it_changes_more_than_a_quarter_of_the_rows(
    added: int | None, removed: int | None, before: int, gates: list[tuple[str, bool]]
) -> None:
    correction = revision_of(rows_added=added, rows_removed=removed, rows_before=before)
    findings = judge_correction(correction, Gates())
    assert [(each.gate, each.is_held) for each in findings] == gates


def test_only_another_published_file_is_a_correction() -> None:
    before, other = month_of(), replace(month_of(), source_sha256="6" * 64)
    generated, revision = replace(other, url=SAMPLE), revision_of()
    assert correction_in(before, other, revision) == revision
    assert correction_in(before, month_of(), revision) is None
    assert correction_in(None, other, revision) is None
    assert correction_in(before, generated, revision) is None
    assert correction_in(generated, before, revision) is None


def test_two_months_prove_nothing() -> None:
    odd = rows_of(1_000_000)
    assert found(odd, HISTORY[:2]) == []
    assert held(found(odd, HISTORY[:3])) == ["rows_rise"]


def test_a_column_that_either_month_lacks_is_not_judged() -> None:
    history = [replace(each, drift={"missing": ["VendorID"]}) for each in HISTORY]
    assert found(month_of(nulls={"VendorID": ROWS}), history) == []
    lacking = replace(month_of(nulls={"VendorID": ROWS}), drift={"missing": ["VendorID"]})
    assert found(lacking) == []


def test_a_column_that_may_be_empty_or_is_filled_in_is_not_judged() -> None:
    names = {name for _, name in figures_of(month_of()) if name}
    sparse = {column.name for column in DATASETS["yellow"].columns if column.sparse}
    assert sparse
    assert not names & (sparse | {"file_month", "vendor_name", "payment_type_name"})


@pytest.mark.parametrize(
    ("total", "gates"),
    [
        (0.0, ["amount_fall", "mean_fall"]),
        (-200_000.0, ["mean_rise"]),
        (-900_000.0, ["amount_rise", "mean_rise"]),
    ],
)
def test_an_amount_that_vanishes_or_changes_its_sign_is_held(
    total: float, gates: list[str]
) -> None:
    assert held(found(month_of(total=total))) == gates


def test_a_history_of_both_signs_is_a_range_too() -> None:
    history = [month_of(month, total=total) for month, total in zip(BEFORE, (-100.0, 50.0, 80.0))]
    assert found(month_of(total=-20.0), history) == []
    assert found(month_of(total=150.0), history) == []  # 70 out of range, of at most 100
    assert {each.gate for each in found(month_of(total=250.0), history)} == {
        "amount_rise",
        "mean_rise",
    }


def test_sums_that_were_always_zero_prove_nothing() -> None:
    history = [month_of(month, total=0.0) for month in BEFORE]
    assert found(month_of(total=5.0), history) == []


def test_before_the_first_known_month_more_rows_are_as_usual_as_fewer_after_it() -> None:
    """Seen from 2020-05, the months before that spring's fall had twelve times the rows."""
    later = [month_of(Month("yellow", 2021, number)) for number in (2, 3, 4)]
    assert found(month_of(rows=125_000, total=None), later) == []
    assert held(found(month_of(rows=2_400, total=None), later)) == ["rows_rise"]


def test_a_warning_policy_lets_everything_in_and_so_does_accept() -> None:
    odd = rows_of(50_000)
    assert held(verdict(odd, HISTORY, Policy())) == ["rows_rise"]
    for policy in (Policy(mode="warn"), Policy(accept=True)):
        (warning,) = verdict(odd, HISTORY, policy)
        assert not warning.is_held


def test_generated_months_are_judged_by_generated_ones_of_their_size() -> None:
    sizes = [("sample-1-500", 500)] * 6 + [("sample-1-90000", 90_000)] * 3
    history = [
        month_of(month, rows=rows, url=SAMPLE, etag=etag)
        for month, (etag, rows) in zip(BEFORE, sizes)
    ]
    large = month_of(rows=90_000, url=SAMPLE, etag="sample-1-90000")
    assert verdict(large, history, Policy()) == []
    assert held(verdict(replace(large, etag="sample-1-500"), history, Policy()))
    assert verdict(month_of(rows=90_000), history, Policy()) == []  # published, without history


def test_a_finding_survives_its_record() -> None:
    findings = found(month_of(total=0.0))
    assert findings
    for each in findings:
        assert each.beyond == math.inf
        assert Finding.of(json.loads(json.dumps(each.to_json(), allow_nan=False))) == each
