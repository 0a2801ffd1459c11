"""The counts of a month, compared with counts by hand and by another reader."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from pathlib import Path

import pytest

from monthly.convert.to_parquet import convert
from monthly.month import Month
from monthly.report.counts import count_month
from monthly.report.places import Places
from monthly.sample import write_sample

GREEN = Month("green", 2020, 10)
HEADER = (
    "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,"
    "PULocationID,DOLocationID,passenger_count,trip_distance,fare_amount,extra,mta_tax,"
    "tip_amount,tolls_amount,ehail_fee,improvement_surcharge,total_amount,payment_type,"
    "trip_type,congestion_surcharge\n"
)


def green(folder: Path, trips: list[tuple[str, str, str]]) -> Path:
    """Return a converted month of trips by time of pickup, zone and fare."""
    path = folder / "green.csv"
    path.write_text(
        HEADER
        + "".join(
            f"2,{pickup},{pickup},N,1,{zone},41,1,1.5,{fare},0,0.5,0,0,,0.3,9,1,1,0\n"
            for pickup, zone, fare in trips
        )
    )
    return convert(GREEN, path, folder).path


def test_trips_are_counted_by_day_and_hour_of_the_month_alone(tmp_path: Path) -> None:
    """The month's last second counts; the first one after it, and the year before, do not."""
    times = ["2020-10-01 00:00:00", "2020-10-31 23:59:59", "2020-10-31 23:00:00"]
    others = ["2020-11-01 00:00:00", "2019-10-05 12:00:00"]
    path = green(tmp_path, [(time, "74", "5") for time in [*times, *others]])
    assert count_month(GREEN, path).hours == {
        (dt.date(2020, 10, 1), 0): 1,
        (dt.date(2020, 10, 31), 23): 2,
    }


def test_fares_are_counted_in_bars_and_outliers_apart(tmp_path: Path) -> None:
    """A refund or a million does not flatten the bars; a missing fare is not a 0."""
    fares = ["0.5"] * 10 + ["5.5", "5.50", "5.51"] * 100 + ["9.99"] * 100
    path = green(
        tmp_path, [("2020-10-03 10:00:00", "74", fare) for fare in [*fares, "-3", "1000000", ""]]
    )
    found = count_month(GREEN, path).amounts
    assert found is not None
    assert (found.rows, found.median, found.below, found.above) == (412, 5.5, 1, 1)
    assert (found.low, found.width, found.high) == (0.0, 0.2, 10.0)
    bars = {place: count for place, count in enumerate(found.bars) if count}
    assert bars == {2: 10, 27: 300, 49: 100}


def test_zones_are_counted_where_there_are_any(tmp_path: Path) -> None:
    """A trip without a zone does not count as zone 0."""
    zones = ["74", "74", "41", ""]
    counts = count_month(GREEN, green(tmp_path, [("2020-10-03 10:00:00", z, "5") for z in zones]))
    assert counts.places == Places(((74, 2), (41, 1)), 3)
    assert counts.cells is None


def test_a_path_with_signs_that_mean_more_to_duckdb_is_a_path(tmp_path: Path) -> None:
    """The file in the folder is read, not those that its name matches as a pattern."""
    folder = tmp_path / "[1]*"
    folder.mkdir()
    counts = count_month(GREEN, green(folder, [("2020-10-03 10:00:00", "74", "5")]))
    assert counts.places == Places(((74, 1),), 1)


def test_an_old_month_is_counted_on_the_map(tmp_path: Path) -> None:
    """Every cell has the pickups that another reader finds between its sides."""
    month = Month("yellow", 2014, 5)
    source = tmp_path / "yellow_tripdata_2014-05.csv"
    write_sample(month, source, 500)
    counts = count_month(month, convert(month, source, tmp_path).path)
    with source.open() as file:
        rows = [{name.strip(): text for name, text in row.items()} for row in csv.DictReader(file)]
    pickups = [(float(row["pickup_longitude"]), float(row["pickup_latitude"])) for row in rows]
    cells = counts.cells
    assert cells is not None
    assert cells.rows == sum((x, y) != (0, 0) for x, y in pickups)
    near = 1e-9  # sides of cells have no exact binary value
    for (column, row), count in cells.counts.items():
        west = cells.extent.west + column * cells.side - near
        south = cells.extent.south + row * cells.side - near
        far = cells.side + 2 * near
        inside = [(x, y) for x, y in pickups if 0 <= x - west < far and 0 <= y - south < far]
        assert len(inside) >= count
    assert sum(cells.counts.values()) > 400
    assert counts.places is None


@pytest.mark.parametrize("month", [Month("fhv", 2020, 4), Month("fhvhv", 2020, 4)], ids=str)
def test_for_hire_months_are_counted_by_what_they_have(month: Month, tmp_path: Path) -> None:
    """CSV files have no fares, and their zones have that dataset's own spelling."""
    source = tmp_path / f"{month.stem}.csv"
    write_sample(month, source, 300)
    counts = count_month(month, convert(month, source, tmp_path).path)
    with source.open() as file:
        rows = list(csv.DictReader(file))
    name = next(n for n in rows[0] if n.lower() == "pulocationid")
    zones: Counter[int | str] = Counter(int(row[name]) for row in rows if row[name])
    assert counts.places is not None
    assert counts.places.rows == sum(zones.values())
    assert [zones[place] for place, _ in counts.places.most] == [n for _, n in counts.places.most]
    assert counts.places.most[0][1] == zones.most_common(1)[0][1]
    assert counts.cells is None
    assert counts.amounts is None


def test_the_usual_trip_is_the_median_and_the_bounds_leave_out_outliers(
    tmp_path: Path,
) -> None:
    """One trip of 9,999 USD raises the mean, not the median, and stays in the file."""
    path = tmp_path / "green.csv"
    rows = (
        f"2,2020-10-03 10:00:00,2020-10-03 10:30:00,N,1,74,41,1,{miles},5,0,0,0,0,,0,{usd},1,1,0\n"
        for miles, usd in (("1", "4"), ("2", "6"), ("3", "8"), ("4", "10"), ("90", "9999"))
    )
    path.write_text(HEADER + "".join(rows))
    path = convert(GREEN, path, tmp_path).path
    typical = {found.what: found for found in count_month(GREEN, path).typical}
    amount = typical["total, USD"]
    assert (amount.median, amount.mean_within, amount.beyond) == (8.0, 7.0, 1)
    assert amount.mean == pytest.approx(10_027 / 5)
    assert (typical["distance, miles"].median, typical["distance, miles"].beyond) == (3.0, 0)
    assert typical["duration, minutes"].median == 30.0
    speed = typical["speed, miles an hour"]
    assert (speed.median, speed.mean_within, speed.beyond) == (6.0, 5.0, 1)
