"""Arguments of local clusters, and classes by their import paths; none is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import distributed
import pytest

from core.dask import classes
from core.dask.classes import cluster_class, local_options
from core.errors import UsageError


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process start eight threads."""
    monkeypatch.setattr(classes, "most_threads", lambda: 8)


def test_a_local_cluster_has_workers_of_one_thread_that_only_this_machine_can_reach() -> None:
    """Under Prefect 2, months on a worker with two threads hang."""
    options = local_options(2)
    assert (options["n_workers"], options["threads_per_worker"]) == (2, 1)
    assert (options["host"], options["dashboard_address"]) == ("127.0.0.1", "127.0.0.1:0")
    own = options["preload"][-1]
    assert "dask_setup" in Path(own).read_text()


@pytest.mark.parametrize(("workers", "share"), [(1, "8"), (3, "2"), (16, "1")])
def test_the_threads_of_a_month_share_the_cores_with_other_workers(
    workers: int, share: str
) -> None:
    assert local_options(workers)["env"] == {"TRIPS_THREADS": share}


def test_further_arguments_take_precedence() -> None:
    """The last one wins, and a worker's own variables stay."""
    more = {"n_workers": 4, "memory_limit": "2GB", "env": {"A": "b"}}
    options = local_options(2, {"memory_limit": 0, "host": "0.0.0.0"}, more)
    assert options["host"] == "0.0.0.0"
    assert (options["n_workers"], options["memory_limit"]) == (4, "2GB")
    assert options["env"] == {"A": "b", "TRIPS_THREADS": "2"}
    assert local_options(2, {"env": {"TRIPS_THREADS": "5"}})["env"] == {"TRIPS_THREADS": "5"}


@pytest.mark.parametrize("count", ["a", 2.5])
def test_a_number_of_workers_that_is_none_is_refused(count: object) -> None:
    with pytest.raises(UsageError, match=f"n_workers {count!r} is not a whole number; write one"):
        local_options(2, {"n_workers": count})


def test_workers_in_this_process_get_no_environment() -> None:
    """It would be that of the process itself."""
    assert "env" not in local_options(2, {"processes": False})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("distributed.LocalCluster", distributed.LocalCluster),
        ("distributed.SSHCluster", distributed.SSHCluster),
    ],
)
def test_a_class_and_the_factory_of_dask_are_clusters(path: str, found: Any) -> None:
    assert cluster_class(path) is found


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no_such_package.Cluster", "cannot be imported"),
        ("distributed.NoCluster", "cannot be imported"),
        ("Cluster", "cannot be imported"),
        ("distributed.Client", "is not a cluster class of Dask"),
        ("os.getcwd", "is not a cluster class of Dask"),
    ],
)
def test_anything_else_is_refused(path: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"cluster '{path}' {said}"):
        cluster_class(path)
