"""A warehouse's figures of a month are those that its conversion measured, of that month alone."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fakes.google import Google
from fakes.three_warehouses import KINDS, Place, place_of
from monthly import datasets
from monthly.datasets import DATASETS, VARIABLE
from monthly.figures import Figures
from monthly.ledger import Entry, entry_key
from monthly.month import Month
from monthly.verify.checking import Request, verify
from monthly.verify.findings import Judgement
from monthly.verify.share import Share
from monthly.warehouses.duckdb import DuckDBFile

DECLARATION = """
title = "Things"
publisher = "Nobody"
first_month = "2020-01"
sources.web = "https://example.org/{year}-{month:02}.csv"

[columns.taken]
type = "timestamp"
description = "When."
[columns.day]
type = "date"
description = "The day."
[columns.number]
type = "int64"
description = "A number."
[columns.price]
type = "decimal(12,2)"
description = "A price."
[columns.weight]
type = "float64"
description = "A weight."
[columns.name]
type = "string"
description = "A name."
[columns.good]
type = "boolean"
description = "Whether it is."
[columns.absent]
type = "int64"
description = "Not in the file."
"""
ROWS = """taken,day,number,price,weight,name,good
2020-03-01 00:00:00.000001,2020-03-01,9223372036854775807,0.10,0.1,\u00e9,true
1969-12-31 23:59:59.999999,1969-12-31,9223372036854775807,0.20,0.2,z,false
2020-03-31 23:59:59.5,2020-03-31,-1,-7.05,NaN,\U0001f600,true
2020-03-02 00:00:00,2020-03-02,,,,Z,
,,,,,,
"""


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a dataset with a column of each type, and an empty warehouse of each kind."""
    (tmp_path / "declared").mkdir()
    (tmp_path / "declared" / "things.toml").write_text(DECLARATION)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "declared"))
    return place_of(request.param, request, tmp_path)


def figures(place: Place, **options: Any) -> Any:
    return place.warehouse.figures("things", DATASETS["things"].columns, **options)


def test_the_figures_of_each_type_are_those_of_the_published_values(place: Place) -> None:
    """They are exact where possible; the expected ones are counted by hand from the rows above."""
    march = Month("things", 2020, 3)
    place.publish(march, ROWS)
    found = figures(place)[march]
    big, us, day = 2**63 - 1, 1_583_020_800_000_000, 18_322
    assert found.rows == 5
    assert found.columns["number"] == Figures(3, -1, big, 2 * big - 1)
    price = found.columns["price"]
    assert price.count == 3
    ends = [Decimal(str(value)) for value in (price.least, price.most, price.total)]
    assert ends == [Decimal("-7.05"), Decimal("0.20"), Decimal("-6.75")]
    first, last = "1969-12-31 23:59:59.999999", "2020-03-31 23:59:59.500000"
    days = [us + 1, -1, us + 31 * 86_400_000_000 - 500_000, us + 86_400_000_000]
    assert found.columns["taken"] == Figures(4, first, last, sum(days))
    dates = Figures(4, "1969-12-31", "2020-03-31", day - 1 + day + 30 + day + 1)
    assert found.columns["day"] == dates
    assert found.columns["name"] == Figures(4, "Z", "\U0001f600", 2 + 1 + 4 + 1)
    assert found.columns["good"] == Figures(3, False, True, 2)
    weight = found.columns["weight"]
    assert (weight.count, weight.least, weight.most) == (2, 0.1, 0.2)
    assert weight.total == pytest.approx(0.3, rel=1e-9)
    assert found.columns["absent"] == Figures(0)
    assert found.columns["file_month"].most == "2020-03-01"


def test_of_floats_only_finite_ones_count_for_minimum_maximum_and_sum(
    place: Place, request: pytest.FixtureRequest
) -> None:
    """All count as values. A load refuses them, but another program may have written them."""
    march = Month("things", 2020, 3)
    place.publish(march, ROWS)
    cast = "CAST('{}' AS DOUBLE PRECISION)"
    values = ", ".join(
        f"({cast.format(value)}, DATE '2020-03-01')" for value in ("NaN", "Infinity", "-Infinity")
    )
    insert = f"INSERT INTO {place.table('things')} (weight, file_month) VALUES {values}"
    if isinstance(place.warehouse, DuckDBFile):
        place.warehouse.query(insert)
    else:
        place.ask(insert)
    weight = figures(place)[march].columns["weight"]
    assert (weight.count, weight.least, weight.most) == (5, 0.1, 0.2)
    assert weight.total == pytest.approx(0.3, rel=1e-9)


