"""Real files of other publishers in all three warehouses, compared with an independent reading."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fakes.google.months import bring
from fakes.real_data import real_file
from fakes.three_warehouses import KINDS, Place, place_of
from monthly.columns import Column
from monthly.datasets import DATASETS, VARIABLE
from monthly.ledger import Entry
from monthly.month import Month

pytestmark = [pytest.mark.real, pytest.mark.slow]

DECLARATIONS = Path(__file__).parents[2] / "fakes" / "declarations"
FILES = {
    "2010-03.csv.gz": ("mexico_bikes", 2010, 3),
    "2019-10-city-of-london-street.csv": ("city_crime", 2019, 10),
    "2020-01-city-of-london-street.csv": ("city_crime", 2020, 1),
    "JC-201703-citibike-tripdata.csv.gz": ("jersey_bikes", 2017, 3),
    "JC-201802-citibike-tripdata.csv.zip": ("jersey_bikes", 2018, 2),
    "JC-202001-citibike-tripdata.csv.zip": ("jersey_bikes", 2020, 1),
    "JC-202102-citibike-tripdata.csv": ("jersey_bikes", 2021, 2),
    "eng-hourly-01012016-01312016.csv": ("hourly_weather", 2016, 1),
    "hour-price_2020-03.csv": ("hourly_price", 2020, 3),
    "hour-price_2020-10.csv": ("hourly_price", 2020, 10),
    "smard_lu_2020-10.csv": ("quarter_hours", 2020, 10),
    "smard_lu_2024-03.csv": ("quarter_hours", 2024, 3),
}
#: The columns that hold a time, or a part of one.
TIMES = {
    *("Month", "starttime", "stoptime", "started_at", "ended_at", "Date/Time", "DateTime", "Datum"),
    *("time", "sdate", "stimestart", "zone_start"),
    *("Fecha_Retiro", "Hora_Retiro", "Fecha_Arribo", "Hora_Arribo"),
}
NUMBERS = ("int64", "decimal")


@pytest.mark.parametrize("kind", KINDS)
def test_every_month_is_what_was_published(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, and each column's values, minimum, maximum and sum, match to the last digit."""
    monkeypatch.setenv(VARIABLE, str(DECLARATIONS))
    place = place_of(kind, request, tmp_path)
    answers = json.loads(real_file("other/ANSWERS.json").read_text("utf-8"))
    others = set()
    for name, (dataset, *year_month) in FILES.items():
        month = Month(dataset, *year_month)
        entry = bring(place.bucket, month, real_file(f"other/{name}"), tmp_path)
        assert place.load(month, entry) == entry.rows_read
        answer = answers[name.removesuffix(".gz").replace(".csv.zip", ".csv")]
        assert entry.rows_written == answer["rows"]
        _compare_times(place, month, answer)
        for published, expected in answer["columns"].items():
            if not _compare(place, month, entry, published, expected):
                others.add(published)
    assert others == TIMES
    for dataset, *year_month in FILES.values():
        held = place.warehouse.loaded_month(Month(dataset, *year_month))
        assert held
        assert held.difference("it") is None


def _compare_times(place: Place, month: Month, answer: dict[str, Any]) -> None:
    """Compare the first and the last time; of a joined time, the answers have only the date."""
    column = DATASETS[month.dataset].column(DATASETS[month.dataset].roles.time)
    assert column
    table, where = place.table(month.dataset), f"WHERE file_month = '{month.first_day}'"
    figures = f'min("{column.name}"), max("{column.name}")'
    (found,) = place.ask(f"SELECT {figures} FROM {table} {where}")
    for value, text in zip(found, (answer["first"], answer["last"])):
        wanted = dt.datetime.fromisoformat(text)
        exact = column.kind == "timestamp" and not column.joined
        assert value == wanted if exact else str(value)[:10] == text[:10]


def _compare(
    place: Place, month: Month, entry: Entry, published: str, expected: dict[str, Any]
) -> bool:
    """Compare one column; return whether that was possible, as it is not for joined times."""
    column = _column(month, entry, published)
    if column is None or column.kind in ("timestamp", "date"):
        return False
    name, where = f'"{column.name}"', f"WHERE file_month = '{month.first_day}'"
    table = place.table(month.dataset)
    if column.kind in NUMBERS:
        figures = f"count({name}), min({name}), max({name}), sum({name})"
        ((count, *found),) = place.ask(f"SELECT {figures} FROM {table} {where}")
        assert count == expected["non_null"], (month, published)
        wanted = [Decimal(expected[figure]) for figure in ("min", "max", "sum")]
        assert [Decimal(str(value)) for value in found] == wanted, (month, published)
        return True
    query = f"SELECT {name} FROM {table} {where} AND {name} IS NOT NULL"
    texts = [text for (text,) in place.ask(query)]
    if expected["kind"] == "text":
        # The answers count a text that stands for no value, such as NA, as a value.
        assert len(texts) <= expected["non_null"], (month, published)
        assert len({*texts}) in (expected["distinct"], expected["distinct"] - 1)
    elif texts:
        assert sum(map(Decimal, texts)) == Decimal(expected["sum"]), (month, published)
        assert min(map(Decimal, texts)) == Decimal(expected["min"]), (month, published)
    return True


def _column(month: Month, entry: Entry, published: str) -> Column | None:
    dataset = DATASETS[month.dataset]
    names = {text: name for name, text in entry.kept.items()}
    if published in names:
        return Column(names[published], "string", "")
    found = dataset.column(published)
    return found if found and not found.joined else None
