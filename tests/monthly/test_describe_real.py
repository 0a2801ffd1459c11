"""Drafts from real published files load the values that an independent reader finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fakes.drafts import Drafted, draft_of
from fakes.real_data import real_file
from monthly.columns import fold

pytestmark = pytest.mark.real

MONTHS = {
    "2019-10-city-of-london-street.csv": "2019-10",
    "2020-01-city-of-london-street.csv": "2020-01",
    "JC-201703-citibike-tripdata.csv.gz": "2017-03",
    "JC-201802-citibike-tripdata.csv.zip": "2018-02",
    "JC-202001-citibike-tripdata.csv.zip": "2020-01",
    "JC-202102-citibike-tripdata.csv": "2021-02",
    "2010-03.csv.gz": "2010-03",
    "eng-hourly-01012016-01312016.csv": "2016-01",
    "smard_lu_2020-10.csv": "2020-10",
    "smard_lu_2024-03.csv": "2024-03",
    "hour-price_2020-03.csv": "2020-03",
    "hour-price_2020-10.csv": "2020-10",
}
#: Files of one publisher, some of several eras.
SETS = [
    *([name] for name in MONTHS),
    *([n for n in MONTHS if part in n] for part in ("street", "citibike", "smard", "hour-price")),
]
#: A float has 53 bits; this share of a sum of some thousands of floats is rounding.
_ROUNDING = Decimal("1e-12")


@pytest.mark.parametrize("names", SETS, ids=lambda names: "+".join(name[:12] for name in names))
def test_a_draft_loads_the_files_to_their_reference_answers(
    names: Sequence[str], tmp_path: Path
) -> None:
    """They compare rows, non-null values, minimum, maximum, sum, first and last time."""
    paths = [real_file(f"other/{name}") for name in names]
    found = draft_of(*paths, folder=tmp_path)
    answers = json.loads(real_file("other/ANSWERS.json").read_text())
    for path in paths:
        table = found.loaded(path, MONTHS[path.name])
        answer = answers[path.name.removesuffix(".gz").removesuffix(".zip")]
        assert len(table) == answer["rows"]
        for name, expected in answer["columns"].items():
            _compare(found, table, name, expected)
        _compare_times(found, table, answer)


def _compare(found: Drafted, table: pa.Table, name: str, expected: dict[str, Any]) -> None:
    with found.dataset() as dataset:
        column = dataset.known_names.get(fold(name))
        joined = [c.name for c in dataset.columns if name in c.joined]
    assert column or joined, name
    kept = table[column.name if column else joined[0]]
    assert len(kept) - kept.null_count == expected["non_null"], name
    if column and expected["kind"] in ("integer", "decimal") and column.kind != "string":
        for what, function in (("min", pc.min), ("max", pc.max), ("sum", pc.sum)):
            wanted = Decimal(expected[what])
            got = Decimal(str(function(kept).as_py()))
            assert abs(got - wanted) <= _ROUNDING * (abs(wanted) + 1_000), (name, what)
    elif column and expected["kind"] == "text" and column.kind == "string":
        assert pc.count_distinct(kept).as_py() == expected["distinct"], name


def _compare_times(found: Drafted, table: pa.Table, answer: dict[str, Any]) -> None:
    """Compare times; the answers may have only the date that the draft joins with a clock."""
    role = found.declared.roles.time
    column = found.columns[role]
    assert answer["time"] in (*column.aliases, *column.join, column.description)
    kept = table[role].cast(pa.timestamp("us"))
    first, last = (str(function(kept).as_py()) for function in (pc.min, pc.max))
    shown = 10 if column.join else None
    assert (first[:shown], last[:shown]) == (answer["first"][:shown], answer["last"][:shown])


def test_columns_of_three_eras_of_a_bike_system(tmp_path: Path) -> None:
    """Renamed columns are aliases; other codes of a category are proposed."""
    paths = [real_file(f"other/{name}") for name in MONTHS if "citibike" in name]
    found = draft_of(*paths, folder=tmp_path)
    columns = found.columns
    aliases = {name: column.aliases for name, column in columns.items() if column.aliases}
    assert aliases == {
        "started_at": ["starttime"],
        "ended_at": ["stoptime"],
        "start_lat": ["start station latitude"],
        "start_lng": ["start station longitude"],
        "end_lat": ["end station latitude"],
        "end_lng": ["end station longitude"],
    }
    assert '# codes = { Subscriber = "member", Customer = "casual" }' in found.text
    assert columns["start_station_id"].type == "string"
    assert columns["tripduration"].required
    assert columns["tripduration"].required.until == "2020-01"


@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        ("smard_lu_2020-10.csv", '# time_zone = "Europe/Berlin" # 2020-10-25 02:00:00'),
        ("hour-price_2020-10.csv", '# time_zone = "Europe/Berlin" # 2020-10-25 02:00:00'),
        ("hour-price_2020-10.csv", '["sdate", "stimestart", "zone_start"]'),
        ("eng-hourly-01012016-01312016.csv", '-{month:02}{last_day}{year}.csv"'),
        ("2010-03.csv.gz", "# Digits, but codes"),
    ],
)
def test_what_a_file_leaves_open_is_a_comment(name: str, proposal: str, tmp_path: Path) -> None:
    """The comment is next to the line that it explains."""
    assert proposal in draft_of(real_file(f"other/{name}"), folder=tmp_path).text


TLC = [
    "tlc/green/green_tripdata_2013-08.csv",
    "tlc/green/green_tripdata_2020-10.csv.gz",
    "tlc/green/green_tripdata_2024-01.parquet",
    "tlc/green/green_tripdata_2025-01.parquet",
]
YELLOW = [f"tlc/heads/yellow_tripdata_{month}.csv" for month in ("2009-01", "2012-06", "2016-03")]


@pytest.mark.parametrize("names", [TLC, YELLOW], ids=["green", "yellow"])
def test_trip_files_of_every_format_and_era(names: Sequence[str], tmp_path: Path) -> None:
    """As one dataset, every file loads completely, without losing a column."""
    paths = [real_file(name) for name in names]
    found = draft_of(*paths, folder=tmp_path)
    assert [
        line for line in found.told if "rejects 0; " in line and line.endswith("all equal")
    ] == [line for line in found.told if "the draft " in line]
    assert len(found.told) == 2 * len(names)
    assert found.types[found.declared.roles.time] == "timestamp"