def test_only_the_months_asked_for_are_measured_and_each_on_its_own(place: Place) -> None:
    months = [Month("things", 2020, n) for n in (3, 4, 5)]
    for n, month in enumerate(months):
        text = f"taken,number\n{month.year_month}-02 00:00:00,{n}\n"
        place.publish(month, text)
    found = figures(place, months=months[:2])
    assert {month: f.columns["number"].total for month, f in found.items()} == {
        months[0]: 0,
        months[1]: 1,
    }
    assert figures(place).keys() == set(months)


def test_a_month_before_the_declared_first_one_hides_no_other(place: Place, tmp_path: Path) -> None:
    """It was loaded before `first_month` changed in the declaration."""
    march, april = (Month("things", 2020, n) for n in (3, 4))
    for month in (march, april):
        place.publish(month, f"taken,number\n{month.year_month}-02 00:00:00,1\n")
    path = tmp_path / "declared" / "things.toml"
    path.write_text(DECLARATION.replace('"2020-01"', '"2020-04"'))
    datasets.forget()
    assert place.warehouse.loaded("things").keys() == {april}
    assert place.warehouse.recorded("things").keys() == {april}
    assert figures(place).keys() == {april}
    request = Request("things", place.bucket, place.warehouse, Share(Fraction(1), 0))
    assert [(each.month, each.judgement) for each in verify(request)] == [(april, Judgement.GOOD)]


def test_nothing_is_measured_where_nothing_is(place: Place) -> None:
    assert figures(place) == {}
    assert place.warehouse.recorded("things") == {}


def test_the_ledger_row_has_the_entry_as_the_bucket_has_it(place: Place) -> None:
    march = Month("things", 2020, 3)
    entry = place.publish(march, ROWS)
    row = place.warehouse.recorded("things")[march]
    stored = place.bucket.read(entry_key(march))
    assert stored
    assert row.entry == Entry.of(json.loads(stored.data)) == entry
    assert (row.sha256, row.rows, row.source) == (entry.object_sha256, 5, entry.url)
    assert not row.touched


def test_a_ledger_from_before_1_3_gets_the_entry_with_the_next_load(
    place: Place, request: pytest.FixtureRequest
) -> None:
    """The table is changed in place: its months count as loaded, without a copy of their entry."""
    march, april = Month("things", 2020, 3), Month("things", 2020, 4)
    place.publish(march, ROWS)
    if isinstance(place.warehouse, DuckDBFile):
        place.warehouse.query("ALTER TABLE loaded_months DROP COLUMN entry")
    elif type(place.warehouse).__name__ == "BigQuery":
        google: Google = request.getfixturevalue("google")
        google.bigquery.drop_column("trips_data_all", "loaded_months", "entry")
    else:
        return  # PostgreSQL has it since 1.0
    assert place.warehouse.recorded("things")[march].entry is None
    loaded = place.warehouse.loaded("things")
    entry = place.publish(april, "taken,number\n2020-04-02 00:00:00,1\n")
    found = place.warehouse.recorded("things")
    assert (found[march].entry, found[april].entry) == (None, entry)
    assert place.warehouse.loaded("things") == {**loaded, april: entry.object_sha256}


def test_bigquery_says_what_the_query_reads_before_it_runs(
    place: Place, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    if type(place.warehouse).__name__ != "BigQuery":
        return
    google: Google = request.getfixturevalue("google")
    place.publish(Month("things", 2020, 3), ROWS)
    jobs = len(google.bigquery.jobs)
    figures(place)
    assert len(google.bigquery.jobs) == jobs + 1
    # By hand: taken, day, weight (NaN is null), number; price; good; name; file_month of all rows.
    names = 4 * 2 + 2 + 1 + 4 + 1
    assert google.bigquery.tried == [(4 + 4 + 2 + 3) * 8 + 3 * 16 + 3 + names + 5 * 8]
