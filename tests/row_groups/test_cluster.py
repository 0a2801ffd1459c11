"""A Dask cluster and its workers, without a flow."""

from __future__ import annotations

import datetime as dt
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask.config
import psutil
import pytest

from core.dask.cluster_spec import ClusterSpec
from core.errors import ClusterError, UsageError
from core.storage.bucket import FolderBucket
from fakes.parquet_files import publish
from row_groups.cluster import rewrite_on, running
from row_groups.job import Job
from row_groups.places import Place
from row_groups.plan import plan_files


@pytest.mark.parametrize("where", ["", "tcp://10.0.0.1:8786", "tls://host:1", "coiled.Cluster"])
def test_a_cluster_is_named_by_nothing_an_address_or_a_class(where: str) -> None:
    spec = ClusterSpec.of(where, "{}")
    assert (spec.where, spec.is_address) == (where, "://" in where)


@pytest.mark.parametrize("options", ['{"n_workers": 4}', {"n_workers": 4}])
def test_options_are_json_or_a_mapping(options: str | dict[str, int]) -> None:
    assert ClusterSpec.of("coiled.Cluster", options).options == {"n_workers": 4}


@pytest.mark.parametrize("where", ["local host", "dask", "10.0.0.1:8786", "a..b"])
def test_a_text_that_names_no_cluster_is_refused(where: str) -> None:
    with pytest.raises(UsageError, match="is not valid: leave it empty, or write the address"):
        ClusterSpec.of(where, "{}")


@pytest.mark.cluster
def test_a_file_that_takes_its_workers_with_it_has_failed(tmp_path: Path, scratch: Path) -> None:
    """Here one lost worker is enough; Dask alone tolerates three more."""
    publish(tmp_path / "web", 1, 1_000_000, (300_000,))
    source, sink = Place(FolderBucket(tmp_path / "web")), Place(FolderBucket(tmp_path / "out"))
    now = dt.datetime.now(dt.timezone.utc)
    (file,) = plan_files(source, sink, "*.parquet", "", 1, now, 1_000)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        running(ClusterSpec("", {"n_workers": 1}), 1) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(rewrite_on, client, Job(file, source, sink, 1_000))
        (worker,) = client.run(os.getpid).values()
        while not list(scratch.glob("*/rewritten/*.parquet")):
            assert not waiting.done()
        psutil.Process(worker).kill()
        with pytest.raises(ClusterError, match=rf"{file.name}: 1 workers were lost with it"):
            waiting.result()
    assert not (tmp_path / "out").exists()
