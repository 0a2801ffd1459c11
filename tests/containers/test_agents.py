"""Agents that are killed, and a server that was down: each month is loaded once."""

from __future__ import annotations

import datetime as dt
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fakes.docker_engine import wait_until
from fakes.months_of_green import (
    SUMS,
    parameters,
    publish,
    publish_and_stop_half_way,
    wait_for_half,
)
from fakes.postgres import Database
from fakes.prefect_machine import Prefect
from fakes.web import Web

pytestmark = pytest.mark.docker

PARENT = "etl-parent-flow/local-flow"


def task_runs(prefect: Prefect, name: str) -> list[dict[str, Any]]:
    """Return the completed task runs with a name."""
    wanted = {"name": {"any_": [name]}, "state": {"type": {"any_": ["COMPLETED"]}}}
    found: list[dict[str, Any]] = prefect.post("task_runs/filter", task_runs=wanted)
    return found


def test_the_late_runs_of_a_week_do_the_work_once(
    prefect: Prefect, taxi: Database, web: Web
) -> None:
    """After a week without a server, five runs start at once; one of them has work."""
    publish(web, "2020-01", ["10.5", "4"])
    now = dt.datetime.now(dt.timezone.utc)
    deployment = prefect.deployment(PARENT)
    late = [
        prefect.post(
            f"deployments/{deployment}/create_flow_run",
            parameters=parameters(web, months="1"),
            state={
                "type": "SCHEDULED",
                "state_details": {"scheduled_time": str(now - dt.timedelta(days=days))},
            },
        )["id"]
        for days in range(7, 2, -1)
    ]
    wait_until(
        "the server finds them late",
        lambda: {prefect.state(run)["name"] for run in late} == {"Late"},
        60,
    )
    agent = prefect.agent("local")
    states = prefect.ended(*late, seconds=180)
    agent.stop()
    names = Counter(state["name"] for state in states)
    # One run brings the month into the bucket; the same or another loads the warehouse.
    assert set(names) == {"Completed", "Skipped"}
    assert names["Completed"] <= 2
    downloads = [r for r in web.requests if r.method == "GET" and "2020-01" in r.path]
    assert len(downloads) == 1
    assert len(task_runs(prefect, "transform green 2020-01")) == 1
    assert len(task_runs(prefect, "load green 2020-01")) == 2  # into the bucket, the warehouse
    assert taxi.query(SUMS) == [("2020-01", 2, 14.5)]


def test_a_run_goes_on_when_its_agent_is_killed(prefect: Prefect) -> None:
    """Only the agent is killed; its process goes on although nothing reads its output."""
    agent = prefect.agent("local")
    run = prefect.run_deployment("etl-web-to-gcs/local-flow", source="sample:400000", month=7)
    wait_until("it runs", lambda: prefect.state(run)["type"] == "RUNNING", 60)
    os.kill(agent.process.pid, signal.SIGKILL)
    agent.process.wait()
    (state,) = prefect.ended(run)
    assert state["type"] == "COMPLETED", state


def test_runs_that_are_killed_with_their_agent_are_finished_by_another(
    prefect: Prefect, taxi: Database, web: Web
) -> None:
    """As after a power cut, Prefect alone would show the run as Running indefinitely."""
    half = publish_and_stop_half_way(web, "2020-02", rows=3_000)
    first = prefect.agent("local")
    run = prefect.run_deployment(PARENT, **parameters(web, months="2"))
    wait_for_half(Path(prefect.environment["TRIPS_SCRATCH"]), half)
    first.kill()
    assert prefect.state(run)["type"] == "RUNNING"
    second = prefect.agent("local")
    (tidied,) = prefect.ended(prefect.run_deployment("tidy-runs/local-flow"))
    assert tidied["message"] == "2 lost, 1 started again, 0 containers removed"
    assert prefect.state(run)["type"] == "CRASHED"
    assert "is gone" in prefect.state(run)["message"]
    assert {child["state"]["type"] for child in prefect.children(run)} == {"CRASHED"}
    (again,) = prefect.runs(tags={"all_": ["again"]})
    (state,) = prefect.ended(again["id"])
    second.stop()
    assert (state["name"], state["message"]) == ("Completed", "1 loaded")
    assert ("2020-02", 3_000, sum(range(3_000)) + 750.0) in taxi.query(SUMS)
