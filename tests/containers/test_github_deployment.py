"""A deployment whose code an agent's own git fetches from GitHub for each run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fakes.prefect_machine import Prefect
from fakes.repository import Repository

pytestmark = pytest.mark.docker


def outcome(prefect: Prefect, month: int) -> dict[str, Any]:
    """Return the state in which a run of a generated month ends."""
    parameters = {"source": "sample:1000", "month": month}
    (state,) = prefect.ended(prefect.run_deployment("etl-web-to-gcs/github-flow", **parameters))
    return state


def test_each_run_has_the_code_that_is_published_then(
    prefect: Prefect, repository: Repository
) -> None:
    """The month is in the bucket; after a commit, the second run uses the new code."""
    agent = prefect.agent("local")
    first = outcome(prefect, month=9)
    flow = repository.folder / "flows/etl_web_to_gcs.py"
    flow.write_text(f"{flow.read_text()}\nraise RuntimeError('of the second commit')\n")
    repository.commit("A flow that cannot be loaded")
    second = outcome(prefect, month=10)
    agent.stop()
    assert first["type"] == "COMPLETED", first
    file = "bucket/data/yellow/yellow_tripdata_2021-09.parquet"
    assert pq.read_metadata(Path(prefect.environment["TRIPS_DATA"], file)).num_rows == 1_000
    assert second["type"] in {"FAILED", "CRASHED"}
    assert "of the second commit" in second["message"]
