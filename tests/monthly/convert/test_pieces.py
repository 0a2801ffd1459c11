"""Halving finds exactly the bad rows, with no more conversions than needed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monthly.convert import pieces
from monthly.convert.conforming import conform
from monthly.convert.pieces import Piece, Reject, hopeless, salvage
from monthly.convert.published_values import Unreadable
from monthly.convert.readings import Readings, Rules
from monthly.header import map_header
from monthly.month import Month

YELLOW = Month("yellow", 2010, 3)


@dataclass
class Numbers:
    """A piece of numbers; negative ones cannot be converted."""

    values: list[int]
    first: int = 1
    asked: list[int] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    @property
    def most_rows(self) -> float:
        """Return the number of the first row."""
        return self.first

    def convert(self) -> pa.RecordBatch:
        """Convert all numbers, or raise."""
        self.asked.append(self.rows)
        if min(self.values) < 0:
            raise Unreadable(f"{min(self.values)} is negative")
        return pa.record_batch({"n": self.values})

    def published(self) -> pa.RecordBatch:
        """Return all numbers as published."""
        return pa.record_batch({"n": self.values})

    def halves(self) -> tuple[Numbers, Numbers]:
        """Return the first and the second half."""
        middle = self.rows // 2
        return (
            Numbers(self.values[:middle], self.first, self.asked),
            Numbers(self.values[middle:], self.first + middle, self.asked),
        )

    def split(self, places: Collection[int]) -> tuple[Numbers | None, list[Piece]]:
        """Return the numbers without some of them, and these."""
        raise NotImplementedError

    def reject(self, reason: str) -> Reject:
        """Return the single bad number as a reject."""
        return Reject(self.first, reason, str(self.values[0]))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.integers(-2, 6), min_size=1, max_size=60))
def test_good_values_keep_their_order_and_bad_ones_are_rejected_one_by_one(
    values: list[int],
) -> None:
    found = salvage(Numbers(values))
    kept = [n for batch in found.batches for n in batch["n"].to_pylist()]
    assert kept == [n for n in values if n >= 0]
    assert found.rejects == [
        Reject(row, f"{n} is negative", str(n)) for row, n in enumerate(values, 1) if n < 0
    ]
    assert found.rows == len(values)


def test_a_good_piece_is_converted_once() -> None:
    piece = Numbers([*range(1_000)])
    assert len(salvage(piece).batches) == 1
    assert piece.asked == [1_000]


def test_one_bad_row_costs_two_conversions_for_each_halving() -> None:
    piece = Numbers([*range(512), -1, *range(511)])
    assert len(salvage(piece).rejects) == 1
    assert len(piece.asked) == 1 + 2 * 10


def test_a_hopeless_piece_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "HOPELESS_REJECTS", 10)
    values = [-1] * 1_000
    assert len(salvage(Numbers(values), 0.5).rejects) == 11
    assert len(salvage(Numbers(values), 1.0).rejects) == 1_000
    assert len(salvage(Numbers(values, first=5_000), 0.0).rejects) > 500


@pytest.mark.parametrize(
    ("rejects", "rows", "share", "expected"),
    [
        (1_000, 1_000, 0.0, False),
        (1_001, 1_001, 0.0, True),
        (1_001, 10_010, 0.0, False),
        (1_002, 10_010, 0.0, True),
        (5_000, 10_000, 0.5, False),
        (5_001, 10_000, 0.5, True),
        (9_999, 9_999, 1.0, False),
    ],
)
def test_a_month_is_hopeless_past_a_thousand_and_a_tenth_and_the_threshold(
    rejects: int, rows: int, share: float, expected: bool
) -> None:
    assert hopeless(rejects, rows, share) is expected


# ---- one schema


def conformed(**found: pa.Array) -> dict[str, Any]:
    mapped = map_header(YELLOW, [*found], strict=False)
    (row,) = conform(YELLOW, mapped, found, 1, Readings.asked(Rules(), YELLOW)).to_pylist()
    return dict(row)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("CREDIT", 1), ("Credit", 1), ("Cre", 1), ("CRD", 1), ("CASH", 2), ("Cas", 2)],
        *[("CSH", 2), ("No Charge", 3), ("NOC", 3), ("No ", 3), ("Dispute", 4), ("Dis", 4)],
        *[("UNK", 5), ("Na ", 5), ("Voided trip", 6), ("1", 1), ("2.0", 2), (" 3 ", 3), ("-1", -1)],
    ],
)
def test_a_payment_is_a_number_whatever_it_was_called(text: str, number: int) -> None:
    row = conformed(payment_type=pa.array([text]))
    plain = text.strip().replace(".", "").lstrip("-").isdigit()
    assert (row["payment_type"], row["payment_type_name"]) == (number, None if plain else text)


@pytest.mark.parametrize(("text", "number"), [("CMT", 1), ("VTS", 2), ("DDS", None), ("2", 2)])
def test_a_vendor_without_a_number_is_kept_as_a_text(text: str, number: int | None) -> None:
    row = conformed(VendorID=pa.array([text]))
    assert (row["VendorID"], row["vendor_name"]) == (number, None if text == "2" else text)


def test_a_column_that_was_not_found_is_null() -> None:
    row = conformed(PULocationID=pa.array([5]))
    assert {name: value for name, value in row.items() if value is not None} == {
        "PULocationID": 5,
        "file_month": YELLOW.first_day,
    }


def test_the_largest_number_that_a_double_holds_exactly_is_read() -> None:
    assert conformed(PULocationID=pa.array([2.0**53 - 1]))["PULocationID"] == 9007199254740991
    assert conformed(PULocationID=pa.array([2**62]))["PULocationID"] == 2**62
    with pytest.raises(Unreadable, match="PULocationID: too large to be read exactly"):
        conformed(PULocationID=pa.array([-(2.0**53)]))


def test_nan_is_not_a_value() -> None:
    assert conformed(fare_amount=pa.array([float("nan")]))["fare_amount"] is None
    assert conformed(PULocationID=pa.array([float("nan")]))["PULocationID"] is None
