"""Deployments as Kubernetes jobs, whose containers of the image run on a Docker engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.docker_engine import wait_until
from fakes.docker_image import IMAGE
from fakes.kubernetes import Kubernetes
from fakes.kubernetes.deployed import AGENT, WORKER, deploy
from fakes.kubernetes.documented import rules
from fakes.kubernetes.node import in_docker
from fakes.months_of_green import parameters, publish_and_stop_half_way, wait_for_half
from fakes.prefect_machine import Prefect
from fakes.web import Web

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def cluster(
    prefect: Prefect,
    volume: Path,
    left: Callable[[], set[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Kubernetes]:
    """Yield a cluster whose node is the engine, with the deployments, an agent and a worker."""
    node = in_docker({"months": volume})
    with Kubernetes(tmp_path_factory.mktemp("cluster"), rules(), node) as found:
        deploy(prefect, IMAGE, Path("/opt/prefect"))
        where = found.environment()
        agent = ("agent", "start", "-p", "default-agent-pool", "-q", "kubernetes")
        started = [
            prefect.start(*agent, **where),
            prefect.start("worker", "start", "--pool", "zoom-kubernetes", **where),
        ]
        yield found
        for program in started:
            program.stop()


@pytest.mark.parametrize(("flow", "month"), [(AGENT, 6), (WORKER, 8)])
def test_a_job_loads_a_month_on_its_volume(
    cluster: Kubernetes, prefect: Prefect, volume: Path, flow: str, month: int
) -> None:
    """`prefect deployment run` starts it; the job runs as the image's own user."""
    options = ["--param=source=sample:1000", f"--param=month={month}"]
    options.append("--param=bucket=local-bucket/zoom-volume")
    said = prefect.run("deployment", "run", flow, *options)
    (state,) = prefect.ended(said.partition("UUID: ")[2].split()[0])
    assert state["type"] == "COMPLETED", state
    assert (volume / f"bucket/data/yellow/yellow_tripdata_2021-0{month}.parquet").exists()
    assert cluster.refused == []


def test_a_job_that_fails_says_why(cluster: Kubernetes, prefect: Prefect) -> None:
    run = prefect.run_deployment(AGENT, source="/opt/prefect/absent.csv")
    (state,) = prefect.ended(run)
    assert state["type"] == "FAILED", state
    assert "absent.csv" in json.dumps(state)


@pytest.mark.parametrize(("ending", "month"), [("CANCELLED", 3), ("CRASHED", 4)])
def test_a_job_that_is_taken_away_ends_its_run(
    cluster: Kubernetes, prefect: Prefect, web: Web, volume: Path, ending: str, month: int
) -> None:
    """A person cancels the run, or its node is drained and its pod deleted."""
    half = publish_and_stop_half_way(web, f"2020-0{month}", rows=1_000 * month)
    run = prefect.run_deployment(AGENT, **parameters(web, month=month))
    wait_for_half(volume, half)
    (job,) = cluster.cluster.running()
    if ending == "CANCELLED":
        prefect.run("flow-run", "cancel", run)
    else:
        cluster.cluster.evict(job, drained=True)
    (state,) = prefect.ended(run)
    assert state["type"] == ending, state
    wait_until("its container is gone", lambda: not cluster.cluster.running(), 60)
