"""Each of the project's own ways in the benchmark does its job, on a thousand rows."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from fakes.postgres import Database
from monthly.convert.to_parquet import convert
from monthly.month import Month
from monthly.sample import write_sample

BENCH = Path(__file__).absolute().parents[2] / "dev" / "bench"
MONTH = Month("yellow", 2021, 1)
ROWS = 1_000


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a published month, with the modules of the benchmark on the path."""
    monkeypatch.syspath_prepend(str(BENCH))
    path = tmp_path / f"{MONTH.stem}.csv.gz"
    write_sample(MONTH, path, ROWS)
    (tmp_path / "out").mkdir()
    return path


@pytest.mark.parametrize("name", ["zoomcamp", "ours", "duckdb", "pyarrow", "parse", "write"])
def test_a_way_to_parquet_brings_every_row(name: str, source: Path, tmp_path: Path) -> None:
    assert getattr(import_module("ways"), name)(source, tmp_path / "out")() == ROWS


@pytest.mark.parametrize("name", ["ours", "load"])
def test_a_way_into_postgres_brings_every_row(
    name: str, source: Path, tmp_path: Path, database: Database
) -> None:
    way = getattr(import_module("postgres_ways"), name)
    url = database.url.render_as_string(hide_password=False)
    assert way(url, source, tmp_path / "out")() == ROWS
    assert database.query("SELECT count(*) FROM yellow_trips") == [(ROWS,)]


def test_the_way_to_row_groups_brings_every_row(source: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    parquet = convert(MONTH, source, tmp_path / "in").path
    assert import_module("row_groups_ways").ours(parquet, tmp_path / "out")() == ROWS


@pytest.mark.parametrize("name", ["insert", "load", "again"])
def test_a_way_into_duckdb_loads_every_row(name: str, source: Path, tmp_path: Path) -> None:
    assert getattr(import_module("duckdb_ways"), name)(source, tmp_path / "out")() == ROWS


def test_the_year_alone_is_twelve_months(source: Path, tmp_path: Path) -> None:
    ways = import_module("duckdb_ways")
    for month in ways.YEAR:
        write_sample(month, source.parent / f"{month.stem}.csv.gz", ROWS)
    assert ways.year(source.parent, tmp_path / "out")() == 12 * ROWS


def test_a_wait_counts_from_the_end_of_the_loads_ahead(source: Path) -> None:
    """The second run waits 1 s beyond the first, as the third overtakes it."""
    beyond = import_module("duckdb_figures")._beyond
    assert beyond([[0, 0, 1], [0.25, 2, 3], [0.5, 1, 2]]) == [0, 1, 0]
