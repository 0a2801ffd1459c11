"""Months on Dask: real worker processes, one of which is killed."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.dask.memory import WORKER_MEMORY
from core.errors import TripsError
from fakes import own_dataset, preloaded
from fakes.commands import run
from fakes.dask_clusters import dask_processes
from fakes.duckdb_files import attached
from fakes.preloaded import Process, Started
from fakes.stopping import stop
from fakes.web import Fault, Page, Web
from orchestration.json_log import KEYS
from test_cli import PROJECT, _prefect_settings, command
from test_flows import TEMPLATE, bring_all, publish, source, totals, trips
from test_json_log import FIRST
from test_notices import Webhook, webhook

__all__ = ["webhook"]  # a fixture

pytestmark = [pytest.mark.flow, pytest.mark.cluster, pytest.mark.usefixtures("prefect_server")]

FLOWS = str(PROJECT / "flows")
SECONDS = 120


@pytest.fixture
def shared(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the test's place, which worker processes find through the environment."""
    monkeypatch.setenv("TRIPS_DATA", str(place))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    return place


@pytest.fixture
def environment(shared: Path) -> dict[str, str]:
    """Return the variables of a command, with the session's Prefect database.

    Dask leaves what it passes to its workers in the environment of a process that had a cluster.
    """
    own = {name: value for name, value in os.environ.items() if name not in WORKER_MEMORY}
    return own | _prefect_settings()


@pytest.fixture
def server() -> Iterator[Web]:
    """Run the test's own web server."""
    with Web() as served:
        yield served


def wait_for(what: Callable[[], Any], process: Started) -> Any:
    """Return what a condition finds, as soon as it finds it."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if found := what():
            return found
        assert process.poll() is None, f"ended with exit code {process.returncode}"
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def workers_of(process: Process) -> list[psutil.Process]:
    """Return the processes that a command has started, and those that they have started."""
    found: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return found


def session_of(process: Process) -> list[psutil.Process]:
    """Return what is left in a command's session, even after it has ended."""
    return [each for each in psutil.process_iter() if _session(each) == process.pid]


def _session(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid) if process.status() != psutil.STATUS_ZOMBIE else 0
    except (psutil.NoSuchProcess, ProcessLookupError):
        return 0


def downloading(process: Process, size: int) -> list[psutil.Process]:
    """Return the worker, or the command itself, that has a download of this size open."""
    processes = [psutil.Process(process.pid), *workers_of(process)]
    return [each for each in processes if size in _sizes_of_downloads(each)]


def _sizes_of_downloads(process: psutil.Process) -> list[int]:
    try:
        files = process.open_files()
    except psutil.NoSuchProcess:  # a short-lived child of the command
        return []
    return [Path(f.path).stat().st_size for f in files if f.path.endswith(".part")]


