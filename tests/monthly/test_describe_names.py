"""Names of columns, and months in addresses."""

from __future__ import annotations

import pytest

from monthly.describe.addresses import (
    filled,
    fixed_months,
    late_days,
    month_in,
    months_in,
    template_of,
    templates,
)
from monthly.describe.naming import identifier, identifiers, likeness
from monthly.describe.written_times import formats_of


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("start station id", "start_station_id"),
        ("VendorID", "vendor_id"),
        ("PULocationID", "pu_location_id"),
        ("DateTime", "date_time"),
        ("Wasserkraft [MWh]", "wasserkraft_mwh"),
        ("Stn Press (kPa)", "stn_press_kpa"),
        ("Größe (m²)", "grosse_m2"),
        ("  Trip  ", "trip"),
        ("file_month", "file_month_published"),
        ("xmin", "xmin_published"),
        ("2019", "column_2019"),
        ("%", "column_4"),
        ("日本", "column_4"),
        ("x" * 100, "x" * 55),
        ("1" * 100, "column_" + "1" * 48),
    ],
)
def test_names_become_identifiers(name: str, found: str) -> None:
    """They have lower case and letters that every warehouse accepts; without any, a number."""
    assert identifier(name, 3) == found


def test_no_identifier_is_a_name_of_another_column() -> None:
    """A declaration compares names without their punctuation."""
    names = ["größe", "grosse", "a b"]
    assert identifiers(names, names) == ["grosse_2", "grosse", "a_b"]


@pytest.mark.parametrize(
    ("one", "other", "are_alike"),
    [
        ("starttime", "started_at", True),
        ("start station latitude", "start_lat", True),
        ("Trip_Pickup_DateTime", "tpep_pickup_datetime", False),  # half of their words
        ("from_station_name", "start_station_name", True),
        ("end station latitude", "start_lat", False),
        ("bikeid", "ride_id", False),
        ("usertype", "member_casual", False),
    ],
)
def test_names_of_the_same_words_are_alike(one: str, other: str, are_alike: bool) -> None:
    """This holds in any order, in one word or several."""
    assert (likeness(one, other) > 0.6) is are_alike


@pytest.mark.parametrize(
    ("address", "month", "template"),
    [
        ("h/JC-202001-trips.csv.zip", (2020, 1), "h/JC-{year}{month:02}-trips.csv.zip"),
        ("h/2020-10/2020-10-city.csv", (2020, 10), "h/{year_month}/{year_month}-city.csv"),
        ("h/2020/10/trips.csv", (2020, 10), "h/{year}/{month:02}/trips.csv"),
        ("h/2020_01_load.csv", (2020, 1), "h/{year}_{month:02}_load.csv"),
        ("h/10-2020.csv", (2020, 10), "h/{month:02}-{year}.csv"),
        ("h/On_Time_2020_1.zip", None, "h/On_Time_{year}_{month}.zip"),
        ("h/2020/trips_01.csv", None, "h/{year}/trips_{month:02}.csv"),
        ("h/01012020-01312020.csv", None, "h/{month:02}01{year}-{month:02}{last_day}{year}.csv"),
        ("h?a=2020-02-01&z=2020-02-29", (2020, 2), "h?a={year_month}-01&z={year_month}-{last_day}"),
        ("h?z=2020-04-30T23:59", (2020, 4), "h?z={year_month}-{last_day}T23:59"),
        ("h/30.06.2020.csv", (2020, 6), "h/{last_day}.{month:02}.{year}.csv"),
        ("h/2020-02-28.csv", (2020, 2), "h/{year_month}-28.csv"),
        ("h/{a}/202001.csv", (2020, 1), "h/{{a}}/{year}{month:02}.csv"),
        ("h/v202001234.csv", None, ""),
        ("h/20200131load.csv", (2020, 1), "h/{year}{month:02}{last_day}load.csv"),
        ("h/latest.csv", None, ""),
    ],
)
def test_months_in_addresses(address: str, month: tuple[int, int] | None, template: str) -> None:
    """They become fields; if the name is ambiguous, the times decide."""
    assert month_in(address) == month
    assert template_of(address, month or (2020, 1)) == template
    assert not template or filled(template, *(month or (2020, 1))) == address


