"""The Docker deployments as people use them: server, agent, containers, bucket, PostgreSQL."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fakes import own_dataset
from fakes.docker_engine import containers, run, wait_until
from fakes.months_of_green import (
    SUMS,
    parameters,
    publish,
    publish_and_stop_half_way,
    wait_for_half,
)
from fakes.postgres import Database
from fakes.prefect_machine import Prefect, Program
from fakes.web import Page, Web

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def cron(prefect: Prefect, agent: Program) -> dt.datetime:
    """Apply a deployment whose scheduled time comes while other tests run."""
    now = dt.datetime.now(dt.timezone.utc)
    due = (now + dt.timedelta(seconds=150)).replace(second=0, microsecond=0)
    build = ["deployment", "build", "flows/etl_web_to_gcs.py:etl_web_to_gcs", "-n", "cron-flow"]
    build += ["-ib", "docker-container/zoom-docker", "-p", "default-agent-pool", "-q", "docker"]
    build += ["--path", "/opt/prefect", "--param", "source=sample:1000"]
    build += ["--param", "bucket=local-bucket/zoom-volume", "--timezone", "UTC"]
    file = prefect.home / "cron.yaml"
    prefect.run(*build, "--cron", f"{due:%M %H} * * *", "-o", str(file), "--apply")
    return due


def container_of(prefect: Prefect, run_id: str) -> str:
    """Return the container that the agent started for a run; others may be running."""
    engine, _, container = prefect.get(f"flow_runs/{run_id}")["infrastructure_pid"].rpartition(":")
    assert engine.startswith("http+docker:")
    return str(container)


def in_bucket(volume: Path) -> dict[str, tuple[int, float]]:
    """Return the rows and sum of each green month, read independently."""
    files = (volume / "bucket" / "data" / "green").glob("*.parquet")
    tables = {file.stem[-7:]: pq.read_table(file)["total_amount"] for file in sorted(files)}
    return {month: (len(found), sum(found.to_pylist())) for month, found in tables.items()}


def test_a_month_without_a_server(agent: Program) -> None:
    """One container without agent or root loads the month at the place that the table shows."""
    command = "id -u && python flows/etl_web_to_gcs.py --source sample:2000"
    said = run("docker", "run", "--rm", "--network=host", "zoom-flows:test", "sh", "-c", command)
    assert said.splitlines()[0] == "1000"
    assert re.search(r"yellow 2021-01  loaded, GENERATED +2,000 +2,000", said)


def test_the_parent_and_its_children_complete_in_a_container(
    prefect: Prefect, cron: dt.datetime, taxi: Database, web: Web, volume: Path
) -> None:
    """After `prefect deployment run`, the months are in bucket and warehouse."""
    publish(web, "2020-10", ["10.5", "4"])
    publish(web, "2020-11", ["7", "8", "9"])
    options = [f"--param={name}={value}" for name, value in parameters(web).items()]
    said = prefect.run(
        "deployment", "run", "etl-parent-flow/docker-flow", *options, "--param=months=10,11"
    )
    found = re.search(r"UUID: (\S+)", said)
    assert found
    (state,) = prefect.ended(found[1])
    assert (state["name"], state["message"]) == ("Completed", "2 loaded")
    children = prefect.children(found[1])
    names = Counter(child["name"] for child in children)
    assert names == {"green 2020-10": 2, "green 2020-11": 2}
    assert {child["state"]["type"] for child in children} == {"COMPLETED"}
    assert container_of(prefect, found[1]) in containers("--all")
    assert in_bucket(volume) == {"2020-10": (2, 14.5), "2020-11": (3, 24.0)}
    assert {("2020-10", 2, 14.5), ("2020-11", 3, 24.0)} <= set(taxi.query(SUMS))


def test_a_dataset_of_the_users_own_is_loaded_in_a_container(
    prefect: Prefect, agent: Program, taxi: Database, web: Web
) -> None:
    """Its deployment has its own schedule; the declaration is in the user's folder."""
    for month, minutes in (("2020-10", ["4.5", "10"]), ("2020-11", ["7", "8", "9.2"])):
        body = own_dataset.rides(month, minutes).encode()
        web.serve(f"/tram-{month}.csv", Page(body, etag=f'"{month}"'))
    name = f"etl-parent-flow/docker-flow-{own_dataset.NAME}"
    (state,) = prefect.ended(prefect.run_deployment(name, months="2020-10:2020-11"))
    assert (state["name"], state["message"]) == ("Completed", "2 loaded")
    columns = "to_char(file_month, 'YYYY-MM'), count(*), sum(minutes)::float8"
    found = taxi.query(f"SELECT {columns} FROM {own_dataset.NAME} GROUP BY 1 ORDER BY 1")
    assert found == own_dataset.TWO_MONTHS
    (schedule,) = prefect.get(f"deployments/name/{name}")["schedules"]
    assert not schedule["active"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == (
        own_dataset.CRON,
        own_dataset.ZONE,
    )


def test_an_agent_takes_only_the_runs_of_its_queue(prefect: Prefect, agent: Program) -> None:
    """A run in another queue waits until that queue's agent takes it."""
    options = {"source": "sample:1000", "month": 5}
    theirs = prefect.run_deployment("etl-web-to-gcs/local-flow", **options)
    ours = prefect.run_deployment("etl-web-to-gcs/docker-flow", **options)
    (state,) = prefect.ended(ours)
    assert state["type"] == "COMPLETED", state
    assert prefect.state(theirs)["type"] == "SCHEDULED"
    other = prefect.agent("local")
    (state,) = prefect.ended(theirs)
    other.stop()
    assert state["type"] == "COMPLETED", state
    took = [[run for run in (ours, theirs) if run in found.said()] for found in (agent, other)]
    assert took == [[ours], [theirs]]


def test_a_container_that_is_killed_is_reported_and_the_next_run_completes_the_month(
    prefect: Prefect, agent: Program, taxi: Database, web: Web, volume: Path
) -> None:
    """Killed during a download, it becomes Crashed; the next run loads the month."""
    half = publish_and_stop_half_way(web, "2020-12", rows=5_000)
    before = in_bucket(volume)
    run_id = prefect.run_deployment("etl-parent-flow/docker-flow", **parameters(web, months="12"))
    wait_for_half(volume, half)
    run("docker", "kill", container_of(prefect, run_id))
    (state,) = prefect.ended(run_id, seconds=30)
    assert state["type"] == "CRASHED"
    assert "137" in state["message"]
    assert in_bucket(volume) == before
    (child,) = prefect.children(run_id)
    assert child["state"]["type"] == "RUNNING"  # nobody was left to report that it ended
    tidy = prefect.run_deployment("tidy-runs/docker-flow", keep_hours=0)
    again = prefect.run_deployment("etl-parent-flow/docker-flow", **parameters(web, months="12"))
    tidied, completed = prefect.ended(tidy, again)
    assert tidied["message"].startswith("1 lost, 0 started again"), tidied
    assert prefect.state(child["id"])["type"] == "CRASHED"
    assert (completed["name"], completed["message"]) == ("Completed", "1 loaded")
    expected = (5_000, sum(range(5_000)) + 1_250.0)
    assert in_bucket(volume) == {**before, "2020-12": expected}
    assert ("2020-12", *expected) in taxi.query(SUMS)
    ranges = [r.headers["range"] for r in web.requests if "range" in r.headers and "12" in r.path]
    assert ranges == [f"bytes={half}-"]  # the new container resumed where the old one stopped


def test_a_run_of_a_cron_is_picked_up_at_its_time(prefect: Prefect, cron: dt.datetime) -> None:
    """It starts in a container within a minute, without help."""
    deployment = prefect.deployment("etl-web-to-gcs/cron-flow")

    def due() -> list[dict[str, Any]]:
        runs = prefect.runs(deployment_id={"any_": [deployment]})
        return [r for r in runs if _time(r["expected_start_time"]) == cron]

    wait_until("the run of the cron is there", lambda: bool(due()), 30)
    seconds = max(0.0, (cron - dt.datetime.now(dt.timezone.utc)).total_seconds()) + 60
    (state,) = prefect.ended(due()[0]["id"], seconds=seconds)
    assert state["type"] == "COMPLETED"
    (found,) = due()
    assert found["auto_scheduled"]
    late = (_time(found["start_time"]) - cron).total_seconds()
    assert -1 < late < 60, late


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_a_worker_runs_the_deployments_of_the_work_pool(prefect: Prefect, volume: Path) -> None:
    """Workers, Prefect's successor to agents, use the same image, volume and blocks."""
    worker = prefect.start("worker", "start", "--pool", "zoom-docker")
    run_id = prefect.run_deployment("etl-web-to-gcs/pool-flow", source="sample:1000", month=3)
    (state,) = prefect.ended(run_id)
    worker.stop()
    assert state["type"] == "COMPLETED", state
    assert (volume / "bucket/data/yellow/yellow_tripdata_2021-03.parquet").exists()
