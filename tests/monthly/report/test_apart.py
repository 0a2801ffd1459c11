"""A separate process draws what this one would draw, and no month is lost with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from monthly.convert.to_parquet import convert
from monthly.month import Month
from monthly.report.apart import Drawer
from monthly.report.drawing import draw
from monthly.sample import write_sample

GREEN = Month("green", 2020, 10)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a converted month."""
    folder = tmp_path_factory.mktemp("apart")
    source = folder / "green.csv.gz"
    write_sample(GREEN, source, 200)
    return convert(GREEN, source, folder).path


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    """Yield a drawing process."""
    drawer = Drawer()
    yield drawer
    drawer.close()


def test_the_process_draws_what_this_one_draws(drawer: Drawer, parquet: Path) -> None:
    """It does so even after an error, which is raised here."""
    with pytest.raises(duckdb.IOException, match=r"none\.parquet"):
        drawer.draw(GREEN, parquet.with_name("none.parquet"), {})
    assert drawer.draw(GREEN, parquet, {74: "East Harlem"}) == draw(
        GREEN, parquet, {74: "East Harlem"}
    )


def test_a_process_that_was_killed_draws_nothing(drawer: Drawer, parquet: Path) -> None:
    os.kill(drawer.pid, signal.SIGKILL)
    assert drawer.draw(GREEN, parquet, {}) is None


def test_the_process_ends_with_the_run(parquet: Path) -> None:
    drawer = Drawer()
    drawer.close()
    with pytest.raises(ProcessLookupError):
        os.kill(drawer.pid, 0)
    assert drawer.draw(GREEN, parquet, {}) is None
