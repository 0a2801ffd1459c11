"""People name months in many ways, and each is one month of one dataset."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from monthly.datasets import DATASETS as DECLARED
from monthly.month import Month, latest_months, months_of, months_of_stems

DATASETS = st.sampled_from(["fhv", "fhvhv", "green", "yellow"])
DAYS = st.dates(dt.date(2009, 1, 1), dt.date(2100, 12, 31))


def texts(months: tuple[Month, ...]) -> list[str]:
    return [month.year_month for month in months]


# ---- Month


def test_month_is_written_as_tlc_names_its_files() -> None:
    month = Month("green", 2020, 3)
    assert month.year_month == "2020-03"
    assert month.stem == "green_tripdata_2020-03"
    assert month.first_day == dt.date(2020, 3, 1)
    assert str(month) == "green 2020-03"


@pytest.mark.parametrize(
    "stem",
    [
        "green_tripdata_2021-1",
        "green_tripdata_2021-13",
        "green_tripdata_2001-01",  # before the first month
        "green_tripdata_2021-01.rejects",
        "yellow_tripdata_2021-01",
        "2021-01",
    ],
)
def test_months_are_found_by_the_names_of_their_objects_and_others_are_left_out(stem: str) -> None:
    month = Month("green", 2021, 1)
    assert months_of_stems("green", [stem, month.stem]) == [month]


@pytest.mark.parametrize(
    ("dataset", "year", "month"),
    [("yellow", 2009, 1), ("green", 2013, 8), ("fhv", 2015, 1), ("fhvhv", 2019, 2)],
)
def test_first_month_of_tlc_is_a_month_and_the_one_before_is_not(
    dataset: str, year: int, month: int
) -> None:
    assert Month(dataset, year, month).year_month == f"{year}-{month:02}"
    before = dt.date(year, month, 1) - dt.timedelta(days=1)
    with pytest.raises(UsageError, match=f"{dataset}.*from {year}-{month:02} on; choose a later"):
        Month(dataset, before.year, before.month)


@pytest.mark.parametrize("month", [-1, 0, 13, 2021])
def test_month_of_no_calendar_is_refused(month: int) -> None:
    with pytest.raises(UsageError, match=rf"yellow: month {month} is not between 1 and 12"):
        Month("yellow", 2021, month)


def test_unknown_dataset_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match=r"'blue' is not one of yellow, green, fhv, fhvhv"):
        Month("blue", 2021, 1)


@given(DATASETS, DAYS)
def test_next_month_begins_where_the_calendar_says(dataset: str, day: dt.date) -> None:
    first = day.replace(day=1)
    if (day.year, day.month) < DECLARED[dataset].first_month:
        return
    after = (first + dt.timedelta(days=31)).replace(day=1)
    assert Month(dataset, day.year, day.month).next.first_day == after


# ---- months_of


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("1", ["2021-01"]),
        ("1,2", ["2021-01", "2021-02"]),
        (" 3 , 07 ", ["2021-03", "2021-07"]),
        ("2020-11", ["2020-11"]),
        ("2020-1", ["2020-01"]),
        ("11:12", ["2021-11", "2021-12"]),
        ("2020-11:2021-02", ["2020-11", "2020-12", "2021-01", "2021-02"]),
        ("2020-11:2", ["2020-11", "2020-12", "2021-01", "2021-02"]),
        ("2020-12:2020-12", ["2020-12"]),
        ("2019-12,1:2,2021-02:2021-03", ["2019-12", "2021-01", "2021-02", "2021-03"]),
        ("3,1,3,2021-01,,", ["2021-01", "2021-03"]),
        ([1, 2], ["2021-01", "2021-02"]),
        ([12, 1, 12], ["2021-01", "2021-12"]),
    ],
)
def test_named_months_come_in_order_and_each_once(named: str | list[int], meant: list[str]) -> None:
    assert texts(months_of("yellow", named, 2021)) == meant


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("", "no months given; name some, such as 2021-01 or 2020-01:2020-12"),
        (" , ", "no months given"),
        ([], "no months given"),
        ("january", "'january' is not a month"),
        ("2021", "'2021' is not a month; write 2021-01, 2020-01:2020-12 for a range, or 1 to 12"),
        ("2021-001", "'2021-001' is not a month"),
        ("2021-01-01", "'2021-01-01' is not a month"),
        ("1.0", "'1.0' is not a month"),
        ("-1", "'-1' is not a month"),
        ("2021/01", "'2021/01' is not a month"),
        ("0", "month 0 is not between 1 and 12"),
        ("13", "month 13 is not between 1 and 12"),
        ("2021-13", "month 13 is not between 1 and 12"),
        ([1, 13], "month 13 is not between 1 and 12"),
        ("3:1", "'3:1' is not a range; write the earlier month first: 2020-01:2020-12"),
        ("2021-02:2020-12", "'2021-02:2020-12' is not a range"),
        ("1:2:3", "'1:2:3' is not a range; write the first month and the last: 2020-01:2020-12"),
        ("1:", "'' is not a month"),
        (":3", "'' is not a month"),
        ("2008-12:2009-02", "from 2009-01 on; choose a later month, or correct first_month in its"),
    ],
)
def test_an_invalid_range_is_refused_with_the_text(named: str | list[int], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        months_of("yellow", named, 2021)
    assert "yellow" in str(caught.value)
    assert said in str(caught.value)


@given(DAYS, st.integers(0, 40))
def test_range_has_every_month_from_one_end_to_the_other(day: dt.date, more: int) -> None:
    first = Month("yellow", day.year, day.month)
    last = first
    for _ in range(more):
        last = last.next
    found = months_of("yellow", f"{first.year_month}:{last.year_month}", 2021)
    assert [m.first_day for m in found] == [
        dt.date(day.year + (day.month - 1 + n) // 12, (day.month - 1 + n) % 12 + 1, 1)
        for n in range(more + 1)
    ]


# ---- latest_months


@pytest.mark.parametrize(
    ("today", "count", "meant"),
    [
        (dt.date(2021, 1, 1), 1, ["2020-12"]),
        (dt.date(2021, 1, 31), 2, ["2020-11", "2020-12"]),
        (dt.date(2021, 2, 1), 2, ["2020-12", "2021-01"]),
        (dt.date(2020, 12, 31), 1, ["2020-11"]),
        (dt.date(2009, 3, 15), 12, ["2009-01", "2009-02"]),
        (dt.date(2009, 1, 15), 12, []),
        (dt.date(2021, 1, 1), 0, []),
    ],
)
def test_latest_months_end_with_the_one_before_today(
    today: dt.date, count: int, meant: list[str]
) -> None:
    assert texts(latest_months("yellow", count, today)) == meant


@given(DATASETS, DAYS, st.integers(1, 50))
def test_latest_months_are_those_of_the_calendar(dataset: str, today: dt.date, count: int) -> None:
    wanted, day = [], today.replace(day=1)
    for _ in range(count):
        day = (day - dt.timedelta(days=1)).replace(day=1)
        wanted.append(day)
    first = dt.date(*DECLARED[dataset].first_month, 1)
    found = latest_months(dataset, count, today)
    assert [month.first_day for month in found] == [d for d in reversed(wanted) if d >= first]
