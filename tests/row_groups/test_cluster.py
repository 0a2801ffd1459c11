"""A Dask cluster and its workers, without a flow."""

from __future__ import annotations

import datetime as dt
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.config
import psutil
import pytest
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from core.dask.cluster_spec import ClusterSpec
from core.errors import ClusterError, Remedy, UsageError
from core.storage.bucket import FolderBucket
from fakes.parquet_files import publish
from row_groups import cluster
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


@pytest.mark.parametrize(
    ("where", "said"),
    [("", "the local cluster"), ("coiled.Cluster", "cluster coiled.Cluster")],
)
def test_an_argument_that_a_cluster_does_not_take_is_named(
    where: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*, n_workers: int = 1, **others: object) -> None:
        raise TypeError(f"unexpected keyword argument {[*others][-1]!r}")

    monkeypatch.setattr(cluster, "LocalCluster", refusing)
    monkeypatch.setattr(cluster, "cluster_class", lambda path: refusing)
    spec = ClusterSpec.of(where, {"n_worker": 4, "env": {}})
    with (
        pytest.raises(UsageError, match=f"^{said} does not take these cluster_options: unexpected"),
        running(spec, 1),
    ):
        pytest.fail("it started")


WORKER: Any = SimpleNamespace(address="tcp://w")


class Broken:
    """A client whose jobs end with an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def submit(self, job: Any, *arguments: Any, key: str, pure: bool) -> Any:
        """Return a future; a job that Dask takes for pure would not run a second time."""
        assert (key[:2], pure) == ("a-", False)
        return SimpleNamespace(result=self._result)

    def _result(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "said", "remedies"),
    [
        (
            KilledWorker("a", WORKER, 3),
            "a: 4 workers were lost with it, most likely because memory ran out",
            ("give them more", Remedy("rows_per_group", 500)),
        ),
        (
            FutureCancelledError("a", "scheduler-connection-lost", "x"),
            "a: the cluster was lost (a cancelled for reason: scheduler-connection-lost.",
            (),
        ),
    ],
)
def test_a_file_whose_workers_or_cluster_are_lost_is_named(
    error: Exception, said: str, remedies: tuple[Any, ...]
) -> None:
    job: Any = SimpleNamespace(file=SimpleNamespace(name="a"), rows_per_group=1_000)
    client: Any = Broken(error)
    with pytest.raises(ClusterError) as lost:
        rewrite_on(client, job)
    assert lost.value.message.startswith(said)
    assert lost.value.remedies == remedies


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


def test_a_cluster_forgets_the_code_of_other_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of versions before 1.10 have other names."""
    for name, file in (
        ("before", "/tmp/taxi-0a1b.zip/row_groups/job.py"),
        ("other", "/tmp/taxi-flows-1111-2222.zip/row_groups/job.py"),
        ("same", "/tmp/taxi-flows-3333-4444.zip/row_groups/job.py"),
        ("mine", "/home/taxi-data/job.py"),
    ):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__file__=file))
    cluster._forgetting("taxi-flows-3333")()
    there = {"before", "other", "same", "mine"} & sys.modules.keys()
    assert there == {"same", "mine"}
