"""A pile of late runs of what is due does the work once."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path

import pytest

from test_cli import command, environment  # noqa: F401 - a fixture
from test_flows import bring_all, publish, totals

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


def test_a_week_of_late_runs_one_after_another(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first brings what was published meanwhile, six others are Skipped as a whole."""
    import parameterized_flow

    monkeypatch.setattr(parameterized_flow, "_today", lambda: dt.date(2021, 1, 15))
    publish(place, "2020-11", ["1"])
    publish(place, "2020-12", ["2", "3"])
    states = [bring_all(place, "due", due_months=2) for _ in range(7)]
    assert [state.name for state in states] == ["Completed"] + ["Skipped"] * 6
    assert states[0].message == "2 loaded"
    assert states[6].message == "2 unchanged"
    assert totals(place) == {"2020-11": (1, 1.0), "2020-12": (2, 5.0)}


@pytest.mark.cluster
def test_late_runs_at_once_bring_each_month_once(
    environment: dict[str, str],  # noqa: F811
    tmp_path: Path,
) -> None:
    """Four processes that an agent starts together: one loads a month, the others wait for it."""
    options = ("--color", "green", "--months", "due", "--due-months", "2")
    processes = [
        subprocess.Popen(
            command("parameterized_flow.py", *options, "--source", "sample:3000"),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(4)
    ]
    told = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    lines = [line for text in told for line in text.splitlines() if line.startswith("green ")]
    months = {line[:13] for line in lines}
    assert len(months) == 2
    for month in months:
        statuses = [line.split()[2] for line in lines if line[:13] == month and "  " in line]
        assert sorted(statuses) == ["loaded", "unchanged", "unchanged", "unchanged"]
    assert {count for count, _ in totals(tmp_path / "data").values()} == {3000}
