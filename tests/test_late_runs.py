"""Many late runs of due months do the work once."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fakes.commands import start
from test_cli import environment  # noqa: F401 - a fixture
from test_flows import bring_all, publish, totals

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


def test_a_week_of_late_runs_one_after_another(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first loads what was published meanwhile; the other six are Skipped as a whole."""
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
def test_late_runs_at_once_do_each_step_once(
    environment: dict[str, str],  # noqa: F811
    tmp_path: Path,
) -> None:
    """An agent starts four processes at once; for each month one of them does the work."""
    options = ("--color", "green", "--months", "due", "--due-months", "2")
    begun = dt.datetime.now(dt.timezone.utc)
    processes = [
        start(environment, ("parameterized_flow.py", *options, "--source", "sample:3000"))
        for _ in range(4)
    ]
    assert [process.wait() for process in processes] == [0] * 4
    ends = Counter((run.flow_id, run.name, run.state.name) for run in month_runs(begun))
    completed = [times for (_, _, state), times in ends.items() if state == "Completed"]
    assert completed == [1] * 4  # two months, into bucket and warehouse
    assert {state for _, _, state in ends} == {"Completed", "Skipped"}
    assert {count for count, _ in totals(tmp_path / "data").values()} == {3000}


def month_runs(since: dt.datetime) -> list[Any]:
    """Return the new runs of one month, into the bucket or the warehouse."""
    from prefect import get_client
    from prefect.client.schemas.filters import FlowFilter

    from fakes.new_runs import runs_since

    async def read() -> list[Any]:
        async with get_client() as client:
            which = FlowFilter.parse_obj({"name": {"any_": ["etl-web-to-gcs", "etl-gcs-to-bq"]}})
            new = runs_since(since)
            return list(await client.read_flow_runs(flow_filter=which, flow_run_filter=new))

    return asyncio.run(read())
