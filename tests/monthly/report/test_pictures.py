"""The pictures of a month: which there are, what they say, and that they are images."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from PIL import Image

from monthly.month import Month
from monthly.report.counts import Counts
from monthly.report.pictures import days_of, pictures, quantile

MONTH = Month("green", 2020, 10)
FULL = Counts(
    MONTH,
    hours={(dt.date(2020, 10, day), 8): day for day in range(2, 32)}
    | {(dt.date(2020, 10, 5), 17): 400},
    fares={0: 3, 500: 60, 1250: 40, 90_000: 1},
    zones={74: 900, 41: 100},
    cells={(10, 10): 4, (11, 10): 6},
)


def titles(counts: Counts) -> list[str]:
    return [picture.title for picture in pictures(counts, {})]


def test_each_picture_is_an_image_in_colour_as_wide_as_the_page() -> None:
    """Drawn on, not a blank sheet, and small enough for an artifact."""
    for picture in pictures(FULL, {}):
        image = Image.open(io.BytesIO(picture.png))
        assert image.format == "PNG"
        assert image.width >= 1200
        colours = image.convert("RGB").getcolors(1 << 24)
        assert colours is not None
        assert len(colours) > 10
        assert len(picture.png) < 100_000


def test_a_picture_is_the_same_each_time() -> None:
    assert [p.png for p in pictures(FULL, {})] == [p.png for p in pictures(FULL, {})]


@pytest.mark.parametrize(
    ("lacking", "lost"),
    [
        ("hours", {"Trips a day, green 2020-10", "Hours of the week, green 2020-10"}),
        ("fares", {"Fares, green 2020-10"}),
        ("zones", {"Busiest pickup zones, green 2020-10"}),
        ("cells", {"Where trips begin, green 2020-10"}),
    ],
)
def test_what_a_month_lacks_has_no_picture(lacking: str, lost: set[str]) -> None:
    parts = {"hours": FULL.hours, "fares": FULL.fares, "zones": FULL.zones, "cells": FULL.cells}
    without = Counts(MONTH, **parts | {lacking: {}})  # type: ignore[arg-type] # of many types
    assert set(titles(FULL)) - set(titles(without)) == lost


def test_a_month_with_nothing_to_show_has_no_pictures() -> None:
    assert titles(Counts(MONTH, {}, {}, {}, {})) == []


def test_the_words_of_each_picture_say_what_there_is_to_see() -> None:
    """5 October 2020 was a Monday, of which the month has four: (5 + 12 + 19 + 26) / 4 at 8:00."""
    days, week, fares, zones, _ = pictures(FULL, {74: "East Harlem North, Manhattan"})
    assert days.about == "Most trips: 405 on Monday 5; fewest: 0 on Thursday 1."
    assert week.about == "Busiest: Monday from 17:00 to 18:00, with 100 trips on average."
    assert fares.about == "Half of 101 trips cost $5.00 or less."
    assert fares.note == "Not shown: 1 trips of $15 or more, 3 of $0 or less."
    assert zones.about == "First is East Harlem North, Manhattan, with 900 of 1,000 trips."
    assert zones.note == ""


def test_zones_without_names_go_by_their_numbers_and_say_how_to_name_them() -> None:
    zones = list(pictures(FULL, {}))[3]
    assert zones.about.startswith("First is zone 74,")
    assert "`lookup/taxi_zone_lookup.csv`" in zones.note


def test_a_day_without_trips_is_a_day_of_the_month() -> None:
    days = days_of(Counts(Month("yellow", 2020, 2), {}, {}, {}, {}))
    assert len(days) == 29
    assert set(days.values()) == {0}


@pytest.mark.parametrize(
    ("share", "value"), [(0.01, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.76, 9), (1, 9)]
)
def test_quantile_is_the_smallest_value_that_covers_the_share(share: float, value: int) -> None:
    assert quantile({9: 1, 1: 2, 2: 1}, share) == value


def test_quantile_of_nothing_is_zero() -> None:
    assert quantile({}, 0.5) == 0
