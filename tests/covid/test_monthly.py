"""Days are summed by month, and the CSV file matches its header."""

from __future__ import annotations

import datetime as dt
import io
import json
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.errors import SchemaError
from covid.chart import chart
from covid.edition import find_country, read_edition
from covid.monthly import Monthly, Total, by_month
from fakes.editions import SMALL, SMALL_CSV, record
from fakes.real_data import answers, real_file

DAY = dt.date(2020, 9, 7)
#: Germany in the article that this report comes from (edition of 2020-09-07).
PUBLISHED = {
    "2019_12": (0, 0),
    "2020_01": (5, 0),
    "2020_02": (52, 0),
    "2020_03": (61856, 583),
    "2020_04": (97206, 5705),
    "2020_05": (22363, 2212),
    "2020_06": (12777, 473),
    "2020_07": (14439, 168),
    "2020_08": (33683, 157),
}


def test_days_are_summed_by_month_in_order_of_time() -> None:
    """Values may be text, numbers or padded; corrections count, and other countries do not."""
    found = by_month(json.loads(SMALL)["records"], "Germany", DAY)
    assert found.totals == (Total("2020_03", 10, 1), Total("2020_04", 4, 2))
    assert found.csv() == SMALL_CSV
    assert found.stem == "covid-monthly-Germany-2020-09-07"


@given(
    st.lists(
        st.tuples(
            st.integers(2019, 2022), st.integers(1, 12), st.integers(-99, 9999), st.booleans()
        ),
        min_size=1,
    )
)
def test_nothing_is_lost_or_counted_twice(days: list[tuple[int, int, int, bool]]) -> None:
    """The months add up to the days, in any order and notation of the days."""
    records = [
        record("Germany", year, f"{month:02}" if text else month, str(n) if text else n, -n, day)
        for day, (year, month, n, text) in zip(map(str, count()), days)
    ]
    totals = by_month(records, "Germany", DAY).totals
    assert sum(t.cases for t in totals) == sum(n for _, _, n, _ in days)
    assert sum(t.deaths for t in totals) == -sum(n for _, _, n, _ in days)
    assert [t.year_month for t in totals] == sorted({f"{y}_{m:02}" for y, m, _, _ in days})


def test_days_without_a_number_are_counted() -> None:
    """They add nothing to the sums, and the report counts them."""
    records = [record("Germany", 2020, 3, None, 1), record("Germany", 2020, 3, 4, "", "02")]
    found = by_month(records, "Germany", DAY)
    assert (found.totals, found.unreported) == ((Total("2020_03", 4, 1),), 2)


@pytest.mark.parametrize("again", [1, 5])
def test_a_day_twice_is_refused_and_not_counted_twice(again: int) -> None:
    """This holds whether the second record is a copy or a correction."""
    records = [record("Germany", 2020, 3, 1, 0), record("Germany", 2020, 3, again, 0)]
    with pytest.raises(SchemaError, match=r"^Germany: 2 records for the day 01/3/2020; give ano"):
        by_month(records, "Germany", DAY)
    assert by_month([*records, record("Namibia", 2020, 3, 7, 0)], "Namibia", DAY).totals


def test_a_day_twice_in_two_notations_is_refused() -> None:
    """Numbers or text, with or without zeros, and another format of the date are the same day."""
    first = record("Germany", 2020, 3, 1, 0, "07")
    again = record("Germany", "2020", "03", 1, 0, "7") | {"dateRep": "2020-03-07"}
    with pytest.raises(SchemaError, match="2 records for the day 07/3/2020 and 2020-03-07; give"):
        by_month([first, again], "Germany", DAY)
    other = {key: value for key, value in first.items() if key != "day"} | {"dateRep": "8.3.2020"}
    assert by_month([first, other], "Germany", DAY).totals == (Total("2020_03", 2, 0),)


@pytest.mark.parametrize(("year", "month"), [(2020, 13), (2020, "0"), (20, 3), (2020, "")])
def test_invalid_month_is_named(year: object, month: object) -> None:
    with pytest.raises(SchemaError, match=r"^Germany: .* is not a month"):
        by_month([record("Germany", year, month, 1, 0)], "Germany", DAY)


def test_file_names_stay_in_the_bucket() -> None:
    """A country's name cannot create a folder."""
    found = by_month(
        [record("Germany", 2020, 3, 1, 0) | {"countriesAndTerritories": "../a/b"}], "../a/b", DAY
    )
    assert "/" not in found.stem


def test_a_name_is_no_formula_in_the_chart() -> None:
    assert chart(Monthly("$\\frac$", DAY, (Total("2020_03", 1, 0),)))


def test_chart_is_a_small_png_that_is_the_same_for_the_same_data() -> None:
    found = by_month(json.loads(SMALL)["records"], "Germany", DAY)
    other = by_month(json.loads(SMALL)["records"], "Namibia", DAY)
    png = chart(found)
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.size) == ("PNG", (720, 360))
    assert len(png) < 60_000
    assert chart(found) == png
    assert chart(other) != png


@pytest.mark.real
def test_real_months_of_germany_are_those_of_the_article() -> None:
    """They are the whole months of 2020-09-07, and as much of September as that edition has."""
    file = "covid/casedistribution_2020-09-07.json.gz"
    found = by_month(read_edition(real_file(file), file), "Germany", DAY)
    by_name = {t.year_month: (t.cases, t.deaths) for t in found.totals}
    assert {month: by_name[month] for month in PUBLISHED} == PUBLISHED
    assert set(by_name) - set(PUBLISHED) == {"2020_09"}


@pytest.mark.real
@pytest.mark.parametrize("name", ["2020-04-23.json", "2020-09-07.json.gz"])
def test_real_months_are_those_of_an_independent_tool(name: str) -> None:
    """April has unpadded text, September numbers; both have corrections and Namibia's code."""
    file = f"covid/casedistribution_{name}"
    records = read_edition(real_file(file), file)
    for country, months in answers(file)["monthly_cases_deaths"].items():
        asked = "NA" if country == "Namibia" else country
        found = by_month(records, find_country(records, asked), DAY)
        assert {t.year_month: [t.cases, t.deaths] for t in found.totals} == months
