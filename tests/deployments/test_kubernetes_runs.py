"""Runs of deployments as jobs: a server, an agent, a worker, and a stand-in for a cluster.

The container of a job is a process of this machine here; tests/containers has real ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from settings import PROJECT

import pytest

from fakes.docker_engine import wait_until
from fakes.kubernetes import Kubernetes
from fakes.kubernetes.deployed import AGENT, WORKER, deploy
from fakes.kubernetes.documented import rules
from fakes.months_of_green import TEMPLATE, publish_and_stop_half_way
from fakes.prefect_machine import Prefect
from fakes.web import Web

pytestmark = pytest.mark.cluster

FLOWS = [AGENT, WORKER]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Yield a cluster whose node runs a job's command here, in the tests' own folders."""
    home = tmp_path_factory.mktemp("node")

    def command(name: str, pod: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
        (container,) = pod["containers"]
        own = [f"PREFECT_HOME={home}", f"TRIPS_DATA={home}", f"TRIPS_SCRATCH={home}/scratch"]
        return ["env", *own, sys.executable, *container["args"][1:]]

    with Kubernetes(tmp_path_factory.mktemp("cluster"), rules(), command) as found:
        yield found


@pytest.fixture(scope="module")
def prefect(
    cluster: Kubernetes,
    prefect_database: Callable[[Path], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prefect]:
    """Yield a server with the deployments, an agent and a worker."""
    home = tmp_path_factory.mktemp("prefect")
    prefect_database(home / "prefect.db")
    found = Prefect(home, cluster.environment())
    try:
        found.serve(f"sqlite+aiosqlite:///{home}/prefect.db")
        deploy(found, "flows:1", PROJECT)  # an image has the project elsewhere
        found.agent("kubernetes")
        found.start("worker", "start", "--pool", "zoom-kubernetes")
        yield found
    finally:
        found.stop()


@pytest.fixture
def web() -> Iterator[Web]:
    """Yield a web server that publishes months."""
    with Web() as served:
        yield served


def begun(prefect: Prefect, flow: str, web: Web, folder: Path) -> str:
    """Start a run that hangs halfway through its download; return its id."""
    publish_and_stop_half_way(web, "2020-02", rows=3_000)
    run = prefect.run_deployment(
        flow,
        color="green",
        year=2020,
        month=2,
        source=web.url(TEMPLATE),
        bucket=str(folder / "months"),
    )
    wait_until("its download has begun", lambda: len(web.requests) == 2, 240)
    return run


def names(cluster: Kubernetes) -> list[str]:
    """Return the names of all jobs, including ended ones."""
    return [found["metadata"]["name"] for found in cluster.cluster.jobs()["items"]]


@pytest.mark.parametrize("flow", FLOWS)
def test_a_job_loads_a_month(
    prefect: Prefect, cluster: Kubernetes, flow: str, tmp_path: Path
) -> None:
    """A click on Run starts it; no request needs more than the page allows."""
    run = prefect.run_deployment(flow, source="sample:500", bucket=f"{tmp_path}/months", month=1)
    (state,) = prefect.ended(run, seconds=240)
    assert state["type"] == "COMPLETED", state
    assert list((tmp_path / "months").rglob("yellow_tripdata_2021-01.parquet"))
    assert cluster.refused == []
    job = cluster.cluster.created[-1]
    assert job["metadata"]["labels"]["prefect.io/flow-run-id"] == run


@pytest.mark.parametrize("flow", FLOWS)
def test_a_run_that_fails_says_why(prefect: Prefect, flow: str, tmp_path: Path) -> None:
    absent, bucket = f"{tmp_path}/absent.csv", str(tmp_path / "months")
    run = prefect.run_deployment(flow, source=absent, bucket=bucket)
    (state,) = prefect.ended(run, seconds=240)
    assert state["type"] == "FAILED", state
    assert "absent.csv" in state["message"]


@pytest.mark.parametrize("flow", FLOWS)
def test_cancelling_a_run_deletes_its_job(
    prefect: Prefect, cluster: Kubernetes, flow: str, web: Web, tmp_path: Path
) -> None:
    run = begun(prefect, flow, web, tmp_path)
    (job,) = cluster.cluster.running()
    prefect.cancel(run)
    (state,) = prefect.ended(run, seconds=240)
    assert state["type"] == "CANCELLED", state
    wait_until("its container ends", lambda: not cluster.cluster.running(), 60)
    wait_until("its job is deleted", lambda: job not in names(cluster), 10)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_run_whose_node_is_drained_has_crashed(
    prefect: Prefect, cluster: Kubernetes, flow: str, web: Web, tmp_path: Path
) -> None:
    run = begun(prefect, flow, web, tmp_path)
    (job,) = cluster.cluster.running()
    cluster.cluster.evict(job, drained=True)
    (state,) = prefect.ended(run, seconds=240)
    assert state["type"] == "CRASHED", state
