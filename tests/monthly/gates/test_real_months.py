"""No gate trips on a month as it was published, or on a generated one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from fakes.entries import entry_of, published_download
from fakes.real_data import real_file, real_folder
from monthly.convert.readings import Rules
from monthly.convert.to_parquet import convert
from monthly.gates.history import nearest
from monthly.gates.judging import Finding, judge
from monthly.gates.thresholds import Gates, thresholds_of
from monthly.ledger import Entry
from monthly.ledger import entry_of as converted_entry
from monthly.month import Month
from monthly.sample import write_sample

GREEN = [
    ("tlc/green/green_tripdata_2020-10.csv.gz", "2020-10"),
    ("tlc/green/green_tripdata_2023-12.parquet", "2023-12"),
    ("tlc/green/green_tripdata_2024-01.parquet", "2024-01"),
    ("tlc/green/green_tripdata_2025-01.parquet", "2025-01"),
]
CITIBIKE = [
    ("other/JC-201703-citibike-tripdata.csv.gz", "2017-03"),
    ("other/JC-201802-citibike-tripdata.csv.zip", "2018-02"),
    ("other/JC-202001-citibike-tripdata.csv.zip", "2020-01"),
    ("other/JC-202102-citibike-tripdata.csv", "2021-02"),
]
#: Parts of months, whose row counts say nothing about the months.
PARTS = {
    "green": [
        ("tlc/green/green_tripdata_2013-08.csv", "2013-08"),
        *(
            (f"tlc/heads/green_tripdata_{month}.csv", month)
            for month in [
                "2013-09",
                "2014-07",
                "2015-03",
                "2015-08",
                "2016-02",
                "2016-09",
                "2017-01",
            ]
        ),
        ("tlc/samples/green_tripdatasample_2020-04.csv", "2020-04"),
        *GREEN,
    ],
    "yellow": [
        *(
            (f"tlc/heads/yellow_tripdata_{month}.csv", month)
            for month in [
                "2009-01",
                "2010-03",
                "2012-06",
                "2014-05",
                "2015-01",
                "2016-03",
                "2016-08",
                "2017-03",
            ]
        ),
        ("tlc/yellow/yellow_tripdata_2019-06.first1000.csv", "2019-06"),
        ("tlc/samples/yellow_tripdatasample_2020-04.csv", "2020-04"),
        ("tlc/yellow/yellow_tripdata_2025-01.first10000.parquet", "2025-01"),
    ],
}
SHARES_AND_MEAN = {
    name: {"warn": None, "hold": None}
    for name in ("rows_rise", "rows_fall", "amount_rise", "amount_fall")
}


def rows_of_tlc(dataset: str) -> dict[Month, Entry]:
    """Return every month of a dataset as TLC published it, with its number of rows."""
    rows = {}
    for path in sorted(real_folder().glob("tlc/metadata/*.csv")):
        for row in csv.DictReader(path.read_text().splitlines()):
            if row["file_record_type"] == dataset:
                month = Month(dataset, int(row["file_year"]), int(row["file_month"]))
                rows[month] = int(row["file_num_rows"])
    return {
        month: entry_of(month, rows_read=count, rows_written=count, rows_rejected=0, quality={})
        for month, count in sorted(rows.items())
    }


@cache
def real_month(dataset: str, name: str, year_month: str, folder: Path) -> Entry:
    """Return the entry of a real file, converted once."""
    path = real_file(name)
    month = Month(dataset, int(year_month[:4]), int(year_month[5:]))
    converted = convert(month, path, folder, Rules(strict=False, max_outside_share=1.0))
    return converted_entry(month, published_download(month, path), converted)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


def odd(entries: Sequence[Entry], gates: Gates) -> list[tuple[str, Finding]]:
    """Return the findings of each entry, judged by all the others."""
    return [
        (entry.year_month, finding)
        for entry in entries
        for finding in judge(entry, [other for other in entries if other != entry], gates)
    ]


@pytest.mark.real
@pytest.mark.parametrize("dataset", ["yellow", "green", "fhv", "fhvhv"])
def test_no_month_that_tlc_published_trips_by_its_rows(dataset: str) -> None:
    """This includes spring 2020, whichever of its neighbors are loaded."""
    entries = rows_of_tlc(dataset)
    months = list(entries)
    assert len(months) > 60
    for at, month in enumerate(months):
        for before in (0, 1, 3, 6, 12):
            for after in (0, 12):
                there = months[max(at - before, 0) : at + after + 1]
                history = [entries[other] for other in nearest(month, there)]
                assert judge(entries[month], history, Gates()) == []


@pytest.mark.real
@pytest.mark.parametrize(("dataset", "files"), [("green", GREEN), ("citibike_jc", CITIBIKE)])
def test_no_whole_published_month_trips_any_gate(
    dataset: str, files: list[tuple[str, str]], folder: Path
) -> None:
    assert odd([real_month(dataset, *file, folder) for file in files], Gates()) == []


@pytest.mark.real
@pytest.mark.parametrize("dataset", PARTS)
def test_no_part_of_a_published_month_trips_a_gate_of_shares(dataset: str, folder: Path) -> None:
    """This covers all vintages, judged by the earlier months and by all others."""
    gates = thresholds_of(Gates(), SHARES_AND_MEAN)
    entries = [real_month(dataset, *file, folder) for file in PARTS[dataset]]
    assert odd(entries, gates) == []
    for at, entry in enumerate(entries):
        assert judge(entry, entries[:at], gates) == []


@pytest.mark.parametrize(
    ("dataset", "year"),
    [
        ("yellow", 2009),
        ("yellow", 2014),
        ("yellow", 2024),
        ("green", 2014),
        ("green", 2020),
        ("fhv", 2016),
        ("fhv", 2018),
        ("fhvhv", 2019),
        ("citibike_jc", 2020),
        ("fuel_brazil", 2024),
    ],
)
def test_no_generated_month_trips(dataset: str, year: int, tmp_path: Path) -> None:
    """This covers a change of the year, where headers change."""
    months = [
        *(Month(dataset, year, n) for n in (9, 12)),
        *(Month(dataset, year + 1, n) for n in (1, 2, 7)),
    ]
    entries = []
    for month in months:
        path = tmp_path / f"{month.stem}.csv.gz"
        write_sample(month, path, 400)
        converted = convert(month, path, tmp_path, Rules(max_reject_share=1.0))
        entries.append(converted_entry(month, published_download(month, path), converted))
    assert odd(entries, Gates()) == []
