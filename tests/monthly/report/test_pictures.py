"""The pictures of a month: which ones there are, what they say, and that they are images."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from monthly.declaration import Map
from monthly.month import Month
from monthly.report.amounts import Amounts
from monthly.report.calendars import rows_by_day
from monthly.report.canvas import drawable
from monthly.report.counts import Counts, Level
from monthly.report.drawing import Picture
from monthly.report.pictures import pictures
from monthly.report.places import Cells, Places

MONTH = Month("green", 2020, 10)
CELLS = {(10, 10): 4, (11, 10): 6}
FULL = Counts(
    MONTH,
    hours={(dt.date(2020, 10, day), 8): day for day in range(2, 32)}
    | {(dt.date(2020, 10, 5), 17): 400},
    amounts=Amounts(104, 5.0, False, 0, 5.0, (3, 60, 40), 0, 1),
    places=Places(((74, 900), (41, 100)), 1_000),
    cells=Cells(Map(west=-74.1, east=-73.7, south=40.57, north=40.91), 0.0025, CELLS, 12),
)


def titles(counts: Counts) -> list[str]:
    return [picture.title for picture in pictures(counts, {})]


@pytest.fixture(scope="module")
def full() -> list[Picture]:
    """Draw the full month once."""
    return [*pictures(FULL, {})]


def test_each_picture_is_an_image_in_color_as_wide_as_the_page(full: list[Picture]) -> None:
    """It is not blank, and small enough for an artifact."""
    assert len(full) == 5
    for picture in full:
        image = Image.open(io.BytesIO(picture.png))
        assert image.format == "PNG"
        assert image.width >= 1200
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        colors = image.convert("RGB").getcolors(1 << 24)
        assert colors is not None
        assert len(colors) > 10
        assert len(picture.png) < 100_000


def test_a_picture_is_the_same_each_time(full: list[Picture]) -> None:
    assert [p.png for p in pictures(FULL, {})] == [p.png for p in full]


@pytest.mark.parametrize(
    ("lacking", "lost"),
    [
        ("hours", {"Trips a day, green 2020-10", "Hours of the week, green 2020-10"}),
        ("amounts", {"Fares, green 2020-10"}),
        ("places", {"Busiest pickup zones, green 2020-10"}),
        ("cells", {"Where trips begin, green 2020-10"}),
    ],
)
def test_a_month_has_no_picture_of_data_that_it_lacks(
    full: list[Picture], lacking: str, lost: set[str]
) -> None:
    nothing: Any = {} if lacking == "hours" else None
    without: Counts = replace(FULL, **{lacking: nothing})
    assert {picture.title for picture in full} - set(titles(without)) == lost


def test_a_month_with_nothing_to_show_has_no_pictures() -> None:
    assert titles(Counts(MONTH, {})) == []


def test_the_words_of_each_picture_say_what_there_is_to_see() -> None:
    """5 October 2020 was one of four Mondays: (5 + 12 + 19 + 26) / 4 at 8:00."""
    days, week, fares, zones, cells = pictures(FULL, {74: "East Harlem North, Manhattan"})
    assert days.about == "Most trips: 405 on Monday 5; fewest: 0 on Thursday 1."
    assert week.about == "Busiest: Monday from 17:00 to 18:00, with 100 trips on average."
    assert fares.about == "Half of 104 fares are 5.00 USD or less."
    assert fares.note == "Not shown: 1 of 15 USD or more."
    assert zones.about == "First is East Harlem North, Manhattan, with 900 of 1,000 trips."
    assert zones.note == ""
    assert cells.about == "10 of 12 trips with coordinates are on the map."


@pytest.mark.parametrize(("trips", "mean"), [(1, "0.25"), (18, "4.5"), (50, "12")])
def test_the_mean_of_a_small_month_is_not_rounded_to_nothing(trips: int, mean: str) -> None:
    """October 2020 has four Mondays."""
    week = list(pictures(Counts(MONTH, {(dt.date(2020, 10, 5), 8): trips}), {}))[1]
    assert week.about == f"Busiest: Monday from 8:00 to 9:00, with {mean} trips on average."


def test_zones_without_names_go_by_their_numbers_and_say_how_to_name_them() -> None:
    zones = list(pictures(FULL, {}))[3]
    assert zones.about.startswith("First is zone 74,")
    assert "lookup/taxi_zone_lookup.csv" in zones.note


def test_a_day_without_trips_is_a_day_of_the_month() -> None:
    days = rows_by_day(Counts(Month("yellow", 2020, 2), {}))
    assert len(days) == 29
    assert set(days.values()) == {0}


def test_a_time_without_hours_has_no_picture_of_the_week() -> None:
    counts = Counts(MONTH, {(dt.date(2020, 10, day), 0): day for day in (1, 2)}, has_hours=False)
    assert titles(counts) == ["Trips a day, green 2020-10"]


def test_a_time_series_shows_its_amounts_and_not_its_rows() -> None:
    """A day without an amount is a gap; 12 October 2020 was a Monday."""
    hours = {(dt.date(2020, 10, day), hour): 1 for day in range(1, 32) for hour in range(24)}
    levels = {
        (day, hour): Level(1, value, value, value)
        for day, hour in hours
        if day.day != 3
        for value in (1e6 if (day.day, hour) == (12, 7) else -5.5 if day.day == 4 else 2.0,)
    }
    by_day, week = pictures(Counts(MONTH, hours, levels=levels), {})
    assert by_day.title == "Fare by day, green 2020-10"
    ends = "highest: 1,000,000 USD on Monday 12; lowest: -5.50 USD on Sunday 4."
    assert by_day.about.endswith(ends)
    assert week.about == "Highest: Monday from 7:00 to 8:00, with 250,002 USD on average."
    days = {(day, 0): level for (day, hour), level in levels.items() if hour == 0}
    assert len(titles(Counts(MONTH, hours, has_hours=False, levels=days))) == 1


def test_what_the_font_lacks_is_a_box() -> None:
    assert drawable("Größe 北 $x$") == "Größe \u25a1 $x$"
