"""The catalog's account of months and datasets, without a bucket."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from fakes.entries import entry_of, revision_of
from monthly.catalog.contents import (
    Catalog,
    DatasetLine,
    Mark,
    MonthLine,
    months_behind,
    with_gaps,
)
from monthly.catalog.grid import grid_markdown, grid_text, legend
from monthly.catalog.metrics import metrics_text
from monthly.catalog.record import catalog_record
from monthly.catalog.words import catalog_markdown, catalog_text, months_markdown, ranges
from monthly.month import Month
from monthly.report.page import page_html

JANUARY = Month("green", 2021, 1)
GENERATED = "sample:///green_tripdata_2021-01.csv.gz?rows=500"


def line(month: Month = JANUARY, entry: dict[str, Any] | None = None, **fields: Any) -> MonthLine:
    """Return a line of a good month; `entry` and `fields` override the defaults."""
    return replace(MonthLine(month, entry_of(month, **(entry or {}))), **fields)


def months(*year_months: str) -> list[Month]:
    return [Month("green", *map(int, text.split("-"))) for text in year_months]


@pytest.mark.parametrize(
    ("found", "mark"),
    [
        (line(), Mark.GOOD),
        (line(is_loaded=True), Mark.GOOD),
        (line(is_loaded=False), Mark.BUCKET_ONLY),
        (line(is_loaded=False, stale=("why",)), Mark.STALE),
        (line(entry={"url": GENERATED}, stale=("why",)), Mark.GENERATED),
        (line(entry={"url": GENERATED, "pinned": "2021-02-01T00:00:00+00:00"}), Mark.PINNED),
        (MonthLine(JANUARY, is_loaded=True), Mark.WAREHOUSE_ONLY),
        (MonthLine(JANUARY, is_held=True), Mark.HELD),
        (line(entry={"pinned": "2021-02-01T00:00:00+00:00"}, is_held=True), Mark.HELD),
        (MonthLine(JANUARY, fault="broken", is_held=True), Mark.UNREADABLE),
    ],
)
def test_a_month_has_the_first_mark_that_applies(found: MonthLine, mark: Mark) -> None:
    assert found.mark is mark


def test_each_mark_has_its_own_symbol() -> None:
    """It is a single character without a meaning in a Markdown table."""
    symbols = [mark.symbol for mark in Mark]
    assert len({*symbols}) == len(symbols)
    assert all(len(symbol) == 1 and symbol not in "|\\`*_<[" for symbol in symbols)


def test_gaps_are_the_months_between_the_first_and_the_newest() -> None:
    """Months before the first and after the newest are not gaps; the end of a year is crossed."""
    october, january, march = months("2020-10", "2021-01", "2021-03")
    found = DatasetLine("green", (line(october), line(january), line(march)))
    assert found.gaps == months("2020-11", "2020-12", "2021-02")
    assert (found.first, found.newest) == (october, march)
    assert with_gaps({}) == {}


@pytest.mark.parametrize(
    ("today", "behind"),
    # Green is published within three months: January by the end of April.
    [("2021-02-01", 0), ("2021-05-31", 0), ("2021-06-01", 1), ("2022-06-01", 13)],
)
def test_a_dataset_is_behind_by_the_months_that_should_be_published(
    today: str, behind: int
) -> None:
    assert months_behind([line()], dt.date.fromisoformat(today)) == behind
    assert months_behind([], dt.date.fromisoformat(today)) == 0


@pytest.mark.parametrize("after", ["2021-02", "2021-03"])
def test_a_month_of_which_nothing_is_loaded_is_not_there_yet(after: str) -> None:
    """It is held, so an alert on months behind must not fall silent."""
    january, held = months("2021-01", after)
    lines = (line(january), MonthLine(held, is_held=True, is_loaded=False))
    found = DatasetLine("green", lines, months_behind(lines, dt.date(2022, 6, 1)))
    assert (found.first, found.newest, found.behind) == (january, january, 13)
    assert found.gaps == []
    assert [*found.marks.values()][-1] is Mark.HELD
    catalog = Catalog("/bucket", "", dt.datetime.now(dt.timezone.utc), (found,))
    assert catalog.months == 1
    (dataset,) = catalog_record(catalog)["datasets"]
    assert (dataset["counts"]["months"], dataset["newest_month"]) == (1, "2021-01")
    text = metrics_text(catalog).splitlines()
    samples = [x.split()[-1] for x in text if x.startswith("monthly_files_months")]
    assert samples == ["1", "13"]
    assert catalog_text(catalog).splitlines()[2].split()[:4] == ["green", "1", "2021-01", "2021-01"]


def test_totals_and_counts_are_those_of_the_entries() -> None:
    """A month that is of several kinds counts as each; an unreadable one has no rows."""
    january, february, march, april = months("2021-01", "2021-02", "2021-03", "2021-04")
    pinned = {
        "rows_written": 10,
        "rows_rejected": 2,
        "object_size": 100,
        "url": GENERATED,
        "history": (revision_of(), revision_of()),
        "pinned": "2021-02-01T00:00:00+00:00",
        "converted_at": "2021-03-01T00:00:00+00:00",
    }
    found = DatasetLine(
        "green",
        (
            line(january, pinned, stale=("one", "two"), is_held=True, is_loaded=False),
            line(february, {"rows_written": 5, "rows_rejected": 0, "object_size": 50}),
            MonthLine(april, fault="broken", is_loaded=True),
        ),
    )
    assert (found.rows, found.rejected, found.size) == (15, 2, 150)
    assert found.converted_at == "2021-03-01T00:00:00+00:00"
    assert found.gaps == [march]
    assert found.counts == {
        "missing": 1,
        "stale": 1,
        "held": 1,
        "pinned": 1,
        "corrected": 1,
        "generated": 1,
        "unreadable": 1,
        "bucket_only": 1,
        "warehouse_only": 0,
    }


def test_the_grid_has_years_down_and_months_across() -> None:
    """A month outside the range is blank, one inside it a point."""
    october, january = months("2020-10", "2021-01")
    marks = with_gaps({october: Mark.GENERATED, january: Mark.GOOD})
    head, *years = grid_text(marks).splitlines()
    assert head.split() == [str(number) for number in range(1, 13)]
    assert [year.split() for year in years] == [["2020", "g", ".", "."], ["2021", "+"]]
    assert years[0].index("g") == head.index("10") + 1
    assert years[1].index("+") == head.index("1")
    *_, first, second = grid_markdown(marks, january).splitlines()
    assert first == f"| 2020 |{'  |' * 9} g | . | . |"
    assert second == f"| 2021 | **+** |{'  |' * 11}"
    assert [said.partition(":")[0] for said in legend(marks.values()).splitlines()] == [
        "g generated",
        "+ good",
        ". missing",
    ]


def test_a_report_has_the_grid_of_its_dataset_with_the_month_in_bold() -> None:
    """The HTML has the cells of a table, and explains only the marks in use."""
    october, december = months("2020-10", "2020-12")
    marks = with_gaps({october: Mark.GOOD, december: Mark.GOOD})
    html = page_html("green", months_markdown(december, marks))
    table, _, words = html.partition("<h2>Months of green</h2>")[2].partition("</table>")
    row = table.partition("<td>2020</td>")[2].split("<td")[1:]
    shown = [cell.partition("</td>")[0].partition(">")[2] for cell in row]
    assert shown == [*[""] * 9, "+", ".", "<strong>+</strong>"]
    assert "<code>+</code> in the bucket; <code>.</code> missing." in words


def test_months_in_a_row_are_a_range() -> None:
    found = months("2020-10", "2020-11", "2020-12", "2021-02", "2021-04", "2021-05")
    assert ranges(found) == ["2020-10:2020-12", "2021-02", "2021-04:2021-05"]


def test_months_with_the_same_reason_share_a_line() -> None:
    """The text of a fault is not markup in the page."""
    october, november, december = months("2020-10", "2020-11", "2020-12")
    found = DatasetLine(
        "green",
        (
            line(october, stale=("older",)),
            line(november, stale=("older", "gone")),
            MonthLine(december, fault="is *no* entry"),
        ),
        behind=1,
    )
    catalog = Catalog("/bucket", "", dt.datetime(2021, 6, 1, tzinfo=dt.timezone.utc), (found,))
    text = catalog_text(catalog).splitlines()
    assert text[-3:] == [
        "green 2020-10:2020-11: stale: older",
        "green 2020-11: stale: gone",
        "green 2020-12: unreadable: is *no* entry",
    ]
    assert text[2].endswith("2 stale, 1 unreadable, 1 month behind")
    page = catalog_markdown(catalog)
    assert r"- green 2020-12: unreadable: is \*no\* entry" in page
    assert "Bucket `/bucket`\n" in page


def test_an_empty_catalog_says_so() -> None:
    now = dt.datetime(2021, 6, 1, tzinfo=dt.timezone.utc)
    assert "no months of a declared dataset in /bucket and trips" in catalog_text(
        Catalog("/bucket", "trips", now, ())
    )
    assert "no months of a declared dataset in" in catalog_markdown(Catalog("/bucket", "", now, ()))
