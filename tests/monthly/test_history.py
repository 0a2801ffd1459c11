"""What is said of the history of a month: tables, a sentence, JSON."""

from __future__ import annotations

import json

import pytest

from fakes.entries import entry_of, revision_of
from monthly.history import (
    MonthHistory,
    change_text,
    history_markdown,
    history_page,
    history_record,
    history_table,
)
from monthly.ledger import Entry
from monthly.month import Month

OCTOBER = Month("green", 2020, 10)
FIRST, SECOND, THIRD = (letter * 12 for letter in "abc")
CORRECTED = revision_of(
    replaced_at="2021-03-04T05:06:07+00:00",
    reason="size 9 -> 10 bytes",
    edition_before=FIRST,
    edition_after=SECOND,
    rows_before=1_000,
    rows_after=1_200,
    rows_added=250,
    rows_removed=50,
    rows_unchanged=950,
    columns_added=(),
    totals_before={"total_amount": 1234.5},
    totals_after={"total_amount": 2000.0},
)
UNCOMPARED = revision_of(
    replaced_at="2021-04-05T06:07:08+00:00",
    reason="the object is gone",
    edition_before=SECOND,
    edition_after=THIRD,
    rows_before=1_200,
    rows_after=7,
    rows_added=None,
    rows_removed=None,
    rows_unchanged=None,
    columns_added=("x", "y"),
    columns_removed=("z",),
    totals_before={},
    totals_after={},
)


def entry(**fields: object) -> Entry:
    sha256 = THIRD + "0" * 52
    return entry_of(OCTOBER, object_key="data/o", object_sha256=sha256, **fields)


def history(found: Entry | None, *editions: str) -> MonthHistory:
    return MonthHistory(OCTOBER, found, editions, "bucket/o" if found else "")


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_table_has_a_line_for_each_edition_and_a_reason_for_each_correction() -> None:
    """A reason is given whether or not the dataset has columns to sum."""
    text = history_table([history(entry(history=(CORRECTED, UNCOMPARED)), FIRST)])
    _, _, first, second, third, blank, *reasons = text.splitlines()
    assert first.split() == ["green", "2020-10", "1,000", FIRST, "kept"]
    when = ["green", "2020-10", "2021-03-04", "05:06"]
    counts = ["1,000", "->", "1,200", "250", "50", "950"]
    assert second.split() == [*when, *counts, SECOND, "removed"]
    assert third.split()[4:] == ["1,200", "->", "7", "?", "?", "?", THIRD, "current"]
    assert blank == ""
    assert reasons == [
        f"green 2020-10: {SECOND}: size 9 -> 10 bytes; total_amount 1,234.50 -> 2,000.00",
        f"green 2020-10: {THIRD}: the object is gone",
    ]


def test_a_month_that_was_never_replaced_has_one_line() -> None:
    found = entry(converted_at="2021-02-03T04:05:06+00:00", rows_written=1_234)
    _, _, only = history_table([history(found)]).splitlines()
    assert only.split() == ["green", "2020-10", "2021-02-03", "04:05", "1,234", THIRD, "current"]
    assert history_markdown(found) == ""


@pytest.mark.parametrize(
    ("editions", "state"),
    [((), "not in the ledger"), ((FIRST, SECOND), f"editions kept: {FIRST}, {SECOND}")],
)
def test_a_month_without_an_entry_may_have_editions(editions: tuple[str, ...], state: str) -> None:
    _, _, only = history_table([history(None, *editions)]).splitlines()
    assert " ".join(only.split()) == f"green 2020-10 {state}"


def test_a_pinned_month_says_since_when() -> None:
    pinned = entry(history=(CORRECTED, UNCOMPARED), pinned="2021-05-06T07:08:09+00:00")
    *_, last = history_page([history(pinned)]).splitlines()
    assert cells(last)[-2:] == [THIRD, "current, pinned on 2021-05-06"]


def test_a_report_has_the_history_of_its_own_month_alone() -> None:
    """So month and state are left out."""
    title, _, head, _, first, second = history_markdown(entry(history=(CORRECTED,))).splitlines()
    assert title == "## History"
    names = ["when", "why", "rows", "added", "removed", "unchanged", "sums", "edition"]
    assert cells(head) == names
    assert cells(first) == ["", "loaded", "1,000", "", "", "", "", FIRST]
    assert cells(second)[1:3] == ["size 9 -\\> 10 bytes", "1,000 -\\> 1,200"]


def test_a_sentence_has_rows_columns_and_sums() -> None:
    assert change_text(CORRECTED) == (
        "1,000 -> 1,200 rows, 250 added, 50 removed: 25.0% changed; "
        "total_amount 1,234.50 -> 2,000.00"
    )
    assert change_text(UNCOMPARED) == (
        "1,200 -> 7 rows (not compared: the replaced month was gone or damaged); "
        "columns added: x, y; columns removed: z"
    )


def test_a_sum_that_only_one_edition_has_is_named() -> None:
    """A sum of decimals is a text, which is exact."""
    changed = revision_of(totals_before={"a": 1}, totals_after={"b": "0.10"})
    assert change_text(changed).endswith("; a 1.00 -> none, b none -> 0.10")


def test_a_record_is_json() -> None:
    pinned = entry(history=(CORRECTED,), pinned="2021-05-06T07:08:09+00:00")
    found = json.loads(json.dumps(history_record([history(pinned, FIRST), history(None)])))
    known, unknown = found["months"]
    assert {**known, "history": len(known["history"])} == {
        "month": "green 2020-10",
        "where": "bucket/o",
        "edition": THIRD,
        "pinned": "2021-05-06T07:08:09+00:00",
        "editions": [FIRST],
        "history": 1,
    }
    assert (unknown["edition"], unknown["pinned"], unknown["history"]) == (None, None, [])