def hang_in_the_middle(server: Web) -> int:
    """Publish green 2020-10, 20,000 trips of n + 0.25, and hang once after half of the bytes."""
    body = trips("2020-10", [f"{n}.25" for n in range(20_000)]).encode()
    server.serve("/green_tripdata_2020-10.csv", Page(body, etag='"one"'))
    server.fail(Fault())  # the request before the download succeeds
    server.fail(Fault(after=len(body) // 2, hang=True))
    return len(body) // 2


def states_of_runs(since: dt.datetime) -> list[str]:
    """Return the states of the new flow runs, sorted."""
    from prefect import get_client

    from fakes.new_runs import runs_since

    async def read() -> list[str]:
        async with get_client() as client:
            runs = await client.read_flow_runs(flow_run_filter=runs_since(since))
            return sorted(str(run.state and run.state.type.value) for run in runs)

    return asyncio.run(read())


def test_months_on_two_workers_arrive_once(shared: Path) -> None:
    """With two processes and one DuckDB file, every month is there, and the cluster is gone."""
    for month in range(1, 5):
        publish(shared, f"2020-{month:02}", ["1.5"] * month)
    before = dask_processes(psutil.Process())
    state = bring_all(shared, "1:4", engine="dask")
    assert state.name == "Completed", state.message
    assert [line.status for line in state.result()] == ["loaded"] * 4
    assert totals(shared) == {f"2020-{n:02}": (n, 1.5 * n) for n in range(1, 5)}
    assert {*dask_processes(psutil.Process())} <= {*before}


def test_workers_log_the_same_json_as_the_command(environment: dict[str, str], server: Web) -> None:
    """Each stage of a month has a line with its ids, counts and seconds, and no secret."""
    page = Page(trips("2020-10", ["10.5", "4"]).encode())
    server.serve("/green_tripdata_2020-10.csv?sig=s1gned", page)
    template = server.url(f"{TEMPLATE}?sig=s1gned")
    months = ("--color", "green", "--months", "2020-10", "--source", template, "--engine", "dask")
    settings = environment | {"TRIPS_LOG": "json", "TRIPS_SECRET_PORTAL": "2 rows"}
    done = run(settings, "parameterized_flow.py", *months, "--workers", "1", "--gates", "off")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {tuple(line) for line in lines} == {(*FIRST, *KEYS)}
    of_month = [line for line in lines if line["month"] == "2020-10" and line["seconds"]]
    assert {"extract", "transform", "load", "report", "run"} <= {each["stage"] for each in of_month}
    assert all(each["flow_run_id"] and each["dataset"] == "green" for each in of_month)
    (converted,) = [line for line in of_month if line["stage"] == "transform"]
    assert (converted["counts"]["rows_read"], converted["counts"]["rows_written"]) == (2, 2)
    assert "s1gned" not in done.stderr
    assert "2 rows" not in done.stderr


def test_months_of_a_dataset_of_the_users_own(
    environment: dict[str, str], shared: Path, tmp_path: Path
) -> None:
    """A worker finds a declaration in the user's own folder, as the command does."""
    declared = {"TRIPS_DATASETS": own_dataset.declare_with_two_months(tmp_path / "own")}
    options = ("--dataset", own_dataset.NAME, "--months", "2020-10:2020-11", "--engine", "dask")
    found = run(environment | declared, "parameterized_flow.py", *options, "--workers", "1")
    assert found.returncode == 0, found.stderr
    with attached(shared / "trips.duckdb", read_only=True) as db:
        assert db.sql(own_dataset.SUMS).fetchall() == own_dataset.TWO_MONTHS


def test_a_cluster_is_started_only_when_there_is_work(shared: Path) -> None:
    """Without work, not even the scheduler's address is contacted."""
    publish(shared, "2020-10", ["1"])
    assert bring_all(shared, "10").name == "Completed"
    state = bring_all(shared, "10", engine="dask", cluster="tcp://127.0.0.1:9")
    assert state.name == "Skipped"


def test_one_failed_month_is_named_and_the_others_arrive(
    shared: Path,
    webhook: Webhook,
) -> None:
    """As with threads, it has the reason, which comes from the worker, and one notification."""
    (shared / "web/green_tripdata_2020-10.csv").write_text("<html><body>moved</body></html>")
    publish(shared, "2020-11", ["1"])
    state = bring_all(shared, "10,11", engine="dask", workers=1)
    assert state.is_failed()
    assert state.message.startswith("1 of 2 months failed: green 2020-10: ")
    assert "web page" in state.message
    assert totals(shared) == {"2020-11": (1, 1.0)}
    (message,) = webhook.messages
    assert message.startswith("etl-parent-flow green 2020: 10,11: Failed\n1 of 2 months failed: ")


def test_a_killed_worker_costs_nothing(
    environment: dict[str, str], shared: Path, server: Web, tmp_path: Path
) -> None:
    """After SIGKILL with half of a month downloaded, another worker completes it once."""
    half = hang_in_the_middle(server)
    begun = dt.datetime.now(dt.timezone.utc)
    said, log = tmp_path / "said", tmp_path / "log"
    months = dask_command(server, "--months", "2020-10", "--workers", "2")
    with said.open("wb") as out, log.open("wb") as err:
        process = preloaded.start(months, environment, stdout=out, stderr=err)
    (killed,) = wait_for(lambda: downloading(process, half), process)
    assert WORKER_MEMORY.items() <= killed.environ().items()
    killed.kill()
    assert process.wait(SECONDS) == 0, log.read_text()
    assert "green 2020-10  loaded" in said.read_text()
    assert totals(shared) == {"2020-10": (20_000, sum(range(20_000)) + 5000.0)}
    ranges = [r.headers["range"] for r in server.requests if "range" in r.headers]
    assert ranges == [f"bytes={half}-"]
    # The killed worker's run and the other worker's; the warehouse's, the parent's,
    # and the one that holds the cluster.
    assert states_of_runs(begun) == ["COMPLETED"] * 4 + ["CRASHED"]


def dask_command(server: Web, *options: str) -> list[str]:
    where = ("--color", "green", "--source", server.url(TEMPLATE), "--engine", "dask")
    return command("parameterized_flow.py", *where, "--no-report", *options)


@pytest.mark.parametrize("engine", ["dask", "threads"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_leaves_no_process(
    environment: dict[str, str],
    shared: Path,
    server: Web,
    tmp_path: Path,
    sent: signal.Signals,
    engine: str,
) -> None:
    """After Ctrl-C, an agent's SIGTERM or a kill within a month, the next run completes it."""
    half = hang_in_the_middle(server)
    with (tmp_path / "said").open("wb") as said:
        process = preloaded.start(
            dask_command(server, "--months", "2020-10", "--engine", engine),
            environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    wait_for(lambda: downloading(process, half), process)
    # A terminal sends Ctrl-C to everything that the command has started.
    (os.killpg if sent is signal.SIGINT else os.kill)(process.pid, sent)
    assert process.wait(SECONDS) == -sent
    _, alive = psutil.wait_procs(session_of(process), timeout=SECONDS)
    assert alive == []
    if sent is signal.SIGINT:
        said_at_last = (tmp_path / "said").read_text()
        assert "Stopped. The same command again completes what is missing." in said_at_last
        assert "Traceback" not in said_at_last
        assert "Restarting worker" not in said_at_last
    assert bring_all(shared, "10", source=server.url(TEMPLATE)).name == "Completed"
    assert totals(shared)["2020-10"][0] == 20_000


@contextmanager
def cluster_elsewhere(
    environment: dict[str, str],
    workers: int = 1,
    threads: int = 1,
    scheduler: dict[str, str] | None = None,
) -> Iterator[str]:
    """Start a scheduler, in the same or another environment, and workers by hand."""
    told = Path(environment["TRIPS_DATA"]) / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    here = ("--host", "127.0.0.1", "--scheduler-file", str(told))
    first = [*dask, "scheduler", *here, "--port", "0", "--no-dashboard"]
    worker = [*dask, "worker", *here, "--nthreads", str(threads)]
    parts = [(first, scheduler or environment), *[(worker, environment)] * workers]
    quiet = subprocess.DEVNULL
    started = [subprocess.Popen(p, env=env, stdout=quiet, stderr=quiet) for p, env in parts]
    try:
        address = wait_for(lambda: _address_in(told), started[0])
        _wait_for_workers(address, workers, started[0])
        yield address
    finally:
        for process in reversed(started):
            stop(process)


def _address_in(told: Path) -> str:
    with suppress(FileNotFoundError, ValueError):  # not written, or not completely
        return str(json.loads(told.read_text())["address"])
    return ""


def _wait_for_workers(address: str, workers: int, scheduler: subprocess.Popen[Any]) -> None:
    import distributed

    connect: Any = distributed.Client
    with connect(address, timeout=SECONDS, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=SECONDS) if workers else None
    assert scheduler.poll() is None


def test_months_on_a_cluster_that_runs_already(environment: dict[str, str], shared: Path) -> None:
    """The cluster is used by its address and keeps running; the months are in the shared bucket."""
    publish(shared, "2020-10", ["1", "2"])
    with cluster_elsewhere(environment | {"PYTHONPATH": FLOWS}) as address:
        for _ in range(2):
            options = ("--color", "green", "--months", "2020-10", "--source", source(shared))
            found = run(
                environment,
                "parameterized_flow.py",
                *options,
                *("--engine", "dask", "--cluster", address, "--force", "--no-report"),
            )
            assert found.returncode == 0, found.stderr
    assert totals(shared) == {"2020-10": (2, 3.0)}


@pytest.mark.parametrize("stranger", ["scheduler", "worker"])
def test_a_cluster_without_the_flows_is_named(
    environment: dict[str, str], shared: Path, stranger: str
) -> None:
    """The error comes before any month runs, with a remedy."""
    publish(shared, "2020-10", ["1"])
    knows = environment | {"PYTHONPATH": FLOWS}
    worker, scheduler = (environment if stranger == n else knows for n in ("worker", "scheduler"))
    with cluster_elsewhere(worker, scheduler=scheduler) as address:
        state = bring_all(shared, "10", engine="dask", cluster=address)
    said = str(state.result(raise_on_failure=False))
    assert f"the Dask {stranger} " in said
    assert "does not know the flows; start it with PYTHONPATH=" in said


def test_a_worker_with_two_threads_is_refused(environment: dict[str, str], shared: Path) -> None:
    """Under Prefect 2, two flow runs in one process deadlock."""
    publish(shared, "2020-10", ["1"])
    known = environment | {"PYTHONPATH": FLOWS}
    with cluster_elsewhere(known, threads=2) as address:
        state = bring_all(shared, "10", engine="dask", cluster=address)
    said = str(state.result(raise_on_failure=False))
    assert "has 2 threads, and months on it would hang; start it with --nthreads 1" in said


def test_a_scheduler_without_workers_is_refused(environment: dict[str, str], shared: Path) -> None:
    publish(shared, "2020-10", ["1"])
    with cluster_elsewhere(environment, workers=0) as address:
        state = bring_all(shared, "10", engine="dask", cluster=address)
    assert f"{address} has no workers" in str(state.result(raise_on_failure=False))


def test_a_cluster_class_with_its_arguments(shared: Path) -> None:
    """Any Dask class works by its import path, with JSON from the command line or the UI."""
    publish(shared, "2020-10", ["1"])
    options = '{"n_workers": 1, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}'
    state = bring_all(
        shared, "10", engine="dask", cluster="distributed.LocalCluster", cluster_options=options
    )
    assert state.name == "Completed", state.message
    assert totals(shared) == {"2020-10": (1, 1.0)}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cluster": "tcp://127.0.0.1:9"}, "no Dask scheduler answers at tcp://127.0.0.1:9"),
        ({"cluster": "subprocess.Popen"}, "'subprocess.Popen' is not a cluster class of Dask"),
        ({"cluster": "dask_moon.Base"}, "cluster 'dask_moon.Base' cannot be imported"),
        ({"cluster_options": "[1]"}, "cluster_options '[1]' is not a JSON object"),
        ({"cluster_options": "{n: 1}"}, "cluster_options '{n: 1}' is not a JSON object"),
        (
            {"cluster": "tcp://127.0.0.1:9", "cluster_options": {"n_workers": 2}},
            "is already running and takes no cluster_options",
        ),
        ({"cluster_options": {"threads_per_worker": 2}}, "hang on workers with 2 threads"),
        ({"workers": 0}, "workers 0 is too few; write 1 or more"),
        (
            {"cluster_options": {"n_worker": 4, "n_workers": 1}},
            "cluster of this machine cannot be used: Nanny failed to start.: Server.__init__() got "
            "an unexpected keyword argument 'n_worker'",
        ),
        (
            {"cluster_options": {"memory_limit": "much"}},
            "the local cluster does not take these cluster_options: Could not interpret 'much'",
        ),
        (
            {"cluster": "distributed.SSHCluster", "cluster_options": {"host": ["a"]}},
            "cluster distributed.SSHCluster does not take these cluster_options: `hosts` must be",
        ),
    ],
)
def test_an_invalid_cluster_is_refused(
    shared: Path, options: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the value and a valid one; nothing is written."""
    import engines.dask

    monkeypatch.setattr(engines.dask, "CONNECT_SECONDS", 1)
    publish(shared, "2020-10", ["1"])
    state = bring_all(shared, "10", engine="dask", **options)
    error = state.result(raise_on_failure=False)
    assert isinstance(error, TripsError), error
    assert said in str(error)
    assert not (shared / "bucket").exists()