@pytest.mark.parametrize(
    ("template", "days"),
    [
        ("h/{year_month}-30.csv", ["30"]),
        ("h/29.{month:02}.{year}.csv", ["29"]),
        ("h/{year_month}-28.csv", []),
        ("h/{year_month}-{last_day}.csv", []),
        ("h/{year_month}-avon-31.csv", []),
    ],
)
def test_days_that_some_months_lack(template: str, days: list[str]) -> None:
    """The last day of the month is a field instead."""
    assert late_days(template) == days


@pytest.mark.parametrize(
    ("address", "months", "template", "fixed"),
    [
        (
            "h/prices_2020-01-01_2020-02-01.csv",
            [(2020, 1), (2020, 2)],
            "h/prices_{year_month}-01_2020-02-01.csv",
            ["2020-02"],
        ),
        (
            "h?from=2020-01-01&to=2020-02-01",
            [(2020, 1), (2020, 2)],
            "h?from={year_month}-01&to=2020-02-01",
            ["2020-02"],
        ),
        (
            "h/20200101_20200201.csv",
            [(2020, 1), (2020, 2)],
            "h/{year}{month:02}01_20200201.csv",
            ["20200201"],
        ),
        ("h/v2021.12/2020-01.csv", [(2020, 1)], "h/v2021.12/{year_month}.csv", ["2021.12"]),
        ("h/2020-01-01_2020-01-31.csv", None, "h/{year_month}-01_{year_month}-{last_day}.csv", []),
    ],
)
def test_other_months_in_an_address_stay(
    address: str, months: list[tuple[int, int]] | None, template: str, fixed: list[str]
) -> None:
    """They are not the day of one date and the year of the next."""
    assert months_in(address) == (months or [(2020, 1)] * 2)
    assert template_of(address, (2020, 1)) == template
    assert filled(template, 2020, 1) == address
    assert fixed_months(template) == fixed


def test_one_template_for_all_files_that_it_makes() -> None:
    """Files with another name get another address."""
    addresses = {"h/t-202001.csv": (2020, 1), "h/t-202002.csv": (2020, 2), "h/T_2019-01": (2019, 1)}
    assert templates(addresses) == ["h/t-{year}{month:02}.csv", "h/T_{year_month}"]


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("2020-01-01T00:00:00.1230Z", ("%Y-%m-%dT%H:%M:%S.%f%z",)),
        ("2020-01-01 00:00 CEST", ("%Y-%m-%d %H:%M %Z",)),
        ("1-Jan-20", ("%d-%b-%y",)),
        ("Jan-20", ("%b-%y",)),
        ("2020.01.01, 00:00", ("%Y.%m.%d, %H:%M",)),
        (
            "2025-10-26 02:00:00 (CEST) - 2025-10-26 02:00:00 (CET)",
            ("%Y-%m-%d %H:%M:%S (%Z) - %Y-%m-%d %H:%M:%S (%Z)",),
        ),
        ("2020-01-01T00:00Z/2020-01-01T01:00Z", ("%Y-%m-%dT%H:%M%z/%Y-%m-%dT%H:%M%z",)),
        ("2020-01-01 23:00 \u2013 00:00", ("%Y-%m-%d %H:%M \u2013 %H:%M",)),
        ("Mon, 01 Mar 2021 08:00:00 +0000", ("%a, %d %b %Y %H:%M:%S %z",)),
        ("20210301T080000Z", ("%Y%m%dT%H%M%S%z",)),
        ("2021-03-01 0830", ("%Y-%m-%d %H%M",)),
        ("janv. 2020", ("%b %Y",)),
        ("März 2020", ("%b %Y",)),
        ("ene-20", ("%b-%y",)),
        ("15 déc. 2020", ("%d %b %Y",)),
        ("1. März 2020", ("%d. %b %Y",)),
        ("Sept. 5, 2020", ("%b %d, %Y",)),
        ("2020Q1", ("%YQ%q",)),
        ("Q1 2020", ("Q%q %Y",)),
        ("2020-T3", ("%Y-T%q",)),
        ("1. Quartal 2020", ("%q. Quartal %Y",)),
        ("2020M01", ("%YM%m",)),
        ("2020M13", ()),
        ("2020Q5", ()),
        ("styczeń 2020", ()),
        ("Monday", ()),
        ("Street 5", ()),
        ("Unit-12", ()),
        ("1.5", ()),
        ("2020-01-01 to 2020-01-02", ()),
    ],
)
def test_formats_of_a_time(text: str, formats: tuple[str, ...]) -> None:
    """A text that is not a time has none."""
    assert formats_of(text) == formats
